package feed

import (
	"bytes"
	"errors"
	"io"

	"github.com/fcnx/fcnx/train/event"
)

const blockSize = 256 << 10

// lines cuts a file into lines. It needs at most event.MaxLine and a block of
// memory, whatever is in the file.
type lines struct {
	file  io.ReaderAt
	at    int64  // offset of the line that is next
	block []byte // the file from there on, as far as it was read
	held  []byte // what block is part of
	long  bool   // at is within a line that is too long, and was told
}

// found is what a look for the next line came to.
type found int

const (
	whole  found = iota // a line
	torn                // none, or not all of it, yet
	bad                 // a line that is too long; what follows of it is passed by
	passed              // a block of such a line
)

// next returns the next line without its end. It is valid until the call after.
func (l *lines) next() ([]byte, found, error) {
	for from := 0; ; {
		if i := bytes.IndexByte(l.block[from:], '\n'); i >= 0 {
			line := l.block[:from+i]
			l.skip(from + i + 1)
			switch {
			case l.long:
				l.long, from = false, 0
				continue
			case len(line) > event.MaxLine:
				return nil, bad, nil
			}
			return line, whole, nil
		}
		if l.long || len(l.block) > event.MaxLine {
			what := passed
			if !l.long {
				l.long, what = true, bad
			}
			l.skip(len(l.block))
			more, err := l.read()
			if err != nil {
				return nil, torn, err
			}
			if !more && what == passed {
				what = torn
			}
			return nil, what, nil
		}
		from = len(l.block)
		if more, err := l.read(); err != nil || !more {
			return nil, torn, err
		}
	}
}

func (l *lines) skip(n int) {
	l.at += int64(n)
	l.block = l.block[n:]
}

// read appends what the file has next to the block; more is false where the file
// has ended.
func (l *lines) read() (more bool, err error) {
	if l.held == nil {
		l.held = make([]byte, 0, blockSize)
	}
	l.held = append(l.held[:0], l.block...)
	have := len(l.held)
	if cap(l.held)-have < blockSize/2 {
		l.held = append(make([]byte, 0, have+2*blockSize), l.held...)
	}
	n, err := l.file.ReadAt(l.held[have:cap(l.held)], l.at+int64(have))
	l.held = l.held[:have+n]
	l.block = l.held
	if n > 0 || errors.Is(err, io.EOF) {
		err = nil
	}
	return n > 0, err
}

// forget lets go of what was read beyond the last line: whoever writes the file
// may cut a torn line off, and write another in its place.
func (l *lines) forget() { l.block = nil }
