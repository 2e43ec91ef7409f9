package feed_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/feed"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// still is a clock that stands.
func still() time.Time { return noon }

func at(seconds float64) event.Head {
	return event.Head{Time: noon.Add(time.Duration(seconds * float64(time.Second)))}
}

func line(t testing.TB, rec event.Record) []byte {
	t.Helper()
	b, err := event.Marshal(rec)
	require.NoError(t, err)
	return append(b, '\n')
}

func stepLine(t testing.TB, step int64) []byte {
	return line(t, event.Step{Head: at(float64(step)), Step: step, Loss: 1})
}

func write(t testing.TB, path string, data ...[]byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	for _, d := range data {
		_, err := file.Write(d)
		require.NoError(t, err)
	}
	require.NoError(t, file.Close())
}

func stepsOf(records []event.Record) (steps []int64) {
	for _, rec := range records {
		if step, ok := rec.(event.Step); ok {
			steps = append(steps, step.Step)
		}
	}
	return steps
}

func next(t testing.TB, f feed.Feed) feed.Chunk {
	t.Helper()
	chunk, err := f.Next()
	require.NoError(t, err)
	return chunk
}

func TestFollowAFileThatGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	f := feed.Follow(path, still)
	require.Equal(t, feed.Chunk{Now: noon}, next(t, f), "it may not be there yet")

	write(t, path)
	require.Equal(t, feed.Chunk{Now: noon}, next(t, f))
	one, two, three := stepLine(t, 1), stepLine(t, 2), stepLine(t, 3)
	write(t, path, one, two[:20])
	chunk := next(t, f)
	require.Equal(t, []int64{1}, stepsOf(chunk.Records))
	require.Equal(t, []int64{int64(len(one)), int64(len(one) + 20)}, []int64{chunk.Read, chunk.Size})
	require.Empty(t, next(t, f).Records)
	write(t, path, two[20:], []byte("nonsense\n\n"), three)
	chunk = next(t, f)
	require.Equal(t, []int64{2, 3}, stepsOf(chunk.Records))
	require.Equal(t, 2, chunk.Bad)
	require.False(t, chunk.More || chunk.Reset || chunk.Ended)

	require.NoError(t, f.Close())
	_, err := f.Next()
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorContains(t, err, path)
}

// A resumed run cuts a torn line off and writes another in its place, of which the
// beginning may be the same or not.
func TestFollowARunThatCutsItsTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	one, two := stepLine(t, 1), stepLine(t, 2)
	note := line(t, event.Note{Head: at(9), Text: strings.Repeat("long ", 50)})
	write(t, path, one, two[:len(two)-1])
	f := feed.Follow(path, still)
	require.Equal(t, []int64{1}, stepsOf(next(t, f).Records))
	require.NoError(t, os.Truncate(path, int64(len(one))))
	write(t, path, note, two)
	chunk := next(t, f)
	require.Len(t, chunk.Records, 2)
	require.Equal(t, event.KindNote, chunk.Records[0].EventKind())
	require.Zero(t, chunk.Bad)
	require.False(t, chunk.Reset)
}

func TestFollowAFileThatIsReplacedOrCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	write(t, path, stepLine(t, 1), stepLine(t, 2))
	f := feed.Follow(path, still)
	require.Len(t, next(t, f).Records, 2)

	// Cut below what was read.
	require.NoError(t, os.Truncate(path, 0))
	chunk := next(t, f)
	require.True(t, chunk.Reset)
	require.Empty(t, chunk.Records)
	write(t, path, stepLine(t, 3))
	chunk = next(t, f)
	require.False(t, chunk.Reset, "told once")
	require.Equal(t, []int64{3}, stepsOf(chunk.Records))

	// Written anew in the meantime, and longer than it was.
	require.NoError(t, os.Truncate(path, 0))
	write(t, path, line(t, event.Note{Head: at(0), Text: strings.Repeat("x", 500)}), stepLine(t, 4))
	chunk = next(t, f)
	require.True(t, chunk.Reset)
	require.Equal(t, []int64{4}, stepsOf(chunk.Records))

	// Deleted: what was read stays true. Then another comes.
	require.NoError(t, os.Remove(path))
	chunk = next(t, f)
	require.False(t, chunk.Reset)
	require.Empty(t, chunk.Records)
	write(t, path, stepLine(t, 5), stepLine(t, 6))
	chunk = next(t, f)
	require.True(t, chunk.Reset)
	require.Equal(t, []int64{5, 6}, stepsOf(chunk.Records))

	// Replaced by renaming.
	other := path + ".new"
	write(t, other, stepLine(t, 5), stepLine(t, 6), stepLine(t, 7))
	require.NoError(t, os.Rename(other, path))
	chunk = next(t, f)
	require.True(t, chunk.Reset)
	require.Equal(t, []int64{5, 6, 7}, stepsOf(chunk.Records))
	require.Empty(t, next(t, f).Records)
}

func TestFollowInChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	var file bytes.Buffer
	for step := int64(1); step <= 10_000; step++ {
		file.Write(stepLine(t, step))
	}
	write(t, path, file.Bytes())
	f := feed.Follow(path, still)
	var steps []int64
	for _, want := range []int{4096, 4096, 10_000 - 2*4096} {
		chunk := next(t, f)
		require.Len(t, chunk.Records, want)
		require.Equal(t, want == 4096, chunk.More)
		require.Equal(t, int64(file.Len()), chunk.Size)
		steps = append(steps, stepsOf(chunk.Records)...)
	}
	for i, step := range steps {
		require.Equal(t, int64(i+1), step)
	}

	// A clock that runs ends a chunk early, and so do many bytes.
	now := noon
	f = feed.Follow(path, func() time.Time { now = now.Add(30 * time.Millisecond); return now })
	chunk := next(t, f)
	require.True(t, chunk.More)
	require.Less(t, len(chunk.Records), 400)
	large := line(t, event.Note{Head: at(0), Text: strings.Repeat("x", 1_000_000)})
	path += "2"
	write(t, path, bytes.Repeat(large, 6))
	f = feed.Follow(path, still)
	require.Len(t, next(t, f).Records, 5)
	require.Len(t, next(t, f).Records, 1)
}

