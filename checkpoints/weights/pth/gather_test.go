package pth

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// slowGather is the obvious way: one element after the other.
func slowGather(storage []byte, t *Tensor) []byte {
	width := widths[t.DType]
	var out []byte
	index := make([]int64, len(t.Shape))
	for n, _ := t.elements(); n > 0; n-- {
		at := t.First
		for i, x := range index {
			at += x * t.Strides[i] * width
		}
		out = append(out, storage[at:at+width]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < t.Shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return out
}

func TestGather(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	storage := make([]byte, 1<<16)
	for i := range storage {
		storage[i] = byte(rng.Uint32())
	}
	dtypes := []string{"U8", "F16", "F32", "F64"}
	tried := 0
	for tried < 3000 {
		x := Tensor{Name: "x", DType: dtypes[rng.IntN(len(dtypes))], First: int64(rng.IntN(9))}
		for range 1 + rng.IntN(4) {
			x.Shape = append(x.Shape, int64(1+rng.IntN(7)))
			x.Strides = append(x.Strides, int64(rng.IntN(40)))
		}
		if x.check(int64(len(storage)), int64(len(storage))) != nil {
			continue
		}
		tried++
		requireGathers(t, storage, &x)
	}
}

// Tensors that are more than one block: cut along their first axis, and along another.
func TestGatherBlocks(t *testing.T) {
	storage := make([]byte, 3*blockSize)
	for i := range storage {
		storage[i] = byte(i * i >> 8)
	}
	const most = blockSize / 8 // elements
	for _, x := range []Tensor{
		{Shape: []int64{3, most}, Strides: []int64{1, 3}},
		{Shape: []int64{most, 3}, Strides: []int64{1, most}},
		{Shape: []int64{2, most + 5}, Strides: []int64{1, 2}},
		{Shape: []int64{2, 3, most / 4}, Strides: []int64{3, 1, 6}},
		{Shape: []int64{most + 9}, Strides: []int64{2}},
		{Shape: []int64{1, most + 9, 1}, Strides: []int64{1 << 40, 2, 1 << 56}},
	} {
		x.Name, x.DType = "x", "F64"
		require.NoError(t, x.check(int64(len(storage)), int64(len(storage))))
		requireGathers(t, storage, &x)
	}
}

func requireGathers(t *testing.T, storage []byte, x *Tensor) {
	t.Helper()
	want := slowGather(storage, x)
	got, err := io.ReadAll(newGather(bytes.NewReader(storage), x.First, x))
	require.NoError(t, err)
	if !bytes.Equal(want, got) {
		t.Fatalf("%v %v %v from %d", x.DType, x.Shape, x.Strides, x.First)
	}
	if len(want) < 200 {
		require.NoError(t, iotest.TestReader(newGather(bytes.NewReader(storage), x.First, x), want))
	}
	// What isContiguous says is what the places are.
	order := bytes.Equal(want, storage[x.First:][:len(want)])
	if x.isContiguous() {
		require.True(t, order)
	}
}

func TestIsContiguous(t *testing.T) {
	for _, c := range []struct {
		shape, strides []int64
		want           bool
	}{
		{nil, nil, true},
		{[]int64{4}, []int64{1}, true},
		{[]int64{4}, []int64{2}, false},
		{[]int64{4}, []int64{0}, false},
		{[]int64{2, 3}, []int64{3, 1}, true},
		{[]int64{2, 3}, []int64{1, 2}, false},
		{[]int64{2, 3}, []int64{4, 1}, false},
		{[]int64{1, 3, 1}, []int64{99, 1, 7}, true},
	} {
		x := Tensor{Shape: c.shape, Strides: c.strides}
		require.Equal(t, c.want, x.isContiguous(), "%v", c)
	}
	require.Equal(t, []axisOf{{6, 4, 4}}, merge([]axisOf{{3, 4, 4}, {2, 12, 12}, {1, 99, 99}}))
	require.True(t, slices.Equal([]axisOf{{n: 1}}, merge([]axisOf{{1, 4, 4}})))
}
