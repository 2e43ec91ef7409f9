package datasets

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// DefaultMaxPixels is the largest image, in pixels, that is decoded when nobody
// says otherwise: 2^28, 16384x16384, which is 1 GiB of RGBA.
const DefaultMaxPixels = 1 << 28

// format is a row of the table of image formats, told apart by their first
// bytes: what a file is called says nothing about what is in it.
type format struct {
	name, magic string // a ? in magic is any byte
	config      func(io.Reader) (image.Config, error)
	decode      func(io.Reader) (image.Image, error)
	// pixelsPerByte is the most that the format can pack into a byte of file; a
	// header that promises more is refused before memory is set aside for it.
	// Deflate packs at most 1032 bytes into one. The DC scan of a JPEG has at
	// least a bit for each 64 pixels. Zero: there is no bound.
	pixelsPerByte func(pngHeader) int64
}

func formats() []format {
	return []format{
		{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode,
			func(h pngHeader) int64 { return 1032 * 8 / max(1, int64(h.bitsPerPixel())) }},
		{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, decodeJPEG, func(pngHeader) int64 { return 8 * 64 }},
		{"BMP", "BM", bmp.DecodeConfig, bmp.Decode, func(pngHeader) int64 { return 8 }},
		{"WebP", "RIFF????WEBPVP8", webp.DecodeConfig, decodeWebP, func(pngHeader) int64 { return 0 }},
	}
}

// pngHeader is a PNG up to the two bytes of IHDR that Go's decoder keeps to
// itself: bit depth and colour type.
//
// Source: Portable Network Graphics (PNG) Specification, 11.2.2.
type pngHeader [26]byte

func (h pngHeader) depth() int     { return int(h[24]) }
func (h pngHeader) colorType() int { return int(h[25]) }

// The colour types of PNG that a mask can have; the others are truecolour and
// those with alpha.
const (
	pngGrey    = 0
	pngIndexed = 3
	// pngGreyAlpha is what some programs make of grey.
	pngGreyAlpha = 4
)

func (h pngHeader) bitsPerPixel() int {
	channels := [8]int{pngGrey: 1, 2: 3, pngIndexed: 1, pngGreyAlpha: 2, 6: 4}
	return channels[h.colorType()&7] * h.depth()
}

// encoded is an image file whose header has been read and judged, and whose
// pixels have not.
type encoded struct {
	file   io.ReadSeekCloser
	format format
	h, w   int       // as stored
	head   pngHeader // the first bytes, whatever the format
	facts  facts
}

