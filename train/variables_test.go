package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/models"
)

// of makes a stored float32 variable.
func of(path string, shape []int, values ...float32) stored {
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return stored{Variable{path, "F32", shape}, data}
}

// What values have is taken over, what they lack starts as the seed says, and
// nothing is compiled or stepped to find that out.
func TestEngineTakesValues(t *testing.T) {
	t.Parallel()
	given := snapshot{
		"fc7/bias":     of("fc7/bias", []int{8}, 1, 2, 3, 4, 5, 6, 7, 8),
		"sgd/fc7/bias": of("sgd/fc7/bias", []int{8}, 8, 7, 6, 5, 4, 3, 2, 1),
	}
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Values, c.Seed = given, 3 })
	fresh := variable(t, e.net, "fc7/weight")
	values := make([]float32, fresh.Size())
	fresh.Initial(3, values)
	for path, want := range map[string][]byte{
		"fc7/bias":     given["fc7/bias"].data,
		"sgd/fc7/bias": given["sgd/fc7/bias"].data,
		"fc7/weight":   of("", nil, values...).data,
	} {
		var got bytes.Buffer
		require.NoError(t, e.WriteVariable(path, &got), path)
		require.Equal(t, want, got.Bytes(), path)
	}

	// Momentum is taken over as well: at a rate of one, without a gradient, the bias
	// moves by 0.9 of it.
	b := *shapesBatches(t, "32x32", 1)[0]
	b.Labels = bytes.Repeat([]byte{255}, len(b.Labels))
	require.NoError(t, e.CompileStep(&b, nil))
	_, err := e.Step(&b, 0, 1)
	require.NoError(t, err)
	var got bytes.Buffer
	require.NoError(t, e.WriteVariable("fc7/bias", &got))
	moved := make([]float32, 8)
	require.NoError(t, binary.Read(&got, binary.LittleEndian, moved))
	for i, w := range moved {
		require.InDelta(t, float64(i+1)-0.9*float64(8-i), float64(w), 1e-5)
	}
}

// Large pages are asked for under each large variable before it has its values, wherever these come from.
func TestLargePages(t *testing.T) {
	t.Parallel()
	large := func(c *EngineConfig) { c.Net.Width, c.Net.Head = 8, 384 } // of which fc6 has 4.8 MB
	fc6 := variable(t, engineConfig(headOnly, large).Net, "fc6/weight")
	b := shapesBatches(t, "32x32", 1)[0]
	for name, values := range map[string]Values{"fresh": nil, "given": snapshot{"fc6/weight": of("fc6/weight", fc6.Shape, make([]float32, fc6.Size())...)}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []int
			e := newEngine(t, headOnly, large, func(c *EngineConfig) {
				c.Values = values
				c.LargePages = func(data []byte) {
					mu.Lock()
					defer mu.Unlock()
					asked = append(asked, len(data))
					require.Equal(t, make([]byte, len(data)), data)
				}
			})
			require.NoError(t, e.CompileStep(b, nil))
			require.Equal(t, []int{4 * fc6.Size(), 4 * fc6.Size()}, asked, "the weights and their momenta")
		})
	}
}

// unreadable are values on a broken disk.
type unreadable struct{ snapshot }

func (unreadable) Read(string, []byte) error { return errors.New("disk on fire") }

func TestEngineRefusesValues(t *testing.T) {
	t.Parallel()
	bias := of("fc7/bias", []int{8}, make([]float32, 8)...)
	typed := func(dtype string) Values {
		v := bias
		v.DType = dtype
		return snapshot{"fc7/bias": v}
	}
	tests := map[string]struct {
		values Values
		want   string
	}{
		"misshapen":            {snapshot{"fc7/bias": of("fc7/bias", []int{2, 4}, make([]float32, 8)...)}, "variable fc7/bias: its stored shape is [2 4], the network's is [8]"},
		"of another type":      {typed("I32"), "variable fc7/bias: its shape is (Int32)[8], the graph's is (Float32)[8]"},
		"of no type":           {typed("F8_E4M3"), "variable fc7/bias: it is stored as F8_E4M3, a type that no variable has"},
		"unreadable":           {unreadable{snapshot{"fc7/bias": bias}}, "variable fc7/bias: disk on fire"},
		"misshapen momentum":   {snapshot{"sgd/fc7/bias": of("sgd/fc7/bias", []int{9}, make([]float32, 9)...)}, "/sgd/fc7/bias"},
		"of another network":   {snapshot{"fc7/bias": bias, "fc8/bias": bias, "fc9/bias": bias}, "2 stored variables belong to nothing in this run, the first is fc8/bias"},
		"of another optimiser": {snapshot{"AdamOptimizer/step": bias}, "1 stored variables belong to nothing in this run, the first is AdamOptimizer/step"},
	}
	b := shapesBatches(t, "32x32", 1)[0]
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, headOnly, func(c *EngineConfig) { c.Values = test.values })
			for range 2 { // an error does not pass by being asked again
				require.ErrorContains(t, e.CompileStep(b, nil), test.want)
			}
		})
	}
}

