package train

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
)

func inTwoParts(c *EngineConfig) { c.Train.Accumulate = 2 }

// A step that is compiled beside others, in a store of its own, is the one that it would have
// been: whatever the optimiser keeps goes from one to the other and back, to the last bit. Under
// the race detector too.
func TestStepsAheadAreTheSteps(t *testing.T) {
	for name, test := range map[string]struct {
		devices int
		change  func(*EngineConfig)
	}{
		"momentum": {1, func(c *EngineConfig) { c.Train.Momentum, c.Train.WeightDecay = 0.9, 1e-3 }},
		"AdamW, clipped, batch norm": {1, func(c *EngineConfig) {
			c.Train.Optimizer, c.Train.Clip = "adamw", 1
			c.Net.Encoder, c.Train.Freeze = "vgg11_bn", []string{"conv1*", "conv2*", "conv3*"}
		}},
		"accumulated":               {1, inTwoParts},
		"two devices, watching NaN": {2, func(c *EngineConfig) { c.Train.DebugNaN = true }},
	} {
		t.Run(name, func(t *testing.T) {
			one, other := shapesBatches(t, "32x32", 4), shapesBatches(t, "64x32", 3)
			run := func(ahead bool) (snapshot, []float64) {
				e := newMeshEngine(t, test.devices, headOnly, test.change)
				losses := steps(t, e, one[:1], 0, 0.05)
				over := make(chan error, 1)
				if ahead {
					begun := make(chan struct{})
					go func() {
						over <- e.CompileStepAhead(other[0].Shape().Blank(), func(string) error { close(begun); return nil })
					}()
					<-begun // so the next steps run beside it
				} else {
					over <- nil
				}
				losses = append(losses, steps(t, e, one[1:3], 1, 0.05)...)
				losses = append(losses, steps(t, e, other[:2], 3, 0.05)...) // waits for it
				losses = append(losses, steps(t, e, one[3:], 5, 0.05)...)
				losses = append(losses, steps(t, e, other[2:], 6, 0.05)...)
				require.NoError(t, <-over)
				require.Equal(t, ahead, e.ahead.find(other[0].Shape()) != nil)
				require.Nil(t, e.ahead.find(one[0].Shape()))
				told := e.Compiled()
				require.Len(t, told, 2, "nothing twice")
				require.Equal(t, told[0].Memory == nil, told[1].Memory == nil)
				return take(t, e), losses
			}
			want, losses := run(false)
			got, lossesAhead := run(true)
			require.Equal(t, losses, lossesAhead)
			require.Empty(t, want.differ(got))
		})
	}
}

// The account of memory of a step in micro-batches is that of the engine's own store, which
// has what the other does not: the optimiser's slots.
func TestStepAheadMemory(t *testing.T) {
	own, ahead := newEngine(t, headOnly, inTwoParts), newEngine(t, headOnly, inTwoParts)
	one, other := shapesBatches(t, "32x32", 1), shapesBatches(t, "64x32", 1)
	steps(t, own, append(one, other...), 0, 0.05)
	steps(t, ahead, one, 0, 0.05)
	require.NoError(t, ahead.CompileStepAhead(other[0], nil))
	want := own.Compiled()[1].Memory
	require.NotNil(t, want)
	require.Equal(t, want, ahead.Compiled()[1].Memory)
	found, err := ahead.CompiledStepMemory(other[0])
	require.NoError(t, err)
	require.Equal(t, *want, found)
	require.Empty(t, ahead.Compiled(), "nothing was compiled for that")
}

// What a step compiled ahead gives that is no number is looked for as in any other one.
func TestStepAheadExplainsNaN(t *testing.T) {
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.DebugNaN = true })
	one, other := shapesBatches(t, "32x32", 1), shapesBatches(t, "64x32", 2)
	steps(t, e, one, 0, 0.05)
	require.NoError(t, e.CompileStepAhead(other[0], nil))
	result, err := e.Step(other[0], 1, math.Inf(1))
	require.NoError(t, err)
	require.True(t, result.Spoilt)
	require.Contains(t, result.Where, "in the new value of ")
}

