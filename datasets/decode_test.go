package datasets

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/image/bmp"

	"github.com/fcnx/fcnx/memtest"
)

func rgba(r, g, b uint8) color.RGBA { return color.RGBA{r, g, b, 255} }

// slowNRGBA asks for each colour by itself, and drops alpha.
func slowNRGBA(img image.Image) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			c.A = 255
			out.SetNRGBA(x, y, c)
		}
	}
	return out
}

func TestToNRGBA(t *testing.T) {
	from := picture(9, 13)
	r := image.Rect(2, 3, 15, 12) // bounds that do not begin at zero
	subsampled := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for i := range subsampled.Y {
		subsampled.Y[i] = uint8(5 * i)
	}
	for i := range subsampled.Cb {
		subsampled.Cb[i], subsampled.Cr[i] = uint8(9*i), uint8(255-7*i)
	}
	images := map[string]image.Image{"YCbCr": subsampled, "paletted": image.NewPaletted(r, color.Palette{rgba(9, 8, 7), color.NRGBA{3, 200, 4, 77}})}
	for name, to := range map[string]draw.Image{
		"NRGBA": image.NewNRGBA(r), "RGBA": image.NewRGBA(r), "grey": image.NewGray(r), "grey16": image.NewGray16(r),
		"RGBA64": image.NewRGBA64(r), "NRGBA64": image.NewNRGBA64(r), "CMYK": image.NewCMYK(r),
	} {
		draw.Draw(to, r, from, image.Point{}, draw.Src)
		images[name] = to
	}
	images["paletted"].(*image.Paletted).Pix[5] = 1
	for name, img := range images {
		want := slowNRGBA(img)
		require.Equal(t, want, compact(toNRGBA(img)), name)
	}
	// A part of a larger image has rows that are further apart.
	part := from.SubImage(image.Rect(1, 2, 5, 6))
	require.Equal(t, slowNRGBA(part), compact(toNRGBA(part)))
	// What alpha hides is what a network sees, as in other tools that drop it.
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	clear.Pix = []uint8{10, 20, 30, 0}
	require.Equal(t, []uint8{10, 20, 30, 255}, toNRGBA(clear).Pix)
}

// compact copies an image to one whose rows are adjacent.
func compact(m *image.NRGBA) *image.NRGBA {
	out := image.NewNRGBA(m.Rect)
	for y := range m.Rect.Dy() {
		copy(out.Pix[y*out.Stride:][:out.Stride], m.Pix[y*m.Stride:])
	}
	return out
}

// plainWebP is a lossless WebP of one colour, which has no encoder in Go: five
// prefix codes of one symbol each, so that a pixel takes no bit at all.
//
// Source: WebP Lossless Bitstream Specification, sections 3, 6 and 7.
func plainWebP(h, w int, r, g, b uint8) []byte {
	bits, n := []byte{0x2f}, 0
	put := func(value uint32, count int) {
		for i := range count {
			if n%8 == 0 {
				bits = append(bits, 0)
			}
			bits[len(bits)-1] |= byte(value>>i&1) << (n % 8)
			n++
		}
	}
	put(uint32(w-1), 14)
	put(uint32(h-1), 14)
	put(0, 4) // no alpha, version 0
	put(0, 3) // no transform, no colour cache, no meta prefix image
	for _, symbol := range []uint8{g, r, b, 255, 0} {
		put(1, 1) // a simple code
		put(0, 1) // of one symbol
		put(1, 1) // of 8 bits
		put(uint32(symbol), 8)
	}
	file := []byte("RIFF")
	file = binary.LittleEndian.AppendUint32(file, uint32(12+len(bits)+len(bits)%2))
	file = append(file, "WEBPVP8L"...)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(bits)))
	file = append(file, bits...)
	return append(file, make([]byte, len(bits)%2)...)
}

func TestReadImage(t *testing.T) {
	var bitmap bytes.Buffer
	require.NoError(t, bmp.Encode(&bitmap, picture(5, 7)))
	dir := write(t, map[string]any{
		"a.png": picture(5, 7), "a.bmp": bitmap.Bytes(), "really-a-png.jpg": encodePNG(t, picture(5, 7)), "a.jpg": picture(5, 7),
		"a.webp": plainWebP(5, 7, 10, 200, 30),
	})
	img, err := ReadImage(filepath.Join(dir, "a.webp"), 35)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 7, 5), img.Rect)
	require.Equal(t, color.NRGBA{10, 200, 30, 255}, img.NRGBAAt(6, 4))
	for _, name := range []string{"a.png", "a.bmp", "really-a-png.jpg"} {
		img, err := ReadImage(filepath.Join(dir, name), 35)
		require.NoError(t, err)
		require.Equal(t, picture(5, 7), img, name)
	}
	_, err = ReadImage(filepath.Join(dir, "a.jpg"), 34)
	require.EqualError(t, err, filepath.Join(dir, "a.jpg")+": 5x7 (height x width) is more than 34 pixels; raise data.max_pixels (--max-pixels) if that is meant")
	_, err = ReadImage(filepath.Join(dir, "none"), 34)
	require.EqualError(t, err, filepath.Join(dir, "none")+": there is no such file")
	_, err = ReadImage(dir, 34)
	require.EqualError(t, err, dir+": a directory, where a file is expected")
}

