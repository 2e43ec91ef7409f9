package datasets

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// hostile is a file of testdata/hostile.
func hostile(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata/hostile", name))
	require.NoError(t, err)
	return file
}

// tiffHeader is a TIFF header whose directory has the entries, each a tag, a type, a
// count and a value.
func tiffHeader(order binary.AppendByteOrder, entries ...[4]uint32) []byte {
	head := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		head = []byte("MM\x00*")
	}
	head = order.AppendUint32(head, 8)
	head = order.AppendUint16(head, uint16(len(entries)))
	for _, e := range entries {
		head = order.AppendUint16(head, uint16(e[0]))
		head = order.AppendUint16(head, uint16(e[1]))
		head = order.AppendUint32(head, e[2])
		head = order.AppendUint16(head, uint16(e[3]))
		head = append(head, 0, 0)
	}
	return head
}

func TestOrientation(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for want := range uint32(9) {
			require.Equal(t, int(want), orientationOf(tiffHeader(order, [4]uint32{0x10f, 2, 9, 0}, [4]uint32{0x112, 3, 1, want})))
		}
		for name, tiff := range map[string][]byte{
			"no such tag":  tiffHeader(order, [4]uint32{0x10f, 2, 9, 0}),
			"9":            tiffHeader(order, [4]uint32{0x112, 3, 1, 9}),
			"a long":       tiffHeader(order, [4]uint32{0x112, 4, 1, 6}),
			"two of them":  tiffHeader(order, [4]uint32{0x112, 3, 2, 6}),
			"cut off":      tiffHeader(order, [4]uint32{0x112, 3, 1, 6})[:14],
			"only a start": tiffHeader(order)[:6],
			"far away":     append(tiffHeader(order)[:4], 0xff, 0xff, 0xff, 0xff),
		} {
			require.Zero(t, orientationOf(tiff), name)
		}
	}
	require.Zero(t, orientationOf(nil))
	require.Zero(t, orientationOf([]byte("JJ*\x00\x08\x00\x00\x00")))
}

// Each format hides the orientation somewhere else, and so do programs.
func TestOrientationOfFiles(t *testing.T) {
	for _, name := range []string{"turned.jpg", "turned.png", "turned.webp"} {
		e, err := readBytes(hostile(t, name), DefaultMaxPixels)
		require.NoError(t, err, name)
		require.Equal(t, 6, e.facts.orientation, name)
		require.Equal(t, extent{8, 16}, extent{e.h, e.w}, name)
		_, err = e.pixels()
		require.NoError(t, err, name)
	}
	for _, name := range []string{"cmyk.jpg", "cmyk.png", "progressive.jpg"} {
		e, err := readBytes(hostile(t, name), DefaultMaxPixels)
		require.NoError(t, err, name)
		require.Zero(t, e.facts.orientation, name)
	}
}

// turnedBy sets the orientation of turned.jpg.
func turnedBy(t testing.TB, orientation byte) []byte {
	file := bytes.Clone(hostile(t, "turned.jpg"))
	at := bytes.Index(file, []byte("\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06"))
	if at < 0 {
		at = bytes.Index(file, []byte("\x12\x01\x03\x00\x01\x00\x00\x00\x06"))
		file[at+8] = orientation
		return file
	}
	file[at+9] = orientation
	return file
}

// slowUpright is the definition by where the first row and the first column of what
// is stored are seen: 6, "the first row is the right side, the first column the top".
func slowUpright(m *image.NRGBA, orientation int) *image.NRGBA {
	mirror := func(m *image.NRGBA) *image.NRGBA {
		return moved(m, m.Rect, func(x, y int) (int, int) { return m.Rect.Dx() - 1 - x, y })
	}
	transpose := func(m *image.NRGBA) *image.NRGBA {
		return moved(m, image.Rect(0, 0, m.Rect.Dy(), m.Rect.Dx()), func(x, y int) (int, int) { return y, x })
	}
	flip := func(m *image.NRGBA) *image.NRGBA { return transpose(mirror(transpose(m))) }
	switch orientation {
	case 2:
		return mirror(m)
	case 3:
		return flip(mirror(m))
	case 4:
		return flip(m)
	case 5:
		return transpose(m)
	case 6:
		return mirror(transpose(m))
	case 7:
		return flip(mirror(transpose(m)))
	case 8:
		return flip(transpose(m))
	}
	return m
}

func moved(m *image.NRGBA, to image.Rectangle, from func(x, y int) (int, int)) *image.NRGBA {
	out := image.NewNRGBA(to)
	for y := range to.Dy() {
		for x := range to.Dx() {
			fromX, fromY := from(x, y)
			out.SetNRGBA(x, y, m.NRGBAAt(fromX, fromY))
		}
	}
	return out
}

