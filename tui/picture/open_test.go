package picture_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/tui/picture"
)

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

// header is a PNG file of a few dozen bytes that promises an image of any size.
func header(width, height uint32) []byte {
	chunk := func(name string, data []byte) []byte {
		body := append([]byte(name), data...)
		out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		return binary.BigEndian.AppendUint32(append(out, body...), crc32.ChecksumIEEE(body))
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(size, 16, 6, 0, 0, 0))...)
	return append(b, chunk("IDAT", nil)...)
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func TestOpen(t *testing.T) {
	red, blue := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}
	both := image.NewNRGBA(image.Rect(0, 0, 6, 2))
	paletted := image.NewPaletted(both.Bounds(), color.Palette{red, blue})
	for y := range 2 {
		for x := range 6 {
			both.Set(x, y, map[bool]color.Color{true: red, false: blue}[x < 3])
			paletted.Set(x, y, both.At(x, y))
		}
	}
	for _, img := range []image.Image{both, paletted} {
		left, right, err := picture.Open(write(t, "pair.png", encoded(t, img)))
		require.NoError(t, err)
		for half, want := range map[image.Image]color.NRGBA{left: red, right: blue} {
			b := half.Bounds()
			require.Equal(t, image.Pt(3, 2), b.Size())
			for y := b.Min.Y; y < b.Max.Y; y++ {
				for x := b.Min.X; x < b.Max.X; x++ {
					require.Equal(t, want, color.NRGBAModel.Convert(half.At(x, y)))
				}
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	good := encoded(t, image.NewGray(image.Rect(0, 0, 8, 4)))
	for _, test := range []struct {
		name, want string
		data       []byte
	}{
		{"bomb.png", "100000x100000 pixels; at most 4096x2048", header(100000, 100000)},
		{"wide.png", "at most 4096x2048", header(4098, 2)},
		{"high.png", "at most 4096x2048", header(2, 2049)},
		{"negative.png", "not a PNG picture", header(1<<31, 1<<31)},
		{"odd.png", "5 pixels wide", encoded(t, image.NewGray(image.Rect(0, 0, 5, 4)))},
		{"cut.png", "damaged PNG picture", good[:len(good)-20]},
		{"header-only.png", "damaged PNG picture", header(4000, 2000)},
		{"text.png", "not a PNG picture", []byte("GIF89a or whatever")},
		{"empty.png", "not a PNG picture", nil},
		{"large.png", "has 4194305 bytes; a picture of a run has at most 4194304", make([]byte, 4<<20+1)},
	} {
		path := write(t, test.name, test.data)
		_, _, err := picture.Open(path)
		require.ErrorContains(t, err, test.want, test.name)
		require.ErrorContains(t, err, path)
	}

	pipe := filepath.Join(t.TempDir(), "pipe.png")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	_, _, err := picture.Open(pipe)
	require.ErrorContains(t, err, pipe+" is not a file", "and it does not wait for a writer")
	_, _, err = picture.Open(filepath.Join(t.TempDir(), "none.png"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "none.png")
}

// What a file promises is looked at before memory is set aside for it.
func TestOpenRefusesBeforeAllocation(t *testing.T) {
	path := write(t, "bomb.png", header(100000, 100000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := picture.Open(path)
	runtime.ReadMemStats(&after)
	require.Error(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func FuzzOpen(f *testing.F) {
	memtest.Cap(f)
	f.Add(encoded(f, image.NewGray(image.Rect(0, 0, 8, 4))))
	f.Add(encoded(f, image.NewPaletted(image.Rect(0, 0, 2, 3), color.Palette{color.Black, color.White})))
	f.Add(header(100000, 100000))
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "any.png", data)
		var left, right image.Image
		var err error
		// As many pixels as are shown, of up to 8 bytes each.
		memtest.Bound{Any: 10 * 4096 * 2048, PerByte: 1 << 10}.Within(t, len(data), func() { left, right, err = picture.Open(path) })
		if err != nil {
			return
		}
		require.Equal(t, left.Bounds().Size(), right.Bounds().Size())
		require.LessOrEqual(t, left.Bounds().Dx(), 2048)
		require.LessOrEqual(t, left.Bounds().Dy(), 2048)
		require.Len(t, picture.HalfBlocks(right, 7, 3), 3)
		require.Len(t, picture.HalfBlocksNearest(left, 7, 3), 3)
	})
}
