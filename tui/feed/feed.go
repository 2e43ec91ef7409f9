// Package feed is where a screen's records come from: a file that a run is writing,
// or one that it has written, played again.
//
// Both read with bounded memory, in chunks that a screen can take between two
// frames, and neither ever gives a record of a line that is not whole.
package feed

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// Limits of a chunk, so that whoever asks for one is back soon.
const (
	chunkRecords = 4096
	chunkBytes   = 4 << 20
	chunkTime    = 50 * time.Millisecond
)

// Chunk is what a feed has at the moment.
type Chunk struct {
	Records []event.Record
	Now     time.Time // the wall clock's, or the replay's
	More    bool      // there is more already: ask again at once
	Read    int64     // bytes of the file that have been read
	Size    int64     // bytes that it has
	Bad     int       // lines in this chunk that were no records
	// Reset says that the file was replaced, or cut below what was read: all that
	// came before this chunk is to be forgotten, then its records count.
	Reset bool
	Ended bool // a replay is at its end
}

// Feed is a source of records.
type Feed interface {
	// Next returns what there is, without waiting for more. An error concerns this
	// call alone: the next may do better.
	Next() (Chunk, error)
	Close() error
}

// budget tells when a chunk is large enough.
type budget struct {
	now   func() time.Time
	until time.Time
	end   int64 // offset in the file
	lines int
}

func newBudget(now func() time.Time, from int64) *budget {
	return &budget{now: now, until: now().Add(chunkTime), end: from + chunkBytes, lines: chunkRecords}
}

// spent is asked after each line, with where the reader is.
func (b *budget) spent(at int64) bool {
	b.lines--
	return b.lines <= 0 || at >= b.end || b.lines%64 == 0 && b.now().After(b.until)
}

// openRegular opens a file that records can be in. Opening a pipe would wait for
// whoever writes to it.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file; a run's records need one", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	// The path may name another file by now.
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// nameFile makes sure that an error says which file it is about.
func nameFile(path string, err error) error {
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) || strings.HasPrefix(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