func TestUpright(t *testing.T) {
	for orientation := -1; orientation < 11; orientation++ {
		for _, size := range []extent{{1, 1}, {1, 5}, {4, 1}, {3, 5}, {4, 4}} {
			m := picture(size.h, size.w)
			require.Equal(t, slowUpright(m, orientation), upright(m, orientation), "%d of %v", orientation, size)
		}
	}
	// Rows that are further apart than they are long.
	part := picture(6, 7).SubImage(image.Rect(0, 0, 4, 3)).(*image.NRGBA)
	require.Equal(t, upright(compact(part), 6), upright(part, 6))
}

// What a camera held upright stores on its side has its left edge above: the red part,
// stored below on the left, is seen above on the left.
func TestUprightOfAPhotograph(t *testing.T) {
	e, err := readBytes(hostile(t, "turned.png"), DefaultMaxPixels)
	require.NoError(t, err)
	img, err := e.pixels()
	require.NoError(t, err)
	seen := upright(toNRGBA(img), e.facts.orientation)
	require.Equal(t, image.Rect(0, 0, 8, 16), seen.Rect)
	require.Equal(t, color.NRGBA{200, 0, 0, 255}, seen.NRGBAAt(0, 0))
	require.Equal(t, color.NRGBA{0, 0, 0, 255}, seen.NRGBAAt(7, 0))
	require.Equal(t, color.NRGBA{255, 255, 255, 255}, seen.NRGBAAt(0, 15))
}

// withFrame is a JPEG whose frame header says something else.
func withFrame(t testing.TB, marker, depth byte) []byte {
	file := bytes.Clone(encodeJPEG(t, picture(8, 8)))
	at := bytes.Index(file, []byte{0xff, 0xc0})
	file[at+1], file[at+4] = marker, depth
	return file
}

func TestRefusedKinds(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"animated PNG":     {hostile(t, "animated.png"), "an animated PNG: which of its pictures is meant? Save that one as a still PNG"},
		"animated WebP":    {hostile(t, "animated.webp"), "an animated WebP: which of its pictures is meant? Save that one as a still PNG"},
		"arithmetic":       {withFrame(t, 0xc9, 8), "a JPEG in arithmetic coding, which few programs read; save it anew as usual JPEG (jpegtran does so without loss) or PNG"},
		"arithmetic, prog": {withFrame(t, 0xca, 8), "a JPEG in arithmetic coding, which few programs read; save it anew as usual JPEG (jpegtran does so without loss) or PNG"},
		"lossless":         {withFrame(t, 0xc3, 8), "a lossless JPEG, which few programs read; save it anew as PNG"},
		"hierarchical":     {withFrame(t, 0xc5, 8), "a hierarchical JPEG, which few programs read; save it anew as usual JPEG or PNG"},
		"12 bits":          {withFrame(t, 0xc1, 12), "a JPEG of 12 bits a channel, where 8 are read; save it anew as usual JPEG or PNG"},
		"zero PNG":         {pngHead(0, 5, 8, 2), "broken PNG: the header says that it is 0 pixels high or wide"},
	} {
		_, err := readBytes(c.file, DefaultMaxPixels)
		require.EqualError(t, err, c.want, name)
	}
	// An animation of one picture is a still one.
	still := bytes.Clone(hostile(t, "animated.png"))
	at := bytes.Index(still, []byte("acTL"))
	still[at+7] = 1
	e := &encoded{file: nopCloser{bytes.NewReader(still)}, format: formats()[0]}
	require.Equal(t, facts{frames: 1}, e.readFacts())
}

// Adobe's CMYK is stored inverted; Go and Pillow turn it to RGB by the same formula.
func TestCMYK(t *testing.T) {
	got, err := ReadImage("testdata/hostile/cmyk.jpg", DefaultMaxPixels)
	require.NoError(t, err)
	want, err := ReadImage("testdata/hostile/cmyk.png", DefaultMaxPixels)
	require.NoError(t, err)
	require.Equal(t, want.Rect, got.Rect)
	for i := range want.Pix {
		require.InDelta(t, want.Pix[i], got.Pix[i], 6, "byte %d", i)
	}
}

// No walk reads on for ever, or holds more than a segment, whatever the file says.
func FuzzFacts(f *testing.F) {
	memtest.Cap(f)
	for _, name := range []string{"turned.jpg", "turned.png", "turned.webp", "animated.png", "animated.webp", "cmyk.jpg"} {
		f.Add(hostile(f, name))
	}
	f.Add(append([]byte{0xff, 0xd8}, bytes.Repeat([]byte{0xff}, 64)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, format := range formats() {
			e := &encoded{file: nopCloser{bytes.NewReader(file)}, format: format}
			var facts facts
			// Segments of 64 KiB, of which each is in the file, and small chunks.
			memtest.Bound{Any: 256 << 10, PerByte: 4}.Within(t, len(file), func() { facts = e.readFacts() })
			require.True(t, facts.orientation >= 0 && facts.orientation <= 8)
			require.True(t, facts.frame == 0 || isFrame(facts.frame))
		}
	})
}
