package sink

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/fcnx/fcnx/train/event"
)

// JSONL appends records to a file, a line of JSON each. Steps reach the file at
// most ten times a second, by the records' own clock; every other record takes
// what waits along and reaches it at once.
//
// Lines are written whole. Where the disk fills up in the middle of one, the piece
// is cut off again, and what did not fit is tried again with the next record.
//
// The file has one writer: whoever holds the run's lock.
type JSONL struct {
	mu  sync.Mutex
	out appender
}

// OpenJSONL opens the file to append to it, and makes it where there is none. A
// last line without its end, which a crash has left behind, is cut off: cut is how
// many bytes that were.
func OpenJSONL(path string) (j *JSONL, cut int64, err error) {
	// What a link leads to is somebody else's, and neither cut off nor written to.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if errors.Is(err, syscall.ELOOP) {
		return nil, 0, fmt.Errorf("%s is a link, and a run writes to none; remove it", path)
	}
	if err != nil {
		return nil, 0, err
	}
	whole, total, err := wholeLines(file)
	if err == nil && whole < total {
		err = file.Truncate(whole)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return &JSONL{out: appender{file: file, size: whole}}, total - whole, nil
}

// wholeLines finds the end of the last line that has one. It reads from the end
// of the file, and no further than a line can be long.
func wholeLines(file *os.File) (whole, total int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, 0, fmt.Errorf("%s is not a regular file; a run's records need one", file.Name())
	}
	total = info.Size()
	tail := make([]byte, min(total, event.MaxLine+1))
	if _, err := io.ReadFull(io.NewSectionReader(file, total-int64(len(tail)), int64(len(tail))), tail); err != nil {
		return 0, 0, err
	}
	for i := len(tail); i > 0; i-- {
		if tail[i-1] == '\n' {
			return total - int64(len(tail)-i), total, nil
		}
	}
	if int64(len(tail)) < total {
		return 0, 0, fmt.Errorf("%s does not hold records: its last %d bytes have no line end; move it away", file.Name(), len(tail))
	}
	return 0, total, nil
}

// Handle implements [Sink].
func (j *JSONL) Handle(r event.Record) error {
	line, err := event.Marshal(r)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.out.file == nil {
		return ErrClosed
	}
	_, isStep := r.(event.Step)
	if isStep {
		if err := j.out.room(r.At()); err != nil {
			return fmt.Errorf("step dropped: %w", err)
		}
	}
	return j.out.add(append(line, '\n'), r.At(), isStep)
}

// Close implements [Sink]. The records are then on the disk, not only on their way.
func (j *JSONL) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.close()
}
