package train

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/score"
)

// A day of steps does not grow the process: what it holds after 2,000 steps and 200
// evaluations is within 5% of what it held after a tenth of them. It runs alone: no
// other test may allocate meanwhile.
func TestMemoryDoesNotGrow(t *testing.T) {
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skipf("the memory of a process is read from /proc: %v", err)
	}
	e := newEngine(t, headOnly, func(c *EngineConfig) {
		c.Net.Width, c.Net.Head, c.Net.Dropout = 1, 1, 0.5
		c.Train.Clip = 1
	})
	b := *shapesBatches(t, "32x32", 1)[0]
	b.N, b.Count = 1, 1
	b.Images, b.Sizes = b.Images[:32*32*3], b.Sizes[:2]
	b.Labels, b.LabelSizes = b.Labels[:32*32], b.LabelSizes[:2]
	require.NoError(t, e.CompileStep(&b, nil))
	require.NoError(t, e.CompileEval(&b, nil))
	into := score.New(6)
	run := func(from, to int64) {
		for at := from; at < to; at++ {
			_, err := e.Step(&b, at, 1e-4)
			require.NoError(t, err)
			if at%10 == 0 {
				_, err := e.Eval(&b, into, at%20 == 0)
				require.NoError(t, err)
			}
		}
	}
	run(0, 200)
	early := residentBytes(t)
	run(200, 2000)
	late := residentBytes(t)
	t.Logf("%.1f MB after 200 steps, %.1f MB after 2,000", float64(early)/1e6, float64(late)/1e6)
	// After other tests the process holds more than its 228 MB alone, of which 5%
	// would be too easy.
	require.LessOrEqual(t, late-early, min(early, 228e6)/20)
}

// residentBytes is the memory of this process that is in RAM.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	debug.FreeOSMemory() // what Go has yet to collect is no growth
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.ParseInt(string(bytes.Fields(text)[1]), 10, 64)
	require.NoError(t, err)
	return pages * int64(os.Getpagesize())
}
