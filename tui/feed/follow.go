package feed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// Follower reads a file that grows. It is safe for concurrent use.
type Follower struct {
	path string
	now  func() time.Time

	mu     sync.Mutex
	closed bool
	file   *os.File    // nil: not open at the moment
	info   os.FileInfo // of the file that was read last; nil: none yet
	lines  lines
	reset  bool // to be told with the next chunk
}

// Follow returns a feed of the file at path, from its beginning. The file may be
// missing at first: until it is there, chunks are empty.
func Follow(path string, now func() time.Time) *Follower {
	return &Follower{path: path, now: now}
}

// Next implements [Feed].
func (f *Follower) Next() (Chunk, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	chunk := Chunk{Now: f.now()}
	if f.closed {
		return chunk, fmt.Errorf("%s: %w", f.path, os.ErrClosed)
	}
	there, err := f.open(&chunk)
	if err == nil && there {
		err = f.read(&chunk)
	}
	chunk.Read = f.lines.at
	if err != nil {
		f.release()
		// What was read before it comes first; the next call meets the error again.
		if len(chunk.Records) == 0 && chunk.Bad == 0 {
			return Chunk{Now: chunk.Now, Read: chunk.Read, Size: chunk.Size}, nameFile(f.path, err)
		}
	}
	chunk.Reset, f.reset = f.reset, false
	return chunk, nil
}

// open sees to it that the file is open, that it is the one that the path names
// now, and that it still has what was read of it.
func (f *Follower) open(chunk *Chunk) (there bool, err error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		// It may come, or come back. What is open is read to its end.
		if f.file == nil {
			return false, nil
		}
		info, err = f.file.Stat()
	}
	if err != nil {
		return false, err
	}
	if f.file != nil && !os.SameFile(f.info, info) {
		f.release()
	}
	if f.file == nil {
		file, opened, err := openRegular(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if f.info != nil && !os.SameFile(f.info, opened) {
			f.restart()
		}
		f.file, f.info, f.lines.file = file, opened, file
		info = opened
	}
	chunk.Size = info.Size()
	same, err := f.sameBefore(info.Size())
	if err != nil {
		return false, err
	}
	if !same {
		f.restart()
	}
	return true, nil
}

// sameBefore tells whether the file still ends a line where the next one begins. A
// file that was written anew rarely does.
func (f *Follower) sameBefore(size int64) (bool, error) {
	at := f.lines.at
	switch {
	case size < at:
		return false, nil
	case at == 0 || f.lines.long:
		return true, nil
	}
	var end [1]byte
	if _, err := f.file.ReadAt(end[:], at-1); err != nil {
		if errors.Is(err, io.EOF) { // cut at this moment
			return false, nil
		}
		return false, err
	}
	return end[0] == '\n', nil
}

// restart begins from the beginning.
func (f *Follower) restart() {
	f.reset = f.reset || f.lines.at > 0
	f.lines = lines{file: f.lines.file, held: f.lines.held}
}

func (f *Follower) read(chunk *Chunk) error {
	defer f.lines.forget()
	budget := newBudget(f.now, f.lines.at)
	for {
		line, what, err := f.lines.next()
		if err != nil {
			return err
		}
		switch what {
		case torn:
			return nil
		case bad:
			chunk.Bad++
		case whole:
			rec, err := event.Unmarshal(line)
			if err != nil {
				chunk.Bad++
				break
			}
			chunk.Records = append(chunk.Records, rec)
		}
		if budget.spent(f.lines.at) {
			chunk.More = true
			chunk.Size = max(chunk.Size, f.lines.at)
			return nil
		}
	}
}

// release closes the file; the next call opens it again and goes on.
func (f *Follower) release() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// Close implements [Feed].
func (f *Follower) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.release()
	return nil
}
