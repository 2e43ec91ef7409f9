package datasets

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// rawPNG writes a PNG of any depth and colour type from its rows as they are
// packed, which Go's encoder does not.
func rawPNG(h, w int, depth, colorType byte, rows [][]byte, more ...[]byte) []byte {
	file := pngHead(uint32(h), uint32(w), depth, colorType)
	chunk := func(kind string, data []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
		body := append([]byte(kind), data...)
		file = append(file, body...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(body))
	}
	for _, data := range more {
		chunk(string(data[:4]), data[4:])
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	for _, row := range rows {
		z.Write(append([]byte{0}, row...)) // filter 0: the bytes as they are
	}
	z.Close()
	chunk("IDAT", packed.Bytes())
	chunk("IEND", nil)
	return file
}

func readMask(t testing.TB, file []byte, classes, void int) (*image.Gray, error) {
	t.Helper()
	e, err := readBytes(file, 1<<20)
	require.NoError(t, err)
	return e.label(numberedClasses(classes), void)
}

// All the ways in which a PNG can hold the labels 0 1 2 / 3 0 1.
func TestMaskFormats(t *testing.T) {
	want := []uint8{0, 1, 2, 3, 0, 1}
	grey16 := image.NewGray16(image.Rect(0, 0, 3, 2))
	for i, v := range want {
		grey16.SetGray16(i%3, i/3, color.Gray16{Y: uint16(v)})
	}
	palette := append([]byte("PLTE"), make([]byte, 4*3)...)
	for name, file := range map[string][]byte{
		"grey":          encodePNG(t, greyMask(2, 3, want...)),
		"palette":       encodePNG(t, palettedMask(2, 3, want...)),
		"grey 16":       encodePNG(t, grey16),
		"grey 2":        rawPNG(2, 3, 2, 0, [][]byte{{0b00_01_10_00}, {0b11_00_01_00}}),
		"grey 4":        rawPNG(2, 3, 4, 0, [][]byte{{0x01, 0x20}, {0x30, 0x10}}),
		"palette 2":     rawPNG(2, 3, 2, 3, [][]byte{{0b00_01_10_00}, {0b11_00_01_00}}, palette),
		"palette 4":     rawPNG(2, 3, 4, 3, [][]byte{{0x01, 0x20}, {0x30, 0x10}}, palette),
		"short palette": rawPNG(2, 3, 8, 3, [][]byte{{0, 1, 2}, {3, 0, 1}}, palette[:10]),
		"grey clear":    rawPNG(2, 3, 8, 0, [][]byte{{0, 1, 2}, {3, 0, 1}}, []byte("tRNS\x00\x01")),
		"grey 4 clear":  rawPNG(2, 3, 4, 0, [][]byte{{0x01, 0x20}, {0x30, 0x10}}, []byte("tRNS\x00\x01")),
		"grey 16 clear": rawPNG(2, 3, 16, 0, [][]byte{{0, 0, 0, 1, 0, 2}, {0, 3, 0, 0, 0, 1}}, []byte("tRNS\x00\x01")),
		"palette clear": rawPNG(2, 3, 8, 3, [][]byte{{0, 1, 2}, {3, 0, 1}}, palette, []byte("tRNS\x00\x7f")),
	} {
		label, err := readMask(t, file, 4, -1)
		require.NoError(t, err, name)
		require.Equal(t, image.Rect(0, 0, 3, 2), label.Rect, name)
		require.Equal(t, want, label.Pix, name)
	}
	bits, err := readMask(t, rawPNG(1, 3, 1, 0, [][]byte{{0b101_00000}}), 2, -1)
	require.NoError(t, err)
	require.Equal(t, []uint8{1, 0, 1}, bits.Pix, "grey of one bit is 0 and 1, not 0 and 255")
}

func TestMaskErrors(t *testing.T) {
	grey16 := image.NewGray16(image.Rect(0, 0, 3, 2))
	grey16.SetGray16(1, 1, color.Gray16{Y: 700})
	colour := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	copy(colour.Pix, []uint8{128, 0, 0, 255})
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"range":      {encodePNG(t, greyMask(2, 3, 0, 1, 2, 1, 3)), "label 3 at pixel (1,1) is out of range: the 3 classes are 0 to 2, and 255 is ignored like 11 (void)"},
		"grey 16":    {encodePNG(t, grey16), "label 700 at pixel (1,1) is out of range: labels are 0 to 255"},
		"rgb":        {encodePNG(t, colour), errMaskColour.Error() + ` (pixel (0,0) is #800000, the colour of "class1")`},
		"grey alpha": {rawPNG(1, 1, 8, 4, [][]byte{{7, 255}}), "a grey mask with alpha: is a clear pixel label 0, or none? Save the masks anew as 8-bit PNG of class indices, without alpha"},
		"torn rgb":   {encodePNG(t, colour)[:50], errMaskColour.Error()},
		"jpeg":       {encodeJPEG(t, colour), "a JPEG mask: lossy compression changes labels; make masks anew as 8-bit PNG of class indices"},
		"webp":       {plainWebP(2, 2, 1, 1, 1), "a WebP mask: lossy compression changes labels; make masks anew as 8-bit PNG of class indices"},
	} {
		_, err := readMask(t, c.file, 3, 11)
		require.EqualError(t, err, c.want, name)
	}
}

// slowSettle looks at one pixel after the other.
func slowSettle(pix []uint8, w, classes, void int) (settled []uint8, bad image.Point, ok bool) {
	for i, v := range pix {
		switch {
		case int(v) < classes && int(v) != void, v == Ignore:
			settled = append(settled, v)
		case int(v) == void:
			settled = append(settled, Ignore)
		default:
			return nil, image.Pt(i%w, i/w), false
		}
	}
	return settled, image.Point{}, true
}

func FuzzMask(f *testing.F) {
	memtest.Cap(f)
	for _, file := range [][]byte{encodePNG(f, greyMask(2, 3, 0, 1, 255, 11)), encodePNG(f, palettedMask(3, 3, 2)), rawPNG(2, 3, 4, 0, [][]byte{{0x01, 0x20}, {0x30, 0x10}}, []byte("tRNS\x00\x01")), encodePNG(f, picture(2, 2))} {
		f.Add(file, uint8(4), uint8(11))
	}
	f.Fuzz(func(t *testing.T, file []byte, classes, void uint8) {
		var e *encoded
		var label *image.Gray
		var err error
		mayDecode.Within(t, len(file), func() {
			if e, err = readBytes(file, 1<<16); err == nil {
				label, err = e.label(numberedClasses(int(classes)), int(void))
			}
		})
		if err != nil {
			return
		}
		require.Equal(t, image.Rect(0, 0, e.w, e.h), label.Rect)
		again, err := e.label(numberedClasses(256), -1)
		require.NoError(t, err)
		settled, _, ok := slowSettle(again.Pix, e.w, int(classes), int(void))
		require.True(t, ok)
		require.Equal(t, settled, label.Pix)
	})
}
