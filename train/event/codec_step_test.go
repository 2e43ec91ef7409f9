package event

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// sameBothWays holds the short way to the general one: where it takes a line at
// all, both read the same from it.
func sameBothWays(t *testing.T, line []byte) (short bool) {
	t.Helper()
	step, ok := decodeStep(line)
	if !ok {
		return false
	}
	want, err := unmarshal(line)
	require.NoError(t, err, "%q", line)
	// Marshal tells NaN from NaN no more than we want it to.
	wantLine, err := Marshal(want)
	gotLine, gotErr := Marshal(step)
	require.Equal(t, err, gotErr)
	require.Equal(t, string(wantLine), string(gotLine))
	if !math.IsNaN(float64(step.Loss)) && (step.GradNorm == nil || !math.IsNaN(float64(*step.GradNorm))) {
		require.Equal(t, want, Record(step), "%q", line)
	}
	return true
}

func TestStepsTakeTheShortWay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	number := func() float64 {
		return []float64{0, 1, -1, rng.Float64(), rng.NormFloat64() * 1e6, 1e-12, 1e21, -1e300, math.SmallestNonzeroFloat64, math.Copysign(0, -1)}[rng.IntN(10)]
	}
	anyNumber := func() Float {
		if v := rng.IntN(12); v < 3 {
			return Float([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[v])
		}
		return Float(number())
	}
	for range 5000 {
		step := Step{
			Head: Head{time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)).In(time.FixedZone("", 60*(rng.IntN(24*60)-12*60)))},
			Step: rng.Int64() >> rng.IntN(64), Epoch: number(), Loss: anyNumber(), LR: number(), DataMS: number(), StepMS: number(), Images: rng.IntN(100) - 5,
		}
		if rng.IntN(2) == 0 {
			step.ReadMS = number()
		}
		if rng.IntN(2) == 0 {
			step.TellMS = number()
		}
		if rng.IntN(2) == 0 {
			norm := anyNumber()
			step.GradNorm = &norm
		}
		if rng.IntN(2) == 0 {
			step.Skipped = rng.IntN(9) - 2
		}
		line, err := Marshal(step)
		require.NoError(t, err)
		require.True(t, sameBothWays(t, line), "%s", line)
	}
}

// What is not exactly what Marshal writes goes the general way, whatever that says.
func TestOtherLinesTakeTheGeneralWay(t *testing.T) {
	good := `{"kind":"step","time":"2026-03-01T12:00:00Z","step":1,"epoch":0.5,"loss":1.5,"lr":0.05,"data_ms":1.5,"step_ms":200,"images":8}`
	require.True(t, sameBothWays(t, []byte(good)))
	for _, change := range [][2]string{
		{`"step":1,`, `"step":01,`}, {`"step":1,`, `"step":1.0,`}, {`"step":1,`, `"step":+1,`}, {`"step":1,`, `"step":1e3,`},
		{`"step":1,`, `"step":,`}, {`"step":1,`, `"step":-,`}, {`"step":1,`, `"step":99999999999999999999,`}, {`"step":1,`, `"step": 1,`},
		{`"epoch":0.5`, `"epoch":.5`}, {`"epoch":0.5`, `"epoch":5.`}, {`"epoch":0.5`, `"epoch":1e`}, {`"epoch":0.5`, `"epoch":1e999`},
		{`"epoch":0.5`, `"epoch":0x1p3`}, {`"epoch":0.5`, `"epoch":1_0`}, {`"epoch":0.5`, `"epoch":"NaN"`}, {`"epoch":0.5`, `"epoch":Inf`},
		{`"loss":1.5`, `"loss":null`}, {`"loss":1.5`, `"loss":"Nan"`}, {`"loss":1.5`, `"loss":NaN`}, {`"loss":1.5`, `"Loss":1.5`},
		{`"images":8`, `"images":8,"colour":"red"`}, {`"images":8`, `"images":8,"grad_norm":null`}, {`"images":8`, `"images":8,"skipped":1.0`}, {`"images":8`, `"skipped":1,"images":8`}, {`"images":8`, `"images":8,"step":2`},
		{`12:00:00Z`, `12:00:00`}, {`12:00:00Z`, `25:00:00Z`}, {`12:00:00Z`, `12:00:00\u005a`},
		{`"step_ms":200,`, ``}, {`8}`, `8`}, {`8}`, `8}}`}, {`8}`, `8} x`}, {`"kind":"step"`, `"kind": "step"`},
	} {
		line := bytes.Replace([]byte(good), []byte(change[0]), []byte(change[1]), 1)
		require.NotEqual(t, good, string(line), "%v", change)
		require.False(t, sameBothWays(t, line), "%s", line)
		got, gotErr := Unmarshal(line)
		want, err := unmarshal(line)
		require.Equal(t, err, gotErr, "%s", line)
		require.Equal(t, want, got, "%s", line)
	}
}

func FuzzStep(f *testing.F) {
	memtest.Cap(f)
	norm := Float(math.Inf(-1))
	for _, step := range []Step{{}, {Step: -7, Loss: Float(math.NaN()), ReadMS: 1, TellMS: 2e-7, GradNorm: &norm}} {
		line, err := Marshal(step)
		require.NoError(f, err)
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		memtest.Bound{Any: 64 << 10, PerByte: 128}.Within(t, len(line), func() { _, _ = Unmarshal(line) })
		sameBothWays(t, line)
	})
}

// BenchmarkUnmarshal is lines a second of a file of steps, the short way and the
// general one.
func BenchmarkUnmarshal(b *testing.B) {
	norm := Float(1.9312345)
	line, err := Marshal(Step{Head: Head{time.Date(2026, 3, 1, 12, 0, 31, 250123456, time.UTC)}, Step: 123456, Epoch: 61.728125, Loss: 0.8123456789,
		LR: 0.0012345678901, DataMS: 2.312345, StepMS: 228.71234, ReadMS: 0.412345, TellMS: 0.006123, Images: 8, GradNorm: &norm})
	require.NoError(b, err)
	for name, way := range map[string]func([]byte) (Record, error){"short": Unmarshal, "general": unmarshal} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)) + 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := way(line); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
