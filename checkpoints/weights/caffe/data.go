package caffe

import (
	"fmt"
	"io"
)

// runLength is how many numbers that are not packed are read at a time.
const runLength = 4096

// data reads a blob's numbers, which protocol buffers keep little-endian.
type data struct {
	r      io.ReaderAt
	pieces []piece // that are still to be read
	done   int64   // bytes of the numbers in the first of them
	what   string  // file and tensor, for errors
	buffer []byte
	rest   []byte // of buffer
}

func (d *data) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(d.rest) == 0 {
		if len(d.pieces) == 0 {
			return 0, io.EOF
		}
		if d.pieces[0].packed {
			return d.readPacked(p)
		}
		if err := d.readRun(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *data) readPacked(p []byte) (int, error) {
	first := d.pieces[0]
	p = p[:min(int64(len(p)), first.count*first.width-d.done)]
	if err := d.readAt(p, first.start+d.done); err != nil {
		return 0, err
	}
	d.advance(int64(len(p)))
	return len(p), nil
}

// readRun fills rest with numbers that are stride bytes apart in the file.
func (d *data) readRun() error {
	first := d.pieces[0]
	done := d.done / first.width
	n := min(runLength, first.count-done)
	length := (n-1)*first.stride + first.width
	if int64(len(d.buffer)) < length {
		d.buffer = make([]byte, length)
	}
	if err := d.readAt(d.buffer[:length], first.start+done*first.stride); err != nil {
		return err
	}
	for i := range n {
		copy(d.buffer[i*first.width:][:first.width], d.buffer[i*first.stride:])
	}
	d.rest = d.buffer[:n*first.width]
	d.advance(n * first.width)
	return nil
}

// readAt fills p or fails: the file had these bytes when it was opened.
func (d *data) readAt(p []byte, pos int64) error {
	if n, err := d.r.ReadAt(p, pos); n < len(p) {
		return fmt.Errorf("%s: %w", d.what, noEOF(err))
	}
	return nil
}

func (d *data) advance(bytes int64) {
	d.done += bytes
	if d.done == d.pieces[0].count*d.pieces[0].width {
		d.pieces, d.done = d.pieces[1:], 0
	}
}
