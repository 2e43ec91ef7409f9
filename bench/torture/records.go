package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// follower reads the records that are appended to a file from now on.
type follower struct {
	path string
	file *os.File // nil: it is not there yet
	at   int64    // where the next whole line begins
}

// follow begins after the last whole line, for a process that goes on cuts off what is
// behind it.
func follow(path string) (*follower, error) {
	f := &follower{path: path}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f.at = int64(bytes.LastIndexByte(text, '\n') + 1)
	return f, nil
}

// next returns the records that have come since; there may be none. What is no record
// is left out.
func (f *follower) next() ([]event.Record, error) {
	if f.file == nil {
		file, err := os.Open(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		f.file = file
	}
	more, err := io.ReadAll(io.NewSectionReader(f.file, f.at, 1<<30))
	if err != nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(more, '\n') + 1
	f.at += int64(whole)
	var records []event.Record
	for line := range bytes.Lines(more[:whole]) {
		if r, err := event.Unmarshal(line); err == nil {
			records = append(records, r)
		}
	}
	return records, nil
}

func (f *follower) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// errOver says that a process ended before what was waited for.
var errOver = errors.New("the process ended before that")

// until waits for a record of the process for which is says true.
func (p *process) until(is func(event.Record) bool) error {
	for begin := time.Now(); time.Since(begin) < hangs; time.Sleep(time.Millisecond) {
		over := p.over() // before the look, so that nothing is missed
		records, err := p.events.next()
		if err != nil {
			return err
		}
		for _, r := range records {
			if is(r) {
				return nil
			}
		}
		if over {
			return errOver
		}
	}
	return fmt.Errorf("it hangs: what is waited for does not come for %v (%s)", hangs, p.stderr)
}

func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// readRecords are all records of a run. Lines that are none are an error unless
// garbled.
func readRecords(path string, garbled bool) ([]event.Record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var records []event.Record
	n := 0
	for line := range bytes.Lines(text) {
		n++
		r, err := event.Unmarshal(line)
		switch {
		case err == nil:
			records = append(records, r)
		case !garbled:
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	return records, nil
}