// pngHead is a PNG that says what it likes in its header and holds nothing.
func pngHead(h, w uint32, depth, colorType byte) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, depth, colorType, 0, 0, 0)
	file := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	file = append(file, chunk...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
}

// A header that promises more than the file can hold is refused before any
// memory is set aside: the test would need gigabytes otherwise.
func TestHostileHeaders(t *testing.T) {
	jpegHead := encodeJPEG(t, picture(8, 8))
	frame := bytes.Index(jpegHead, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(jpegHead[frame+5:], 16000)
	binary.BigEndian.PutUint16(jpegHead[frame+7:], 16000)
	var bitmap bytes.Buffer
	require.NoError(t, bmp.Encode(&bitmap, picture(8, 8)))
	binary.LittleEndian.PutUint32(bitmap.Bytes()[18:], 16000)
	binary.LittleEndian.PutUint32(bitmap.Bytes()[22:], 16000)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"png":      {pngHead(16000, 16000, 8, 2), "the PNG header says 16000x16000 (height x width), but the file has only 33 bytes"},
		"png bits": {pngHead(16000, 16000, 1, 0), "the PNG header says 16000x16000 (height x width), but the file has only 33 bytes"},
		"png huge": {pngHead(1<<31-1, 1<<31-1, 1, 0), "broken PNG: unsupported feature: dimension overflow"},
		"png cap":  {pngHead(100000, 100000, 8, 2), "100000x100000 (height x width) is more than 268435456 pixels"},
		"jpeg":     {jpegHead, "the JPEG header says 16000x16000 (height x width), but the file has only"},
		"bmp":      {bitmap.Bytes(), "the BMP header says 16000x16000 (height x width), but the file has only"},
	} {
		dir := write(t, map[string]any{"f": c.file})
		_, err := ReadImage(filepath.Join(dir, "f"), DefaultMaxPixels)
		require.ErrorContains(t, err, c.want, name)
	}
}

// The bounds on what a file can hold must let the best packed image through.
func TestTightlyPackedImages(t *testing.T) {
	blank := image.NewGray(image.Rect(0, 0, 4000, 3000))
	bits := image.NewPaletted(blank.Rect, color.Palette{color.Black, color.White})
	dir := write(t, map[string]any{"a.png": blank, "bits.png": bits, "a.jpg": blank})
	for _, name := range []string{"a.png", "bits.png", "a.jpg"} {
		_, err := ReadImage(filepath.Join(dir, name), DefaultMaxPixels)
		require.NoError(t, err, name)
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func readBytes(file []byte, maxPixels int64) (*encoded, error) {
	e := &encoded{file: nopCloser{bytes.NewReader(file)}}
	return e, e.readHeader(int64(len(file)), maxPixels)
}

// mayDecode is what an image of up to 2^16 pixels may ask for: 64 bytes for each of
// them, a decompressor, and tables that the file fills.
var mayDecode = memtest.Bound{Any: 64<<16 + 1<<20, PerByte: 256}

func FuzzReadImage(f *testing.F) {
	memtest.Cap(f)
	var bitmap bytes.Buffer
	require.NoError(f, bmp.Encode(&bitmap, picture(3, 5)))
	for _, seed := range [][]byte{encodePNG(f, picture(3, 5)), encodeJPEG(f, picture(3, 5)), bitmap.Bytes(), plainWebP(3, 5, 1, 2, 3), encodePNG(f, palettedMask(3, 5, 0, 1)), pngHead(9, 9, 1, 0)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var e *encoded
		var img image.Image
		var err error
		mayDecode.Within(t, len(file), func() {
			if e, err = readBytes(file, 1<<16); err == nil {
				img, err = e.pixels()
			}
		})
		if err != nil {
			return
		}
		m := toNRGBA(img)
		require.Equal(t, image.Rect(0, 0, e.w, e.h), m.Rect)
		require.Equal(t, slowNRGBA(m), compact(m), "alpha is 255")
	})
}

func TestDecoderPanic(t *testing.T) {
	e, err := readBytes(encodePNG(t, picture(2, 2)), 4)
	require.NoError(t, err)
	e.format.decode = func(io.Reader) (image.Image, error) { panic("index out of range") }
	_, err = e.pixels()
	require.EqualError(t, err, "broken PNG: the decoder gave up: index out of range")
}
