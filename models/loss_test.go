package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device"
)

// slowCrossEntropy is the sum of weight * -log softmax, its weights' sum, and the
// gradient of the first.
func slowCrossEntropy(logits grid, labels []uint8, classWeights []float64) (sum, weight float64, gradient grid) {
	gradient = newGrid(logits.n, logits.h, logits.w, logits.c)
	for p, label := range labels {
		if label == ignore {
			continue
		}
		scores := logits.values[p*logits.c : (p+1)*logits.c]
		peak, total := math.Inf(-1), 0.0
		for _, s := range scores {
			peak = max(peak, s)
		}
		for _, s := range scores {
			total += math.Exp(s - peak)
		}
		w := 1.0
		if classWeights != nil {
			w = classWeights[label]
		}
		weight += w
		sum += w * (math.Log(total) + peak - scores[label])
		for c, s := range scores {
			gradient.values[p*logits.c+c] = w * math.Exp(s-peak) / total
		}
		gradient.values[p*logits.c+int(label)] -= w
	}
	return sum, weight, gradient
}

func TestCrossEntropyAgainstLoops(t *testing.T) {
	const n, h, w = 2, 5, 6
	for _, backend := range bothBackends {
		for _, c := range []struct {
			name     string
			classes  int
			weighted bool
			ignored  float64 // share of pixels without a label
			scale    float64 // of the logits
		}{
			{"two classes", 2, false, 0.3, 1},
			{"weighted", 5, true, 0.3, 1},
			{"all labelled", 3, false, 0, 1},
			{"nothing labelled", 3, false, 1, 1},
			{"nothing labelled, weighted", 3, true, 1, 1},
			{"extreme logits", 4, false, 0.2, 1e4},
			{"extreme logits, weighted", 4, true, 0.2, 1e4},
			{"as many classes as fit", 255, true, 0.2, 3},
		} {
			t.Run(backend+"/"+c.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(1, uint64(c.classes)))
				logits := randomGrid(rng, n, h, w, c.classes)
				for i := range logits.values {
					logits.values[i] *= c.scale
				}
				labels := make([]uint8, n*h*w)
				for i := range labels {
					labels[i] = uint8(rng.IntN(c.classes))
					if rng.Float64() < c.ignored {
						labels[i] = ignore
					}
				}
				var weights []float64
				if c.weighted {
					weights = make([]float64, c.classes)
					for i := range weights {
						weights[i] = float64(i) / 2 // one class has no weight at all
					}
				}
				sum, weight, gradient := slowCrossEntropy(logits, labels, weights)

				out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
					var classWeights *graph.Node
					if weights != nil {
						classWeights = graph.Const(in[0].Graph(), weights)
					}
					sum, weight := CrossEntropy(in[0], in[1], classWeights)
					return []*graph.Node{sum, weight, graph.Gradient(sum, in[0])[0]}
				}, logits.tensor(), tensors.FromFlatDataAndDimensions(labels, n, h, w))
				require.InDelta(t, sum, tensors.ToScalar[float64](out[0]), 1e-12*max(1, sum))
				require.InDelta(t, weight, tensors.ToScalar[float64](out[1]), 1e-12*max(1, weight))
				requireNear(t, gradient.values, gradient.dims(), out[2], 1e-12, "gradient")
				got := toFloats(out[2])
				for p, label := range labels {
					if label == ignore {
						require.Equal(t, make([]float64, c.classes), got[p*c.classes:(p+1)*c.classes], "a pixel without a label teaches nothing")
					}
				}
			})
		}
	}
}

// Half precision cannot count beyond some thousands: the sums are float32 then.
func TestCrossEntropyInHalfPrecision(t *testing.T) {
	g := graph.NewGraph(Backend(t, device.Go), "half")
	defer g.Finalize()
	for _, half := range []dtypes.DType{dtypes.BFloat16, dtypes.Float16} {
		logits := graph.ConvertDType(graph.IotaFull(g, shapes.Make(dtypes.Float32, 1, 2, 2, 3)), half)
		labels := graph.Zeros(g, shapes.Make(dtypes.Uint8, 1, 2, 2))
		sum, weight := CrossEntropy(logits, labels, nil)
		require.Equal(t, dtypes.Float32, sum.DType())
		require.Equal(t, dtypes.Float32, weight.DType())
	}
}

func TestConfusionCountsAgainstLoops(t *testing.T) {
	const n, h, w = 2, 7, 5
	for _, backend := range bothBackends {
		for _, classes := range []int{2, 4, 255} {
			t.Run(fmt.Sprintf("%s/%d classes", backend, classes), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(9, uint64(classes)))
				logits := make([]float32, n*h*w*classes)
				labels := make([]uint8, n*h*w)
				for i := range logits {
					logits[i] = float32(rng.IntN(4)) // ties are common
				}
				for i := range labels {
					labels[i] = uint8(rng.IntN(classes))
					if rng.IntN(4) == 0 {
						labels[i] = ignore
					}
				}
				want := make([]int64, classes*classes)
				for p, label := range labels {
					if label == ignore {
						continue
					}
					best := 0 // of equals the first, as NumPy and PyTorch on the CPU choose
					for c := range classes {
						if logits[p*classes+c] > logits[p*classes+best] {
							best = c
						}
					}
					want[int(label)*classes+best]++
				}
				out := run(t, Backend(t, backend), func(in []*graph.Node) []*graph.Node {
					return []*graph.Node{ConfusionCounts(graph.ArgMax(in[0], -1, dtypes.Uint8), in[1], classes)}
				}, tensors.FromFlatDataAndDimensions(logits, n, h, w, classes), tensors.FromFlatDataAndDimensions(labels, n, h, w))
				require.Equal(t, []int{classes, classes}, out[0].Shape().Dimensions)
				require.Equal(t, want, tensors.MustCopyFlatData[int64](out[0]))
			})
		}
	}
}
