package weights

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/stretchr/testify/require"
)

// slowToFile is the table of layoutOf, written as loops over every index.
func slowToFile(v checkpoints.Info, src []float32) []float32 {
	s := v.Shape
	dst := make([]float32, len(src))
	switch {
	case len(s) == 4 && v.Name[:4] == "upsc":
		kh, kw, in, out := s[0], s[1], s[2], s[3]
		for y := range kh {
			for x := range kw {
				for i := range in {
					for o := range out {
						dst[((i*out+o)*kh+y)*kw+x] = src[((y*kw+x)*in+i)*out+o]
					}
				}
			}
		}
	case len(s) == 4:
		kh, kw, in, out := s[0], s[1], s[2], s[3]
		for y := range kh {
			for x := range kw {
				for i := range in {
					for o := range out {
						dst[((o*in+i)*kh+y)*kw+x] = src[((y*kw+x)*in+i)*out+o]
					}
				}
			}
		}
	case len(s) == 3:
		kh, kw, c := s[0], s[1], s[2]
		for y := range kh {
			for x := range kw {
				for i := range c {
					dst[(i*kh+y)*kw+x] = src[(y*kw+x)*c+i]
				}
			}
		}
	default:
		copy(dst, src)
	}
	return dst
}

// counting gives each value its index, so that a value in the wrong place shows.
func counting(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i)
	}
	return values
}

func floats(t testing.TB, b []byte) []float32 {
	v := make([]float32, len(b)/4)
	require.NoError(t, binary.Read(bytes.NewReader(b), binary.LittleEndian, v))
	return v
}

func TestTransposeAgreesWithTheSlowWay(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		file  []int
	}{
		{"conv1_1/weight", []int{3, 3, 3, 64}, []int{64, 3, 3, 3}},
		{"conv2_1/weight", []int{3, 3, 21, 33}, []int{33, 21, 3, 3}},
		{"fc6/weight", []int{7, 7, 5, 31}, []int{31, 5, 7, 7}},
		{"fc7/weight", []int{1, 1, 65, 97}, []int{97, 65, 1, 1}},
		{"score_fr/weight", []int{1, 1, 1, 1}, []int{1, 1, 1, 1}},
		{"odd/weight", []int{2, 5, 4, 3}, []int{3, 4, 2, 5}},
		{"wide/weight", []int{1, 129, 1, 32}, []int{32, 1, 1, 129}},
		{"none/weight", []int{3, 3, 0, 2}, []int{2, 0, 3, 3}},
		{"none/bias", []int{0}, []int{0}},
		{"upscore2/weight", []int{4, 4, 5, 7}, []int{5, 7, 4, 4}},
		{"upscore8/weight", []int{16, 16, 3, 3}, []int{3, 3, 16, 16}},
		{"upscore_pool4/weight", []int{4, 2, 33}, []int{33, 1, 4, 2}},
		{"bn1_1/running_var", []int{100}, []int{100}},
	} {
		t.Run(c.name+fmt.Sprint(c.shape), func(t *testing.T) {
			v := checkpoints.Info{Name: c.name, DType: "F32", Shape: c.shape}
			l, err := layoutOf(v)
			require.NoError(t, err)
			require.Equal(t, c.file, l.file.Shape)
			values := counting(l.size())
			var b bytes.Buffer
			require.NoError(t, l.write(&b, values))
			require.Equal(t, slowToFile(v, values), floats(t, b.Bytes()))
			back, err := l.read(&b, "F32")
			require.NoError(t, err)
			require.Equal(t, values, back)
			require.Zero(t, b.Len())
		})
	}
}

func TestLayoutRefuses(t *testing.T) {
	for _, c := range []struct {
		info checkpoints.Info
		want string
	}{
		{checkpoints.Info{Name: "global_step", DType: "F32"}, `variable "global_step" is not named layer/parameter`},
		{checkpoints.Info{Name: "a/b/c", DType: "F32"}, `variable "a/b/c" is not named layer/parameter`},
		{checkpoints.Info{Name: "a.b/weight", DType: "F32"}, `variable "a.b/weight" is not named layer/parameter`},
		{checkpoints.Info{Name: "/weight", DType: "F32"}, `variable "/weight" is not named layer/parameter`},
		{checkpoints.Info{Name: "fc6/weight", DType: "BF16", Shape: []int{1}}, "variable fc6/weight is BF16, not F32"},
		{checkpoints.Info{Name: "fc6/weight", DType: "F32"}, "variable fc6/weight of shape [] has no place in PyTorch's layout"},
		{checkpoints.Info{Name: "fc6/weight", DType: "F32", Shape: []int{2, 3}}, "variable fc6/weight of shape [2,3] has no place in PyTorch's layout"},
		{checkpoints.Info{Name: "fc6/weight", DType: "F32", Shape: []int{2, 2, 3}}, "variable fc6/weight of shape [2,2,3] has no place in PyTorch's layout"},
		{checkpoints.Info{Name: "fc6/weight", DType: "F32", Shape: []int{-1}}, `tensor "fc6/weight": dimension -1 is negative`},
	} {
		_, err := layoutOf(c.info)
		require.EqualError(t, err, c.want)
	}
}

// slowF16 is the definition of binary16, in float64.
func slowF16(h uint16) float64 {
	sign := 1 - 2*float64(h>>15)
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * fraction / 1024 * math.Pow(2, -14)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * (1 + fraction/1024) * math.Pow(2, float64(exponent-15))
}

func TestF16Exhaustively(t *testing.T) {
	for h := range 1 << 16 {
		want, got := slowF16(uint16(h)), float64(fromF16(uint16(h)))
		if math.IsNaN(want) && math.IsNaN(got) {
			continue
		}
		if want != got || math.Signbit(want) != math.Signbit(got) {
			t.Fatalf("%#04x: %g, not %g", h, got, want)
		}
	}
}

func TestDecoders(t *testing.T) {
	for dtype, raw := range map[string]string{
		"F32":  "\x00\x00\xc0\x3f" + "\x00\x00\x00\xc0",
		"F64":  "\x00\x00\x00\x00\x00\x00\xf8\x3f" + "\x00\x00\x00\x00\x00\x00\x00\xc0",
		"F16":  "\x00\x3e" + "\x00\xc0",
		"BF16": "\xc0\x3f" + "\x00\xc0",
	} {
		d := decoders[dtype]
		require.Len(t, raw, 2*d.size)
		got := make([]float32, 2)
		d.into(got, []byte(raw))
		require.Equal(t, []float32{1.5, -2}, got, dtype)
	}
}

// fc6 is the largest kernel of VGG-16, with 102,760,448 values.
var fc6 = checkpoints.Info{Name: "fc6/weight", DType: "F32", Shape: []int{7, 7, 512, 4096}}

func BenchmarkWriteFC6(b *testing.B) {
	l, err := layoutOf(fc6)
	require.NoError(b, err)
	values := make([]float32, l.size())
	b.SetBytes(int64(4 * l.size()))
	for b.Loop() {
		require.NoError(b, l.write(io.Discard, values))
	}
}

func BenchmarkReadFC6(b *testing.B) {
	l, err := layoutOf(fc6)
	require.NoError(b, err)
	b.SetBytes(int64(4 * l.size()))
	for b.Loop() {
		_, err := l.read(zeros{}, "F32")
		require.NoError(b, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
