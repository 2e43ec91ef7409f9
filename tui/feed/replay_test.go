package feed_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/feed"
)

// wall is a clock that is set by hand.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func replay(t *testing.T, speed float64, place string, records ...event.Record) (*feed.Replayer, *wall) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, rec := range records {
		write(t, path, line(t, rec))
	}
	var p feed.Place
	if place != "" {
		var err error
		p, err = feed.ParsePlace(place)
		require.NoError(t, err)
	}
	clock := &wall{now: noon.AddDate(1, 0, 0)}
	r, err := feed.Replay(path, feed.ReplayOptions{Speed: speed, At: p, Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return r, clock
}

// run is ten steps, one a second.
func run() (records []event.Record) {
	records = append(records, event.Started{Head: at(0), Steps: 10})
	for step := int64(1); step <= 10; step++ {
		records = append(records, event.Step{Head: at(float64(step)), Step: step})
	}
	return records
}

func TestReplayKeepsTheTimesOfTheRun(t *testing.T) {
	r, clock := replay(t, 2, "", run()...)
	chunk := next(t, r)
	require.Len(t, chunk.Records, 1)
	require.Equal(t, at(0).Time, chunk.Now)
	require.Empty(t, next(t, r).Records)

	clock.pass(1200 * time.Millisecond) // 2.4 s of the run
	chunk = next(t, r)
	require.Equal(t, []int64{1, 2}, stepsOf(chunk.Records))
	require.Equal(t, at(2.4).Time, chunk.Now)
	require.False(t, chunk.More || chunk.Ended)

	r.Pause(true)
	require.True(t, r.Paused())
	clock.pass(time.Hour)
	chunk = next(t, r)
	require.Empty(t, chunk.Records)
	require.Equal(t, at(2.4).Time, chunk.Now)
	r.SetSpeed(0.5) // while it pauses
	require.Equal(t, 0.5, r.Speed())
	r.Pause(false)
	clock.pass(2 * time.Second)
	chunk = next(t, r)
	require.Equal(t, []int64{3}, stepsOf(chunk.Records))
	require.Equal(t, at(3.4).Time, chunk.Now)

	for _, odd := range []float64{0, -1, math.NaN()} {
		r.SetSpeed(odd)
		require.Equal(t, 0.5, r.Speed())
	}
	r.SetSpeed(math.Inf(1))
	require.Equal(t, float64(feed.MaxSpeed), r.Speed())
	clock.pass(time.Second)
	chunk = next(t, r)
	require.Equal(t, []int64{4, 5, 6, 7, 8, 9, 10}, stepsOf(chunk.Records))
	require.True(t, chunk.Ended)
	require.Equal(t, chunk.Size, chunk.Read)
	clock.pass(time.Hour)
	chunk = next(t, r)
	require.True(t, chunk.Ended)
	require.Equal(t, at(10).Time, chunk.Now, "at its end the time stands still")
}

func TestReplayFromAPlace(t *testing.T) {
	for _, test := range []struct {
		place string
		want  int // steps at once
	}{
		{"", 0}, {"0%", 0}, {"50%", 4}, {"100%", 10}, {"step:0", 0}, {"4", 4}, {"step:4", 4}, {"step:99", 10}, {"0s", 0}, {"6.5s", 7}, {"1h", 10},
	} {
		t.Run(test.place, func(t *testing.T) {
			r, clock := replay(t, 1, test.place, run()...)
			clock.pass(time.Hour) // what it took to begin is not played
			chunk := next(t, r)
			require.Len(t, stepsOf(chunk.Records), test.want)
			if test.want == 10 {
				return
			}
			require.Equal(t, at(float64(test.want)).Time, chunk.Now)
			clock.pass(time.Second)
			require.Equal(t, []int64{int64(test.want + 1)}, stepsOf(next(t, r).Records))
		})
	}
}

// Nights between two processes are not played, and neither is a machine's sleep.
func TestReplayShortensPauses(t *testing.T) {
	r, clock := replay(t, 1, "",
		event.Started{Head: at(0)},
		event.Step{Head: at(50), Step: 1},
		event.Started{Head: at(50 + 40), Step: 1, Resumed: true}, // not long enough
		event.Started{Head: at(50 + 10*3600), Step: 1, Resumed: true},
		event.Step{Head: at(50 + 10*3600 + 1), Step: 2},
		event.Step{Head: at(20), Step: 3},  // a clock that was set back
		event.Step{Step: 4},                // and one that is not there
		event.Step{Head: at(1e9), Step: 5}, // and one that was set
		event.Step{Head: at(1e9 + 0.25), Step: 6},
	)
	due := 0 * time.Second
	for i, wait := range []time.Duration{0, 50 * time.Second, 40 * time.Second, 5 * time.Second, time.Second, 0, 0, time.Hour, 250 * time.Millisecond} {
		due += wait
		if wait > 0 {
			clock.pass(wait - time.Millisecond)
			require.Empty(t, next(t, r).Records, "record %d", i)
			clock.pass(time.Millisecond)
		}
		if i == 5 || i == 6 {
			continue // they came with the one before
		}
		want := 1
		if i == 4 {
			want = 3
		}
		require.Len(t, next(t, r).Records, want, "record %d", i)
	}
	require.True(t, next(t, r).Ended)
}

func TestReplayReadsInChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	var file []byte
	for step := int64(1); step <= 9000; step++ {
		file = append(file, stepLine(t, step)...)
	}
	file = append(file, "nonsense\n{\"kind\":"...) // the last line is torn
	write(t, path, file)
	place, err := feed.ParsePlace("100%")
	require.NoError(t, err)
	r, err := feed.Replay(path, feed.ReplayOptions{At: place})
	require.NoError(t, err)
	defer r.Close()
	steps, bad := 0, 0
	for {
		chunk := next(t, r)
		require.LessOrEqual(t, len(chunk.Records), 4096)
		steps += len(chunk.Records)
		bad += chunk.Bad
		if chunk.Ended {
			require.False(t, chunk.More)
			break
		}
		require.True(t, chunk.More)
	}
	require.Equal(t, []int{9000, 1}, []int{steps, bad})
}

func TestReplayErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	_, err := feed.Replay(path, feed.ReplayOptions{})
	require.EqualError(t, err, path+" does not exist: there is no run to replay")
	_, err = feed.Replay(dir, feed.ReplayOptions{})
	require.EqualError(t, err, dir+" is not a regular file; a run's records need one")
	write(t, path, []byte("nonsense\n"))
	for _, speed := range []float64{-1, math.NaN(), math.Inf(1), 1e7} {
		_, err = feed.Replay(path, feed.ReplayOptions{Speed: speed})
		require.ErrorContains(t, err, "a replay needs one above 0 and at most 1e+06")
	}
	r, err := feed.Replay(path, feed.ReplayOptions{})
	require.NoError(t, err)
	chunk := next(t, r)
	require.True(t, chunk.Ended)
	require.Equal(t, 1, chunk.Bad)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	_, err = r.Next()
	require.ErrorIs(t, err, os.ErrClosed)
}

// The keys of a screen come while it reads.
func TestReplayIsSafeForConcurrentUse(t *testing.T) {
	r, clock := replay(t, 1, "", run()...)
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 1000 {
			r.SetSpeed(float64(1 + i%3))
			r.Pause(i%2 == 0)
			clock.pass(time.Millisecond)
			runtime.Gosched()
		}
		r.Pause(false)
	})
	steps := 0
	for ended := false; !ended; {
		chunk, err := r.Next()
		require.NoError(t, err)
		steps += len(stepsOf(chunk.Records))
		ended = chunk.Ended
		clock.pass(time.Millisecond) // the keys may all have come before the first record
		runtime.Gosched()
	}
	group.Wait()
	require.Equal(t, 10, steps)
}

func TestParsePlace(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"60%", "60%"}, {" 12.5 % ", "12.5%"}, {"step:1200", "step:1200"}, {"1200", "step:1200"}, {"10m", "10m0s"}, {"1h30m", "1h30m0s"},
	} {
		place, err := feed.ParsePlace(test.text)
		require.NoError(t, err, test.text)
		require.Equal(t, test.want, place.String())
		again, err := feed.ParsePlace(place.String())
		require.NoError(t, err)
		require.Equal(t, place, again)
	}
	require.Equal(t, "0%", feed.Place{}.String())
	const hint = "; write 60%, step:1200, 1200 or 10m"
	for _, test := range []struct{ text, want string }{
		{"", `place "" is no place in a run`},
		{"the end", `place "the end" is no place in a run`},
		{"101%", `place "101%" is not between 0% and 100%`},
		{"-1%", `place "-1%" is not between 0% and 100%`},
		{"NaN%", `place "NaN%" is not between 0% and 100%`},
		{"x%", `place "x%" has no number before the %`},
		{"step:x", `place "step:x" has no whole number behind step:`},
		{"-4", `place "-4" is before the first step`},
		{"-4m", `place "-4m" is before the beginning`},
		{"99999999999999999999", `place "99999999999999999999" is no place in a run`},
	} {
		_, err := feed.ParsePlace(test.text)
		require.EqualError(t, err, test.want+hint)
		require.Equal(t, 1, strings.Count(err.Error(), hint))
	}
}

func FuzzParsePlace(f *testing.F) {
	memtest.Cap(f)
	for _, text := range []string{"60%", "step:1200", "1200", "10m", "1e400%", "0x1p-2%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		place, err := feed.ParsePlace(text)
		if err != nil {
			return
		}
		again, err := feed.ParsePlace(place.String())
		require.NoError(t, err)
		require.Equal(t, place.String(), again.String())
	})
}
