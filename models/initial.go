package models

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
)

// chunk is how many numbers come from one random stream: streams are drawn in
// parallel, and their split must not depend on the machine.
const chunk = 1 << 20

// Initial writes the value that v starts from into values, row-major in v's shape:
// a pure function of the seed and the variable, whatever the backend and whatever other
// layers the network has (so FCN-32s and FCN-8s of one seed share an encoder).
//
// Convolutions start from a normal distribution of variance 2/fan-in (He et al.
// 2015), score layers and biases from zero, upsampling from bilinear
// interpolation (section 4.2 of the paper).
func (v Variable) Initial(seed uint64, values []float32) {
	if v.Role == ConvWeight && v.Part != PartScore {
		fillNormal(values, seed, v.Path(), math.Sqrt(2/float64(v.Shape[0]*v.Shape[1]*v.Shape[2])))
		return
	}
	clear(values)
	switch v.Role {
	case NormWeight, NormVariance:
		for i := range values {
			values[i] = 1
		}
	case UpsampleDense, UpsampleDepth:
		fillBilinear(values, v)
	case ConvWeight, Bias, NormMean:
	}
}

// fillBilinear puts the bilinear kernel where a class meets itself.
func fillBilinear(values []float32, v Variable) {
	classes := v.Shape[2]
	for i, row := range bilinearKernel(v.Shape[0]) {
		for j, w := range row {
			at := i*v.Shape[1] + j
			for c := range classes {
				if v.Role == UpsampleDense {
					values[(at*classes+c)*classes+c] = w
				} else {
					values[at*classes+c] = w
				}
			}
		}
	}
}

// fillNormal draws from N(0, stddev^2).
func fillNormal(values []float32, seed uint64, name string, stddev float64) {
	h := fnv.New64a()
	h.Write([]byte(name))
	stream := h.Sum64()

	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for first := 0; first < len(values); first += chunk {
		part := values[first:min(first+chunk, len(values))]
		rng := rand.New(rand.NewPCG(seed, stream+uint64(first/chunk)))
		limit <- struct{}{}
		wg.Go(func() {
			for i := range part {
				part[i] = float32(rng.NormFloat64() * stddev)
			}
			<-limit
		})
	}
	wg.Wait()
}
