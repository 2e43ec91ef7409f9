package event

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Reader reads the records of one events.jsonl, also while it is being written.
type Reader struct {
	in     *bufio.Reader
	line   []byte // what has been read of the line at start; at most MaxLine+1 bytes
	start  int64  // offset of that line
	end    int64  // offset of what has been read
	number int    // of that line, from 1
	good   int64
}

// NewReader reads from in, which stands at the beginning of a line.
func NewReader(in io.Reader) *Reader {
	return &Reader{in: bufio.NewReader(in), number: 1}
}

// LineError is a line that is no record.
type LineError struct {
	Line   int   // from 1
	Offset int64 // of its first byte
	Err    error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e *LineError) Unwrap() error { return e.Err }

// Next returns the next record, or [io.EOF] at the end of the input. A last line
// without its end was torn by a crash, or is being written at this moment: Next
// keeps it to itself and returns io.EOF. After io.EOF it may be called again, and
// goes on where the input has grown.
//
// For a line that has an end and is no record the error is a [*LineError]; the
// call after it goes on with the next line.
func (r *Reader) Next() (Record, error) {
	for {
		chunk, err := r.in.ReadSlice('\n')
		r.end += int64(len(chunk))
		// One byte more than fits tells Unmarshal that the line is too long; the
		// rest of such a line is counted and let go.
		room := MaxLine + 1 - len(r.line)
		r.line = append(r.line, chunk[:min(room, len(chunk))]...)
		if err == nil {
			return r.finishLine()
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

func (r *Reader) finishLine() (Record, error) {
	start, number, line := r.start, r.number, r.line
	r.start, r.number, r.line = r.end, r.number+1, r.line[:0]
	var rec Record
	var err error
	if length := r.end - start - 1; length > MaxLine {
		err = fmt.Errorf("%d bytes, where a record has at most %d", length, MaxLine)
	} else {
		rec, err = Unmarshal(line)
	}
	if err != nil {
		return nil, &LineError{number, start, err}
	}
	r.good = r.end
	return rec, nil
}

// Offset is where the line of the last record ends that Next has returned. What
// lies between it and the end of the input is torn or bad.
func (r *Reader) Offset() int64 { return r.good }
