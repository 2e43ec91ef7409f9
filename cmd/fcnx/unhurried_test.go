package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
)

// frozen is a terminal that takes nothing until it is thawed.
type frozen struct {
	thawed chan struct{}
	bytes.Buffer
}

func (f *frozen) Write(p []byte) (int, error) {
	<-f.thawed
	return f.Buffer.Write(p)
}

func TestUnhurriedDeliversAll(t *testing.T) {
	var b bytes.Buffer
	u := newUnhurried(&b)
	want := ""
	for i := range 100 {
		line := fmt.Sprintf("line %d\n", i)
		want += line
		_, err := io.WriteString(u, line)
		require.NoError(t, err)
	}
	u.close()
	require.Equal(t, want, b.String())
}

// Whoever warns goes on, what waits is bounded, and the end waits a second.
func TestUnhurriedBeforeAFrozenTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := &frozen{thawed: make(chan struct{})}
		u := newUnhurried(terminal)
		begin := time.Now()
		warn := warnTo(u)
		for range 3 * unsaidLimit / 1024 {
			warn(strings.Repeat("x", 1024))
		}
		require.Zero(t, time.Since(begin))
		u.close()
		require.Equal(t, unsaidWait, time.Since(begin))
		close(terminal.thawed)
		<-u.done
		require.LessOrEqual(t, terminal.Len(), unsaidLimit+2048)
		require.Greater(t, terminal.Len(), unsaidLimit-2048)
	})
}

// Each sink that fails is told of once, by its name, when it fails and not at the end.
func TestLostSinksAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		tell := func(text string) { told = append(told, text) }
		s := &trainSinks{tell: tell, all: sink.NewMulti(
			&heard{Sink: sink.NewJSON(full{}), name: "events.jsonl", tell: tell},
			sink.NewAsync(&heard{Sink: sink.NewJSON(full{}), name: "TensorBoard", tell: tell}, queued),
		)}
		for i := range 3 {
			s.emit(event.Step{Step: int64(i)})
			synctest.Wait()
		}
		want := []string{"events.jsonl: an event could not be written: no room", "TensorBoard: an event could not be written: no room"}
		require.Equal(t, want, told)
		require.ErrorContains(t, s.all.Close(), "no room")
		s.emit(event.Step{}) // too late, which is nobody's loss
		require.Equal(t, want, told)
	})
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no room") }
