package onnx_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A slow interpreter of the operations that are written, each as its page in ONNX's
// Operators.md says, in float64. It knows no layout but NCHW and no operation in any
// other form than is used here; what it does not know ends the test.

// TensorProto.DataType.
const (
	isFloat = 1
	isUint8 = 2
	isInt64 = 7
)

type array struct {
	dtype  int64
	dims   []int
	values []float64
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

func newArray(dtype int64, dims ...int) array {
	return array{dtype, dims, make([]float64, product(dims))}
}

// at is the place of an element.
func (a array) at(place ...int) int {
	i := 0
	for axis, p := range place {
		i = i*a.dims[axis] + p
	}
	return i
}

// each calls visit with the place of every element, in order.
func (a array) each(visit func(place []int)) {
	place := make([]int, len(a.dims))
	for i := range a.values {
		for axis, rest := len(place)-1, i; axis >= 0; axis-- {
			place[axis] = rest % a.dims[axis]
			rest /= a.dims[axis]
		}
		visit(place)
	}
}

func (a array) ints() []int {
	list := make([]int, len(a.values))
	for i, v := range a.values {
		list[i] = int(v)
	}
	return list
}

// run gives the outputs of the model.
func (m *onnxModel) run(t *testing.T, images array) map[string]array {
	t.Helper()
	known := map[string]array{m.inputs[0].name: images}
	for name, c := range m.constants {
		known[name] = c
	}
	for _, n := range m.nodes {
		var in []array
		for _, input := range n.inputs {
			in = append(in, known[input])
		}
		require.Len(t, n.outputs, 1)
		known[n.outputs[0]] = n.run(t, in)
	}
	out := map[string]array{}
	for _, v := range m.outputs {
		require.Equal(t, v.dtype, known[v.name].dtype, v.name)
		require.Len(t, known[v.name].dims, len(v.dims), v.name)
		out[v.name] = known[v.name]
	}
	return out
}

func (n onnxNode) run(t *testing.T, in []array) array {
	t.Helper()
	x := in[0]
	switch n.kind {
	case "Identity":
		return x
	case "Cast":
		return array{int64(n.one(t, "to")), x.dims, x.values}
	case "Relu":
		y := newArray(x.dtype, x.dims...)
		for i, v := range x.values {
			y.values[i] = max(v, 0)
		}
		return y
	case "Add", "Sub", "Mul", "Div":
		return n.arithmetic(t, x, in[1])
	case "Shape":
		y := newArray(isInt64, len(x.dims))
		for i, d := range x.dims {
			y.values[i] = float64(d)
		}
		return y
	case "Concat":
		require.Equal(t, 0, n.one(t, "axis"))
		y := array{dtype: x.dtype}
		for _, part := range in {
			require.Len(t, part.dims, 1)
			y.values = append(y.values, part.values...)
		}
		y.dims = []int{len(y.values)}
		return y
	case "Transpose":
		perm := n.attributes["perm"]
		dims := make([]int, len(perm))
		for axis, from := range perm {
			dims[axis] = x.dims[int(from)]
		}
		y := newArray(x.dtype, dims...)
		y.each(func(place []int) {
			from := make([]int, len(place))
			for axis, p := range perm {
				from[int(p)] = place[axis]
			}
			y.values[y.at(place...)] = x.values[x.at(from...)]
		})
		return y
	case "Gather":
		require.Equal(t, 1, n.one(t, "axis"))
		require.Len(t, in[1].values, x.dims[1])
		y := newArray(x.dtype, x.dims...)
		y.each(func(p []int) { y.values[y.at(p...)] = x.values[x.at(p[0], in[1].ints()[p[1]], p[2], p[3])] })
		return y
	case "Slice":
		return slice(t, x, in[1].ints(), in[2].ints(), in[3].ints())
	case "Pad":
		return pad(t, x, in[1].ints(), in[2].values[0])
	case "ArgMax":
		require.Equal(t, 0, n.one(t, "keepdims"))
		require.Equal(t, 1, n.one(t, "axis"))
		y := newArray(isInt64, x.dims[0], x.dims[2], x.dims[3])
		x.each(func(p []int) {
			best := &y.values[y.at(p[0], p[2], p[3])]
			if x.values[x.at(p...)] > x.values[x.at(p[0], int(*best), p[2], p[3])] {
				*best = float64(p[1])
			}
		})
		return y
	case "BatchNormalization":
		epsilon := n.attributes["epsilon"][0]
		y := newArray(x.dtype, x.dims...)
		y.each(func(p []int) {
			c, i := p[1], y.at(p...)
			y.values[i] = (x.values[i]-in[3].values[c])/math.Sqrt(in[4].values[c]+epsilon)*in[1].values[c] + in[2].values[c]
		})
		return y
	case "MaxPool":
		return n.maxPool(t, x)
	case "Conv":
		return n.conv(t, x, in[1], in[2])
	case "ConvTranspose":
		return n.convTranspose(t, x, in[1])
	}
	t.Fatalf("no %s is known here", n.kind)
	return array{}
}

// one is an attribute that is a single integer.
func (n onnxNode) one(t *testing.T, name string) int {
	t.Helper()
	require.Len(t, n.attributes[name], 1, "%s.%s", n.name, name)
	return int(n.attributes[name][0])
}

// arithmetic repeats y along axes of size one, and where it has none.
func (n onnxNode) arithmetic(t *testing.T, x, y array) array {
	t.Helper()
	require.Equal(t, x.dtype, y.dtype, n.name)
	z := newArray(x.dtype, x.dims...)
	z.each(func(place []int) {
		at := make([]int, len(y.dims))
		for axis, d := range y.dims {
			if p := place[len(place)-len(y.dims)+axis]; d > 1 {
				at[axis] = p
			}
		}
		a, b := x.values[x.at(place...)], y.values[y.at(at...)]
		switch n.kind {
		case "Add":
			a += b
		case "Sub":
			a -= b
		case "Mul":
			a *= b
		case "Div":
			require.EqualValues(t, isInt64, x.dtype)
			a = math.Trunc(a / b)
		}
		z.values[z.at(place...)] = a
	})
	return z
}

func slice(t *testing.T, x array, starts, ends, axes []int) array {
	t.Helper()
	begin := make([]int, len(x.dims))
	dims := append([]int{}, x.dims...)
	for i, axis := range axes {
		require.True(t, 0 <= starts[i] && starts[i] <= ends[i] && ends[i] <= x.dims[axis], "[%d:%d] of %v", starts[i], ends[i], x.dims)
		begin[axis], dims[axis] = starts[i], ends[i]-starts[i]
	}
	y := newArray(x.dtype, dims...)
	y.each(func(place []int) {
		from := make([]int, len(place))
		for axis, p := range place {
			from[axis] = p + begin[axis]
		}
		y.values[y.at(place...)] = x.values[x.at(from...)]
	})
	return y
}

func pad(t *testing.T, x array, pads []int, value float64) array {
	t.Helper()
	require.Len(t, pads, 2*len(x.dims))
	dims := make([]int, len(x.dims))
	for axis := range dims {
		dims[axis] = pads[axis] + x.dims[axis] + pads[len(dims)+axis]
	}
	y := newArray(x.dtype, dims...)
	for i := range y.values {
		y.values[i] = value
	}
	x.each(func(place []int) {
		to := make([]int, len(place))
		for axis, p := range place {
			to[axis] = p + pads[axis]
		}
		y.values[y.at(to...)] = x.values[x.at(place...)]
	})
	return y
}

func (n onnxNode) maxPool(t *testing.T, x array) array {
	t.Helper()
	require.Equal(t, []float64{2, 2}, n.attributes["kernel_shape"])
	require.Equal(t, []float64{2, 2}, n.attributes["strides"])
	ceil := n.one(t, "ceil_mode")
	y := newArray(x.dtype, x.dims[0], x.dims[1], (x.dims[2]+ceil)/2, (x.dims[3]+ceil)/2)
	for i := range y.values {
		y.values[i] = math.Inf(-1)
	}
	x.each(func(p []int) {
		if h, w := p[2]/2, p[3]/2; h < y.dims[2] && w < y.dims[3] {
			i := y.at(p[0], p[1], h, w)
			y.values[i] = max(y.values[i], x.values[x.at(p...)])
		}
	})
	return y
}

func (n onnxNode) conv(t *testing.T, x, kernel, bias array) array {
	t.Helper()
	pads := n.attributes["pads"]
	require.Equal(t, []float64{pads[0], pads[0], pads[0], pads[0]}, pads)
	by, k := int(pads[0]), kernel.dims[2]
	require.Equal(t, []float64{float64(k), float64(k)}, n.attributes["kernel_shape"])
	require.Equal(t, x.dims[1], kernel.dims[1])
	y := newArray(x.dtype, x.dims[0], kernel.dims[0], x.dims[2]+2*by-k+1, x.dims[3]+2*by-k+1)
	y.each(func(p []int) {
		sum := bias.values[p[1]]
		for c := range x.dims[1] {
			for i := range k {
				for j := range k {
					h, w := p[2]+i-by, p[3]+j-by
					if 0 <= h && h < x.dims[2] && 0 <= w && w < x.dims[3] {
						sum += x.values[x.at(p[0], c, h, w)] * kernel.values[kernel.at(p[1], c, i, j)]
					}
				}
			}
		}
		y.values[y.at(p...)] = sum
	})
	return y
}

func (n onnxNode) convTranspose(t *testing.T, x, kernel array) array {
	t.Helper()
	group, stride, by := n.one(t, "group"), int(n.attributes["strides"][0]), int(n.attributes["pads"][0])
	k, in, out := kernel.dims[2], kernel.dims[0]/group, kernel.dims[1]
	require.Equal(t, x.dims[1], kernel.dims[0])
	y := newArray(x.dtype, x.dims[0], out*group, (x.dims[2]-1)*stride+k-2*by, (x.dims[3]-1)*stride+k-2*by)
	x.each(func(p []int) {
		for o := range out {
			for i := range k {
				for j := range k {
					h, w := p[2]*stride+i-by, p[3]*stride+j-by
					if 0 <= h && h < y.dims[2] && 0 <= w && w < y.dims[3] {
						y.values[y.at(p[0], p[1]/in*out+o, h, w)] += x.values[x.at(p...)] * kernel.values[kernel.at(p[1], o, i, j)]
					}
				}
			}
		}
	})
	return y
}
