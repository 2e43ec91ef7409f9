package tui

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// golden compares a screen with testdata/name.golden, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// plainly is a screen without colours, as a golden file holds it.
func plainly(lines []string) string {
	for i, line := range lines {
		lines[i] = strings.TrimRight(ansi.Strip(line), " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

// states are the moments at which the golden screens were taken.
func states(t *testing.T) map[string]*recording {
	waiting := &recording{name: "new run", life: Running, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	compiling := camvid(t, inPhase(event.PhaseCompile, 0))
	compiling.now = compiling.now.Add(4200 * time.Millisecond)
	evaluating := camvid(t, inPhase(event.PhaseEval, 900))
	evaluating.now = evaluating.now.Add(1500 * time.Millisecond)
	diverged := camvid(t, atStep(1200))
	last := diverged.records[len(diverged.records)-1].(event.Step)
	last.Step, last.Loss = 1201, event.Float(math.NaN())
	diverged.say(last, event.Finished{Head: last.Head, Step: 1201, Reason: event.ReasonDiverged, ExitCode: 3,
		Error: "the loss is NaN at step 1201; the last good checkpoint is of step 1196"})
	lost := camvid(t, atStep(1000))
	lost.life = Gone
	staged := camvid(t, atStep(912))
	for i, r := range staged.records {
		if s, ok := r.(event.Started); ok {
			s.Model, s.Stage, s.Stages, s.StageName, s.StageTo = "fcn16s", 2, 3, "fcn16s", 1200
			staged.records[i] = s
		}
	}
	return map[string]*recording{
		"waiting": waiting, "compiling": compiling, "training": camvid(t, atStep(912)), "evaluating": evaluating,
		"finished": camvid(t, never), "diverged": diverged, "lost": lost, "staged": staged,
	}
}

// The question that comes before leaving, with detaching among its answers.
func TestGoldenLeaving(t *testing.T) {
	m, _ := live(t)
	press(t, m, "q")
	golden(t, "leaving-120x40", plainly(m.Screen(120, 40)))
}

// Every state at every size. Look at the diff of these files before you commit them.
func TestGoldenScreens(t *testing.T) {
	for state := range states(t) {
		for _, size := range [][2]int{{60, 16}, {80, 24}, {120, 40}, {200, 60}} {
			name := fmt.Sprintf("%s-%dx%d", state, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				m := dashboard(t, states(t)[state])
				golden(t, name, plainly(m.Screen(size[0], size[1])))
			})
		}
	}
}
