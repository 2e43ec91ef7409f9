package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// maxPoll is how many bytes one Poll reads at most, so that no file that somebody
// fills keeps the one who listens.
const maxPoll = 64 << 10

// Listener hears what is asked of a run from the moment on when it began. One
// goroutine at a time uses it.
type Listener struct {
	path   string
	offset int64 // of the first byte that Poll has not dealt with
	inLong bool  // the bytes there go on with a line that is too long

	newest time.Time // of what was heard, at first the moment when it began
	// reread says that the file was away or went back to its beginning: there may be
	// requests from before in it, and those that are not after since are passed over.
	reread bool
	since  time.Time
}

// Listen begins to listen to the run in dir, now: what its control file holds by now
// is passed over. The file need not exist, nor the directory.
func Listen(dir string, now time.Time) (*Listener, error) {
	l := &Listener{path: Path(dir), newest: now}
	info, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		// Only a directory that is there can have a file that is away for the moment.
		if _, err := os.Stat(dir); err == nil {
			l.reread, l.since = true, now
		}
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listen to requests: %w", err)
	}
	l.offset = info.Size()
	return l, nil
}

// Poll returns what was asked since the last call, in the order of the file. It
// takes whole lines only; a last line without its end is being written and waits.
// Lines that are no requests are an error, which comes besides the requests around
// them and never again. A file that is not there holds no requests. One call reads
// at most 64 KiB; what is more waits for the next.
//
// A file that became shorter, or was away, is read from its beginning, as a new one.
// It may still be the old one, moved away and back: of what has a time in it, that is
// heard which is newer than the listener and than all that it heard before. One that
// another took the place of and that is no shorter goes on at the same byte: on some
// file systems the same file has a new identity every now and then, and to hear all
// of its requests again would be worse than to miss one.
func (l *Listener) Poll() ([]Request, error) {
	chunk, err := l.read()
	if err != nil {
		return nil, fmt.Errorf("listen to requests: %w", err)
	}
	requests, bad := l.take(chunk)
	return requests, bad.err(l.path)
}

// take deals with what the file has from the offset on, as far as it was read.
func (l *Listener) take(chunk []byte) (requests []Request, bad badLines) {
	for {
		line, rest, whole := bytes.Cut(chunk, []byte{'\n'})
		if !whole {
			break
		}
		start := l.offset
		l.offset += int64(len(line)) + 1
		chunk = rest
		switch {
		case l.inLong:
			l.inLong = false // and was told of
		case len(line) > MaxLine:
			bad.add(start, errTooLong)
		case len(bytes.TrimSpace(line)) > 0:
			r, err := decode(line)
			if err != nil {
				bad.add(start, err)
				continue
			}
			if l.reread && !r.Time.IsZero() && !r.Time.After(l.since) {
				continue // of before
			}
			if r.Time.After(l.newest) {
				l.newest = r.Time
			}
			requests = append(requests, r)
		}
	}
	// What is left has no end yet. Once it is too long for a request it never will be
	// one, and must not be read over and over.
	if len(chunk) > MaxLine || l.inLong {
		if !l.inLong {
			bad.add(l.offset, errTooLong)
		}
		l.inLong = true
		l.offset += int64(len(chunk))
	}
	return requests, bad
}

// read returns what the file has from the offset on. The file is opened each time:
// only then do network file systems show what another host wrote.
func (l *Listener) read() ([]byte, error) {
	f, err := os.OpenFile(l.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		l.restart()
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := regular(f)
	if err != nil {
		return nil, err
	}
	if info.Size() < l.offset {
		l.restart()
	}
	return io.ReadAll(io.NewSectionReader(f, l.offset, min(info.Size()-l.offset, maxPoll)))
}

// restart goes back to the beginning of the file, if there is anything before the
// offset.
func (l *Listener) restart() {
	if l.offset > 0 {
		l.offset, l.inLong, l.reread, l.since = 0, false, true, l.newest
	}
}

var errTooLong = fmt.Errorf("more than %d bytes", MaxLine)

// badLines sums up lines that are no requests: a file of another kind has many.
type badLines struct {
	count int
	at    int64 // offset of the first
	first error
}

func (b *badLines) add(at int64, err error) {
	if b.count == 0 {
		b.at, b.first = at, err
	}
	b.count++
}

func (b *badLines) err(path string) error {
	switch b.count {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: the line at byte %d is no request: %w", path, b.at, b.first)
	}
	return fmt.Errorf("%s: %d lines are no requests, the first at byte %d: %w", path, b.count, b.at, b.first)
}
