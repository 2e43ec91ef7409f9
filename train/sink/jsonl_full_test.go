package sink

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

var errFull = errors.New("no space left on device")

// smallDisk takes room bytes and then, like a real one, a part of a write.
type smallDisk struct {
	content []byte
	room    int
}

func (d *smallDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.room-len(d.content))
	d.content = append(d.content, p[:n]...)
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func (d *smallDisk) Truncate(size int64) error { d.content = d.content[:size]; return nil }
func (d *smallDisk) Sync() error               { return nil }
func (d *smallDisk) Close() error              { return nil }

func TestJSONLOnAFullDisk(t *testing.T) {
	disk := &smallDisk{room: 250}
	j := &JSONL{out: appender{file: disk}}
	head := event.Head{Time: time.Unix(0, 0).UTC()}

	failed := 0
	for i := range int64(10) {
		if err := j.Handle(event.Note{Head: head, Step: i}); err != nil {
			require.ErrorIs(t, err, errFull)
			failed++
		}
		// Whatever happens, the file ends with a whole line.
		require.True(t, len(disk.content) == 0 || bytes.HasSuffix(disk.content, []byte("}\n")))
	}
	require.Positive(t, failed)

	// Steps are dropped before memory runs out, and the error says so.
	var err error
	for range pendingLimit {
		if err = j.Handle(event.Step{Head: head, Step: 10}); err != nil && len(j.out.pending) > pendingLimit {
			break
		}
	}
	require.ErrorContains(t, j.Handle(event.Step{Head: head, Step: 11}), "step dropped: no space left")
	require.Less(t, len(j.out.pending), pendingLimit+1000)

	// Someone makes room: nothing that was not dropped is lost.
	disk.room = 1 << 30
	require.NoError(t, j.Handle(event.Finished{Head: head, Step: 12}))
	require.NoError(t, j.Close())
	r := event.NewReader(bytes.NewReader(disk.content))
	for i := range int64(10) {
		rec, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, event.Note{Head: head, Step: i}, rec)
	}
	var last event.Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		last = rec
	}
	require.Equal(t, event.Finished{Head: head, Step: 12}, last)
	require.Equal(t, int64(len(disk.content)), r.Offset())
}