// openEncoded opens a regular file and reads its header. The caller closes it.
func openEncoded(open func() (*os.File, error), maxPixels int64) (*encoded, error) {
	file, err := open()
	if err != nil {
		return nil, plainPathError(err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, plainPathError(err)
	}
	e := &encoded{file: file}
	if err := e.readHeader(info.Size(), maxPixels); err != nil {
		file.Close()
		return nil, err
	}
	return e, nil
}

// readHeader finds format and size of a file of so many bytes, or why it is not to
// be decoded.
func (e *encoded) readHeader(bytes, maxPixels int64) error {
	n, err := io.ReadFull(e.file, e.head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return plainPathError(err)
	}
	if n == 0 {
		return errors.New("the file is empty")
	}
	known := false
	for _, f := range formats() {
		if hasMagic(e.head[:n], f.magic) {
			e.format, known = f, true
		}
	}
	if !known {
		return fmt.Errorf("not a PNG, JPEG, BMP or WebP image: it begins with %q", e.head[:min(n, 8)])
	}
	e.facts = e.readFacts()
	if err := e.refuse(); err != nil {
		return err
	}
	var config image.Config
	err = e.read(func(r io.Reader) (err error) {
		config, err = e.format.config(r)
		return err
	})
	if err != nil {
		return err
	}
	e.h, e.w = config.Height, config.Width
	perByte := e.format.pixelsPerByte(e.head)
	switch {
	case e.h <= 0 || e.w <= 0:
		return fmt.Errorf("the %s header says %dx%d (height x width): there is no pixel in it", e.format.name, e.h, e.w)
	// Divided, since a product of two sizes can overflow.
	case int64(e.h) > maxPixels/int64(e.w):
		return fmt.Errorf("%dx%d (height x width) is more than %d pixels; raise data.max_pixels (--max-pixels) if that is meant", e.h, e.w, maxPixels)
	case perByte > 0 && int64(e.h)*int64(e.w)/perByte > bytes:
		return fmt.Errorf("the %s header says %dx%d (height x width), but the file has only %d bytes", e.format.name, e.h, e.w, bytes)
	}
	return nil
}

// refuse says why a file is not read that its format allows, where the decoder would
// not say so, or would take one picture of several without a word.
func (e *encoded) refuse() error {
	switch f := e.facts; {
	case f.frames > 1:
		return fmt.Errorf("an animated %s: which of its pictures is meant? Save that one as a still PNG", e.format.name)
	case f.frame == 0:
		return nil
	case f.frame >= 0xc9:
		return errors.New("a JPEG in arithmetic coding, which few programs read; save it anew as usual JPEG (jpegtran does so without loss) or PNG")
	case f.frame == 0xc3:
		return errors.New("a lossless JPEG, which few programs read; save it anew as PNG")
	case f.frame > 0xc2:
		return errors.New("a hierarchical JPEG, which few programs read; save it anew as usual JPEG or PNG")
	case f.depth != 8:
		return fmt.Errorf("a JPEG of %d bits a channel, where 8 are read; save it anew as usual JPEG or PNG", f.depth)
	}
	return nil
}

// pixels decodes the whole image.
func (e *encoded) pixels() (img image.Image, err error) {
	err = e.read(func(r io.Reader) error {
		img, err = e.format.decode(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if b := img.Bounds(); b.Dx() != e.w || b.Dy() != e.h {
		return nil, fmt.Errorf("%s: the header says %dx%d (height x width), the pixels are %dx%d", e.format.name, e.h, e.w, b.Dy(), b.Dx())
	}
	return img, nil
}

// read calls a decoder with the file from its start. A decoder that panics on a
// broken file costs that file and not the run.
func (e *encoded) read(decode func(io.Reader) error) (err error) {
	if _, err := e.file.Seek(0, io.SeekStart); err != nil {
		return plainPathError(err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("broken %s: the decoder gave up: %v", e.format.name, p)
		}
	}()
	if err := decode(bufio.NewReaderSize(e.file, 32<<10)); err != nil {
		return e.explain(err)
	}
	return nil
}

// explain rids a decoder's error of the decoder. Some tell a file that was cut off
// by the text alone.
func (e *encoded) explain(err error) error {
	text := strings.TrimPrefix(err.Error(), strings.ToLower(e.format.name)+": ")
	for _, prefix := range []string{"invalid format: ", "invalid JPEG format: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	switch {
	case strings.HasSuffix(text, "EOF"), text == "not enough pixel data", text == "short Huffman data":
		text = "the file ends too early"
	case text == "non-positive dimension":
		text = "the header says that it is 0 pixels high or wide"
	case text == "unsupported BMP image":
		return errors.New("a kind of BMP that is not read, or a size that none can have; save it anew as PNG")
	}
	return fmt.Errorf("broken %s: %s", e.format.name, text)
}

func hasMagic(head []byte, magic string) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && head[i] != magic[i] {
			return false
		}
	}
	return true
}

// plainPathError leaves out the operation and the path, which whoever reports
// the error names in full.
func plainPathError(err error) error {
	var pathError *fs.PathError
	if !errors.As(err, &pathError) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such file")
	}
	if strings.Contains(pathError.Err.Error(), "escapes") {
		return errors.New("it leads out of the data set's directory, where nothing is read; open the directory that holds everything")
	}
	return pathError.Err
}

// ReadImage decodes the image file at path (PNG, JPEG, BMP or WebP) to RGB with
// alpha 255; what alpha the file has is dropped. An image of more than maxPixels,
// or one whose header promises more than the file can hold, is refused before
// its pixels are read. The EXIF orientation is not applied: masks are drawn over
// the image as it is stored.
func ReadImage(path string, maxPixels int64) (*image.NRGBA, error) {
	e, err := openEncoded(func() (*os.File, error) { return openRegular(os.Stat, os.OpenFile, path) }, maxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Printable(path), err)
	}
	defer e.file.Close()
	img, err := e.pixels()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Printable(path), err)
	}
	return toNRGBA(img), nil
}

// openRegular opens a file, but never a pipe or a device: to open a device may do
// something, and to open a pipe may wait for ever. What became a pipe in between is
// opened without waiting, and refused.
func openRegular(stat func(string) (fs.FileInfo, error), open openFile, name string) (*os.File, error) {
	info, err := stat(name)
	if err == nil {
		err = mustBeRegular(info)
	}
	if err != nil {
		return nil, err
	}
	file, err := open(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil {
		err = mustBeRegular(info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// openFile is [os.OpenFile] or [os.Root.OpenFile].
type openFile func(name string, flag int, mode fs.FileMode) (*os.File, error)

func mustBeRegular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("a directory, where a file is expected")
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("a named pipe and no regular file")
	case mode&fs.ModeSocket != 0:
		return errors.New("a socket and no regular file")
	case mode&fs.ModeDevice != 0:
		return errors.New("a device and no regular file")
	}
	return errors.New("not a regular file")
}
