package device

import (
	"fmt"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Product is a product of two square matrices on a backend, the fastest thing that there
// is to compute: what its arithmetic runs at is the peak that a network is held to.
type Product struct {
	// N is the number of rows and of columns: large enough that one product takes
	// productTime.
	N int

	now  func() time.Time
	fill *graph.Exec
	exec *graph.Exec
	in   []any // two tensors [N,N] on the device, or none: they are made when they are needed
}

// productTime is what a product takes at least, so that starting it costs nothing beside
// it; and productMax is the most rows all the same, 1 GiB a matrix.
const (
	productTime = 30 * time.Millisecond
	productMax  = 1 << 14
)

// NewProduct finds out how large a product has to be. precision is "float32" or
// "bfloat16", of the factors and of what comes out; now is the clock.
func (b *Backend) NewProduct(precision string, now func() time.Time) (p *Product, err error) {
	dtype, ok := map[string]dtypes.DType{"float32": dtypes.Float32, "bfloat16": dtypes.BFloat16}[precision]
	if !ok {
		return nil, fmt.Errorf("no product in %q is measured: float32 or bfloat16", precision)
	}
	for n := 1 << 8; ; n *= 2 {
		if p, err = b.product(dtype, n, now); err != nil {
			return nil, fmt.Errorf("a product of two %dx%d matrices: %w", n, n, err)
		}
		best := time.Duration(1<<63 - 1)
		for range 3 { // the first compiles
			took, err := p.Run()
			if err != nil {
				p.Close()
				return nil, fmt.Errorf("a product of two %dx%d matrices: %w", n, n, err)
			}
			best = min(best, took)
		}
		if best >= productTime || n >= productMax {
			p.Rest()
			return p, nil
		}
		p.Close()
	}
}

func (b *Backend) product(dtype dtypes.DType, n int, now func() time.Time) (*Product, error) {
	p := &Product{N: n, now: now}
	var err error
	// Between -1 and 1, and no two rows alike.
	if p.fill, err = graph.NewExec(b.Compute, func(g *graph.Graph) []*graph.Node {
		count := graph.IotaFull(g, shapes.Make(dtypes.Float32, n, n))
		return []*graph.Node{graph.ConvertDType(graph.Sin(count), dtype), graph.ConvertDType(graph.Cos(count), dtype)}
	}); err != nil {
		return nil, err
	}
	// All of the product leaves the graph, so all of it is computed; its corner, which
	// comes to the host, says when.
	p.exec, err = graph.NewExec(b.Compute, func(x, y *graph.Node) []*graph.Node {
		product := graph.MatMul(x, y)
		corner := graph.Slice(product, graph.AxisElem(0), graph.AxisElem(0))
		return []*graph.Node{product, graph.ConvertDType(graph.Reshape(corner), dtypes.Float32)}
	})
	return p, err
}

// Run computes it once and tells what that took.
func (p *Product) Run() (took time.Duration, err error) {
	_, took, err = p.corner()
	return took, err
}

// corner is the first number of the product.
func (p *Product) corner() (value float32, took time.Duration, err error) {
	defer recoverInto(&err)
	if p.in == nil {
		made, err := p.fill.Call()
		if err != nil {
			return 0, 0, err
		}
		p.in = []any{made[0], made[1]}
	}
	begin := p.now()
	out, err := p.exec.Call(p.in...)
	if err != nil {
		return 0, 0, err
	}
	value = tensors.ToScalar[float32](out[1])
	took = p.now().Sub(begin)
	for _, t := range out {
		_ = t.FinalizeAll() // it can only fail by being gone already
	}
	return value, took, nil
}

// FLOP is the number of operations of one product, a multiplication and an addition
// being two: 2 N^3.
func (p *Product) FLOP() float64 { return 2 * float64(p.N) * float64(p.N) * float64(p.N) }

// Rest gives its matrices back until the next Run, which makes them anew before its time
// begins, and does [Trim], for malloc keeps what was theirs: it is timed beside steps whose
// memory counts.
func (p *Product) Rest() {
	p.free()
	Trim()
}

func (p *Product) free() {
	for _, t := range p.in {
		_ = t.(*tensors.Tensor).FinalizeAll() // as of the product
	}
	p.in = nil
}

// Close gives its memory back.
func (p *Product) Close() {
	p.free()
	p.fill.Finalize()
	p.exec.Finalize()
}

// recoverInto turns a panic of graph code into an error.
func recoverInto(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%v", r)
	}
}