// A line without end costs no more memory than one line may have.
func TestFollowALineWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	junk := bytes.Repeat([]byte("x"), 1<<20)
	write(t, path, stepLine(t, 1))
	for range 64 {
		write(t, path, junk)
	}
	f := feed.Follow(path, still)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	steps, bad, calls := 0, 0, 0
	drain := func() {
		for more := true; more; calls++ {
			chunk := next(t, f)
			steps += len(chunk.Records)
			bad += chunk.Bad
			more = chunk.More
		}
	}
	drain()
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
	require.Equal(t, []int{1, 1}, []int{steps, bad})
	require.Greater(t, calls, 10)
	write(t, path, junk, []byte("\n"), stepLine(t, 2))
	drain()
	require.Equal(t, []int{2, 1}, []int{steps, bad})
}

func TestFollowSaysWhichFile(t *testing.T) {
	dir := t.TempDir()
	_, err := feed.Follow(dir, still).Next()
	require.EqualError(t, err, dir+" is not a regular file; a run's records need one")
	path := filepath.Join(dir, "file", "events.jsonl")
	write(t, filepath.Join(dir, "file"), []byte("x"))
	_, err = feed.Follow(path, still).Next()
	require.ErrorContains(t, err, path)
}

// One writes, tears, is killed and resumed; the other reads at the same time.
func TestFollowWhileItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	const steps = 3000
	done := make(chan error, 1)
	go func() { done <- writeLikeAProcess(path, steps) }()

	f := feed.Follow(path, time.Now)
	var got []int64
	for end := false; ; {
		chunk, err := f.Next()
		require.NoError(t, err)
		require.False(t, chunk.Reset)
		require.Zero(t, chunk.Bad)
		got = append(got, stepsOf(chunk.Records)...)
		if end && !chunk.More {
			break
		}
		select {
		case err := <-done:
			require.NoError(t, err)
			end = true
		default:
			runtime.Gosched()
		}
	}
	require.Len(t, got, steps)
	for i, step := range got {
		require.Equal(t, int64(i+1), step)
	}
}

// writeLikeAProcess writes whole lines and torn ones; what is torn is either
// finished later or cut off, as a resumed run does.
func writeLikeAProcess(path string, steps int64) error {
	rng := rand.New(rand.NewPCG(3, 3))
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	whole := int64(0)
	for step := int64(1); step <= steps; step++ {
		line, err := event.Marshal(event.Step{Head: at(float64(step)), Step: step, Loss: event.Float(rng.Float64())})
		if err != nil {
			return err
		}
		line = append(line, '\n')
		cut := len(line)
		if rng.IntN(4) == 0 {
			cut = rng.IntN(len(line))
		}
		if _, err := file.Write(line[:cut]); err != nil {
			return err
		}
		runtime.Gosched()
		if cut < len(line) && rng.IntN(2) == 0 {
			if err := file.Truncate(whole); err != nil {
				return err
			}
			cut = 0
		}
		if _, err := file.Write(line[cut:]); err != nil {
			return err
		}
		whole += int64(len(line))
	}
	return nil
}

// FuzzFollow gives any bytes in three pieces; what is found must be what
// event.Reader finds in the whole, and each byte is read once.
func FuzzFollow(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("{\"kind\":\"note\",\"time\":\"2026-03-01T12:00:00Z\",\"text\":\"a\"}\n{\"kind\":\"st"), uint16(9), uint16(70))
	f.Add([]byte("\n\r\n\x00\n{}\n"), uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, data []byte, a, b uint16) {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		first := min(int(a), len(data))
		second := max(first, min(int(b), len(data)))
		f := feed.Follow(path, still)
		defer f.Close()
		var got []event.Record
		bad := 0
		for _, piece := range [][]byte{data[:first], data[first:second], data[second:]} {
			write(t, path, piece)
			for more := true; more; {
				chunk := next(t, f)
				require.False(t, chunk.Reset)
				require.LessOrEqual(t, chunk.Read, chunk.Size)
				got = append(got, chunk.Records...)
				bad += chunk.Bad
				more = chunk.More
			}
		}
		var want []event.Record
		r := event.NewReader(bytes.NewReader(data))
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				bad--
				continue
			}
			want = append(want, rec)
		}
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got)) // NaN is not equal to itself
		require.Zero(t, bad)
	})
}

// BenchmarkFollow is the way of a screen into a run of a million steps.
func BenchmarkFollow(b *testing.B) {
	path := filepath.Join(b.TempDir(), "events.jsonl")
	norm := event.Float(1.9312345)
	var file bytes.Buffer
	const steps = 100_000
	for step := int64(1); step <= steps; step++ {
		file.Write(line(b, event.Step{Head: at(float64(step) * 0.2312345), Step: step, Epoch: float64(step) / 1234, Loss: 0.8123456789, LR: 0.0012345678901,
			DataMS: 2.312345, StepMS: 228.71234, ReadMS: 0.412345, TellMS: 0.006123, Images: 8, GradNorm: &norm}))
	}
	write(b, path, file.Bytes())
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		f := feed.Follow(path, time.Now)
		for more := true; more; {
			more = next(b, f).More
		}
		f.Close()
	}
	b.ReportMetric(steps*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