// Whoever comes second waits, and says so; where compiling ahead has failed, the step that
// needs it tries again, and fails by itself.
func TestCompileStepWaitsForAhead(t *testing.T) {
	e := newEngine(t, headOnly)
	one, other := shapesBatches(t, "32x32", 1), shapesBatches(t, "64x32", 1)
	steps(t, e, one, 0, 0.05)
	require.NoError(t, e.CompileStepAhead(one[0], func(string) error { return errors.New("twice") }))

	broken := errors.New("no room")
	begun, goOn, waits := make(chan struct{}), make(chan error), make(chan string, 1)
	ahead := make(chan error, 1)
	hold := func(string) error { close(begun); return <-goOn }
	go func() { ahead <- e.CompileStepAhead(other[0], hold) }()
	<-begun
	require.NoError(t, e.CompileStepAhead(other[0], func(string) error { return errors.New("twice") }), "left to the first")
	waited := make(chan error, 1)
	go func() { waited <- e.CompileStep(other[0], func(what string) error { waits <- what; return nil }) }()
	require.Equal(t, "training step 4x64x32", <-waits)
	select {
	case err := <-waited:
		require.Fail(t, "it did not wait", "%v", err)
	case <-time.After(10 * time.Millisecond):
	}
	goOn <- broken
	require.ErrorIs(t, <-ahead, broken)
	require.NoError(t, <-waited, "compiled in the engine's own store")
	require.Nil(t, e.ahead.find(other[0].Shape()))
	require.Len(t, e.Compiled(), 2)
	require.NoError(t, e.CompileStep(other[0], func(string) error { return errors.New("twice") }))

	require.ErrorIs(t, e.CompileStepAhead(datasets.BatchShape{N: 4, H: 96, W: 32, LabelH: 96, LabelW: 32}.Blank(), func(string) error { return broken }), broken)
}

// Nobody takes an engine away while a step is compiled ahead, or waited for.
func TestCloseWhileCompilingAhead(t *testing.T) {
	e, err := NewEngine(onXLA(t), engineConfig(headOnly))
	require.NoError(t, err)
	one, other := shapesBatches(t, "32x32", 1), shapesBatches(t, "64x32", 1)
	steps(t, e, one, 0, 0.05)
	begun, goOn, over := make(chan struct{}), make(chan error), make(chan error, 2)
	go func() {
		over <- e.CompileStepAhead(other[0], func(string) error { close(begun); return <-goOn })
	}()
	<-begun
	waits := make(chan struct{})
	go func() { over <- e.CompileStep(other[0], func(string) error { close(waits); return nil }) }()
	<-waits
	require.False(t, e.Close())
	goOn <- nil
	require.NoError(t, <-over)
	require.NoError(t, <-over)
	require.True(t, e.Close())
}

// What a step that fails has used up is in neither store; what it has not is the engine's, as it was.
func TestLentToAStepThatFails(t *testing.T) {
	e := newEngine(t, headOnly)
	one, other := shapesBatches(t, "32x32", 1), shapesBatches(t, "64x32", 1)
	steps(t, e, one, 0, 0.05)
	require.NoError(t, e.CompileStepAhead(other[0], nil))
	s := e.ahead.find(other[0].Shape())
	in, err := e.firstInputs(other[0])
	require.NoError(t, err)
	defer finalize(in)
	broken := errors.New("broken")
	const used, kept = "/fc7/weight", "/fc7/bias"
	before, err := e.store.GetVariable(kept).Value()
	require.NoError(t, err)
	require.ErrorIs(t, s.lent.during(s.exec, in, func() error {
		return errors.Join(s.lent.store.GetVariable(used).Reset(), broken)
	}), broken)
	require.False(t, e.store.GetVariable(used).HasValue())
	after, err := e.store.GetVariable(kept).Value()
	require.NoError(t, err)
	require.Same(t, before, after)
	require.True(t, after.Ok())
	for v := range s.lent.store.IterVariables() {
		require.False(t, v.HasValue(), v.Path())
	}
}