// A state with NaN or Inf in it is not written, for any float32 that is none.
func TestWriteVariableRefusesNaN(t *testing.T) {
	nan32, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, bad := range []float32{nan32, -nan32, inf, -inf, math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff)} {
		values := snapshot{
			"fc7/bias":     of("fc7/bias", []int{8}, 1, 2, 3, 4, 5, 6, 7, bad),
			"sgd/fc6/bias": of("sgd/fc6/bias", []int{8}, 1, bad, 3, 4, 5, 6, 7, 8),
		}
		e := newEngine(t, headOnly, func(c *EngineConfig) { c.Values = values })
		require.NotNil(t, e.store.GetVariable("/fc7/bias"), "one that a graph has asked for")
		for path := range values {
			var written bytes.Buffer
			err := e.WriteVariable(path, &written)
			var lost *DivergedError
			require.ErrorAs(t, err, &lost, "%v", bad)
			require.Equal(t, path+" holds NaN or Inf", lost.What)
			require.Zero(t, written.Len())
		}
	}
	// The largest and the smallest numbers are numbers.
	fine := of("fc7/bias", []int{8}, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0, -1, 1, 1e-38, 1e38)
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Values = snapshot{"fc7/bias": fine} })
	require.NoError(t, e.WriteVariable("fc7/bias", io.Discard))
}

func TestWriteVariableErrors(t *testing.T) {
	e := newEngine(t, headOnly, func(c *EngineConfig) {
		c.Values = unreadable{snapshot{
			"fc7/bias":     of("fc7/bias", []int{8}, make([]float32, 8)...),
			"sgd/fc7/bias": of("sgd/fc7/bias", []int{8}, make([]float32, 8)...),
		}}
	})
	require.EqualError(t, e.WriteVariable("fc8/bias", io.Discard), "there is no variable fc8/bias")
	require.ErrorContains(t, e.WriteVariable("sgd/fc7/bias", io.Discard), "variable sgd/fc7/bias: disk on fire")
	reader, writer := io.Pipe()
	require.NoError(t, reader.CloseWithError(errors.New("disk full")))
	require.ErrorContains(t, e.WriteVariable("fc6/bias", writer), "disk full")
}

// Variables of both optimisers, before and after the first step, sorted by path.
func TestEngineVariables(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly, func(c *EngineConfig) { c.Train.Optimizer = "adamw" })
	require.Empty(t, e.Variables(), "nothing was asked for yet")
	b := shapesBatches(t, "32x32", 2)
	steps(t, e, b, 0, 0.01)
	var paths []string
	types := map[string]string{}
	for _, v := range e.Variables() {
		paths = append(paths, v.Path)
		types[v.Path] = v.DType
	}
	require.IsIncreasing(t, paths)
	learn := 0
	for _, v := range e.net.Variables() {
		require.Equal(t, "F32", types[v.Path()])
		if v.Part != models.PartEncoder {
			learn++
		}
	}
	// Two moments for each that learns, Adam's counter, GoMLX's and the rate.
	require.Len(t, paths, len(e.net.Variables())+2*learn+3)
}

// A snapshot is what the engine held, whatever it does afterwards, until it is freed.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	e := newEngine(t, headOnly)
	batches := shapesBatches(t, "32x32", 2)
	require.NoError(t, e.CompileStep(batches[0], nil))
	_, err := e.Step(batches[0], 0, 0.01)
	require.NoError(t, err)
	s, err := e.Snapshot()
	require.NoError(t, err)
	require.Equal(t, e.Variables(), s.Variables())
	before := take(t, e)
	_, err = e.Step(batches[1], 1, 0.01)
	require.NoError(t, err)
	require.NotEmpty(t, before.differ(take(t, e)))
	for _, v := range s.Variables() {
		var data bytes.Buffer
		require.NoError(t, s.WriteVariable(v.Path, &data))
		require.Equal(t, before[v.Path].data, data.Bytes(), v.Path)
	}
	require.NoError(t, s.Free())
	require.ErrorContains(t, s.WriteVariable("fc6/weight", io.Discard), "there is no variable fc6/weight")
}
