package monitor

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fcnx/fcnx/train/event"
)

func config(t *testing.T, told chan<- event.System, failed chan<- error) Config {
	return Config{
		Dir: t.TempDir(), Every: 20 * time.Millisecond, Now: time.Now, Step: func() int64 { return 7 },
		Tell: func(r event.System) { told <- r }, Failed: func(err error) { failed <- err },
	}
}

// The numbers are those of this process, which meanwhile keeps one core busy and
// holds 64 MiB.
func TestMonitor(t *testing.T) {
	defer goleak.VerifyNone(t)
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = 1
	}
	told, failed := make(chan event.System, 100), make(chan error, 100)
	c := config(t, told, failed)
	// Processor time is told in hundredths of a second.
	c.Every = 200 * time.Millisecond
	m, err := Start(c)
	require.NoError(t, err)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	sample := <-told
	next := <-told
	close(stop)
	<-stopped
	m.Stop()
	m.Stop()

	require.Equal(t, int64(7), sample.Step)
	require.Positive(t, next.Time.Sub(sample.Time))
	require.Greater(t, sample.CPUPercent, 5.) // however busy the machine is with others
	require.Less(t, sample.CPUPercent, 100*float64(runtime.NumCPU())+50)
	require.Equal(t, runtime.GOMAXPROCS(0), sample.Cores)
	require.Greater(t, sample.RSS, int64(len(held)))
	require.Greater(t, sample.Memory, sample.RSS)
	require.Positive(t, sample.Free)
	require.Less(t, sample.Free, sample.Memory)
	require.Positive(t, sample.Disk)
	require.Empty(t, failed)
	runtime.KeepAlive(held)
}

// The load is of the time between two samples, by the clock that was handed in.
func TestLoad(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := config(t, nil, nil)
	c.Every, c.Now = time.Hour, func() time.Time { return now }
	m, err := Start(c)
	require.NoError(t, err)
	m.Stop()
	spent := func() float64 {
		times, err := m.process.Times()
		require.NoError(t, err)
		return times.User + times.System
	}
	for begin := spent(); spent() < begin+0.05; {
	}
	before := m.busy
	now = now.Add(2 * time.Second)
	load, err := m.load()
	require.NoError(t, err)
	require.InDelta(t, 100*(m.busy-before)/2, load, 1e-9)
	require.Greater(t, load, 2.)
	// A clock that stood still or was set back tells nothing.
	for _, change := range []time.Duration{0, -time.Hour} {
		now = now.Add(change)
		load, err = m.load()
		require.NoError(t, err)
		require.Zero(t, load)
	}
}

// What cannot be sampled is told once, and is sampled again when it can be.
func TestMonitorFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	told, failed := make(chan event.System, 100), make(chan error, 100)
	c := config(t, told, failed)
	c.Dir = filepath.Join(c.Dir, "later")
	tries := make(chan struct{}, 100)
	c.Now = func() time.Time {
		select {
		case tries <- struct{}{}:
		default:
		}
		return time.Now()
	}
	m, err := Start(c)
	require.NoError(t, err)
	for range 4 {
		<-tries
	}
	require.NoError(t, os.Mkdir(c.Dir, 0o777))
	<-told
	m.Stop()
	require.Len(t, failed, 1)
	require.ErrorContains(t, <-failed, "space on the disk of "+c.Dir)
}

func BenchmarkSample(b *testing.B) {
	m, err := Start(Config{Dir: b.TempDir(), Every: time.Hour, Now: time.Now, Step: func() int64 { return 0 }})
	require.NoError(b, err)
	defer m.Stop()
	for b.Loop() {
		if _, err := m.sample(); err != nil {
			b.Fatal(err)
		}
	}
}
