package metrics

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

// A disk that stalls holds up nobody who tells or asks, and the end for five seconds.
func TestTextFileStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s, err := Open(Config{})
		require.NoError(t, err)
		s.file = newTextFile(filepath.Join(t.TempDir(), "fcnx.prom"), s.registry)
		stalled, writes := make(chan struct{}), 0
		s.file.write = func() error {
			writes++
			<-stalled
			return nil
		}
		s.file.start()
		for i := range 1000 {
			require.NoError(t, s.Handle(event.Step{Head: event.Head{Time: begin.Add(time.Duration(i) * time.Second)}, Step: int64(i)}))
			synctest.Wait()
		}
		families, err := s.registry.Gather()
		require.NoError(t, err)
		require.NotEmpty(t, families)
		require.Equal(t, int64(999), s.snapshot().step.Step)
		require.Zero(t, time.Since(begin))
		require.Equal(t, 1, writes)

		require.ErrorContains(t, s.Close(), "fcnx.prom could not be written for 5s; it does not say how the run ended")
		require.Equal(t, closeWait, time.Since(begin))
		require.NoError(t, s.Close())
		close(stalled)
		synctest.Wait()
	})
}
