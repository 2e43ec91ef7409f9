package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/models"
)

// tinyNet is FCN-8s with batch norm, all of whose layers have few channels.
func tinyNet() models.Config {
	return models.Config{Arch: "fcn8s", Encoder: "vgg11_bn", Classes: 6, Width: 2, Head: 8,
		Upsample: models.Learned, Geometry: models.Same}
}

// engineConfig is a tiny net with the defaults' training, on bytes as they are
// in the data set called shapes.
func engineConfig(change ...func(*EngineConfig)) EngineConfig {
	d := Default()
	c := EngineConfig{Net: tinyNet(), Preprocess: d.Preprocess.Models(), Train: d.Train, Seed: 1, Now: time.Now}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newEngine(t testing.TB, change ...func(*EngineConfig)) *Engine {
	t.Helper()
	e, err := NewEngine(onXLA(t), engineConfig(change...))
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

// headOnly leaves the encoder as it is and takes the smallest net: a step that
// compiles in a second where the whole of FCN-8s takes eight.
func headOnly(c *EngineConfig) {
	c.Net.Arch, c.Net.Encoder = "fcn32s", "vgg11"
	c.Train.Freeze = []string{"conv*"}
}

// scored gives the score layer weights that are not zero, so that classes differ
// before anything is learned.
func scored(c *EngineConfig) {
	rng := rand.New(rand.NewPCG(5, 6))
	values := snapshot{}
	for _, v := range c.Net.Variables() {
		if v.Part == models.PartScore && v.Role == models.ConvWeight {
			var data []byte
			for range v.Size() {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(rng.NormFloat64())))
			}
			values[v.Path()] = stored{Variable{v.Path(), "F32", v.Shape}, data}
		}
	}
	c.Values = values
}

// shapesBatches are the first n batches of 4 images of size (HxW).
func shapesBatches(t testing.TB, size string, n int) []*datasets.Batch {
	t.Helper()
	source, err := datasets.Open("shapes?classes=6&n=24&size="+size, datasets.Train)
	require.NoError(t, err)
	loader, err := datasets.NewLoader(t.Context(), source, datasets.LoaderConfig{Batch: 4, Multiple: 1, Seed: 1, Shuffle: true})
	require.NoError(t, err)
	var batches []*datasets.Batch
	for b, err := range loader.Batches(t.Context(), 0) {
		require.NoError(t, err)
		if batches = append(batches, b); len(batches) == n {
			break
		}
	}
	return batches
}

// steps runs one step a batch at a constant rate, and returns the losses.
func steps(t testing.TB, e *Engine, batches []*datasets.Batch, first int64, lr float64) []float64 {
	t.Helper()
	var losses []float64
	for i, b := range batches {
		require.NoError(t, e.CompileStep(b, nil))
		r, err := e.Step(b, first+int64(i), lr)
		require.NoError(t, err)
		losses = append(losses, r.Loss)
	}
	return losses
}

// snapshot is everything that a checkpoint would hold, by path.
type snapshot map[string]stored

type stored struct {
	Variable
	data []byte
}

func take(t testing.TB, e *Engine) snapshot {
	t.Helper()
	s := snapshot{}
	for _, v := range e.Variables() {
		var data bytes.Buffer
		require.NoError(t, e.WriteVariable(v.Path, &data))
		s[v.Path] = stored{v, data.Bytes()}
	}
	return s
}

// Paths, Find and Read implement Values.
func (s snapshot) Paths() []string { return slices.Sorted(maps.Keys(s)) }

func (s snapshot) Find(path string) (dtype string, shape []int, ok bool) {
	v, ok := s[path]
	return v.DType, v.Shape, ok
}

func (s snapshot) Read(path string, dst []byte) error {
	if len(dst) != len(s[path].data) {
		return fmt.Errorf("%d bytes for %d", len(dst), len(s[path].data))
	}
	copy(dst, s[path].data)
	return nil
}

// differ lists the variables that are not the same, byte for byte, in both.
func (s snapshot) differ(other snapshot) []string {
	var paths []string
	for path := range maps.All(s) {
		if !bytes.Equal(s[path].data, other[path].data) {
			paths = append(paths, path)
		}
	}
	for path := range other {
		if _, ok := s[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}
