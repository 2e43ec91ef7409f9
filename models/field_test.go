package models

import (
	"fmt"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/device/devicetest"
)

// The receptive fields that the literature has for VGG16.
func TestKnownFields(t *testing.T) {
	for _, geometry := range []string{Same, Paper} {
		c := validNet()
		c.Geometry = geometry
		at := trace(t, c, 500, 375)
		for name, want := range map[string][2]int{
			"conv1_1": {3, 1}, "conv1_2": {5, 1}, "pool1": {6, 2}, "pool2": {16, 4}, "pool3": {44, 8},
			"conv5_3": {196, 16}, "pool5": {212, 32}, "fc6": {404, 32}, "fc7": {404, 32}, "score_fr": {404, 32},
			"upscore2": {436, 16}, "score": {468, 1}, // three scores wide: two, and a third across a block
		} {
			field := find(t, at, name).Field
			require.Equal(t, want, [2]int{field.Size, field.Stride}, name)
		}
	}
}

// Crops bring things to lie over each other: the two sides of every addition do, and
// each score lies over its own pixel. In the paper's geometry the authors' offsets
// follow from nothing else.
func TestCropsAlign(t *testing.T) {
	for _, encoder := range Encoders() {
		for _, arch := range Archs() {
			for _, geometry := range []string{Same, Paper} {
				c := validNet()
				c.Arch, c.Geometry, c.Encoder = arch, geometry, encoder
				at := trace(t, c, 97, 211)
				for _, op := range at.Ops {
					if op.Kind == OpAdd {
						one, other := find(t, at, op.Inputs[0]).Field, find(t, at, op.Inputs[1]).Field
						require.Equal(t, one.Centre, other.Centre, op.Name)
						require.Equal(t, one.Stride, other.Stride, op.Name)
					}
				}
				last := at.Ops[len(at.Ops)-1]
				require.Equal(t, 0., last.Field.Centre)
				require.Equal(t, 1, last.Field.Stride)
			}
		}
	}
}

// In every tensor of every net, for images of all sorts of heights, each row sees what
// it sees in a slow twin that sets one pixel after the other and looks where it
// arrives; and the largest that any of them sees is Size.
func TestFieldsAreThoseOfTheSlowTwin(t *testing.T) {
	for _, geometry := range []string{Same, Paper} {
		for _, arch := range Archs() {
			for _, encoder := range []string{"vgg11", "vgg16"} {
				t.Run(fmt.Sprint(geometry, arch, encoder), func(t *testing.T) {
					t.Parallel()
					c := Config{Arch: arch, Encoder: encoder, Classes: 2, Width: 1, Head: 1, Upsample: Bilinear, Geometry: geometry}
					for _, h := range []int{1, 2, 5, 31, 32, 33, 50, 64, 77, 113, 200, 1056} {
						holdFields(t, c, h)
					}
				})
			}
		}
	}
}

func holdFields(t *testing.T, c Config, h int) {
	t.Helper()
	at := trace(t, c, h, 1)
	arrives := slowFields(at, h)
	for _, op := range at.Ops {
		largest := 0
		for i, seen := range arrives[op.Name] {
			first, last := op.Field.Sees(i)
			first, last = max(first, 0), min(last, h-1)
			if first > last {
				require.Equal(t, span{}, seen, "%s row %d of an image of %d", op.Name, i, h)
				continue
			}
			require.Equal(t, span{first, last, last - first + 1}, seen, "%s row %d of an image of %d", op.Name, i, h)
			largest = max(largest, seen.count)
		}
		require.LessOrEqual(t, largest, op.Field.Size, op.Name)
		if h > 1000 {
			require.Equal(t, largest, op.Field.Size, op.Name)
		}
	}
}

// span is what one row sees: from first to last, and how many of these.
type span struct{ first, last, count int }

// slowFields follows each row of the image through the tensors as they are, ends and
// all, by marking in each of them where it arrives.
func slowFields(t Trace, h int) map[string][]span {
	seen := map[string][]span{}
	for _, op := range t.Ops {
		seen[op.Name] = make([]span, op.Height)
	}
	for row := range h {
		marked := map[string][]bool{Images: make([]bool, h)}
		marked[Images][row] = true
		for _, op := range t.Ops {
			marks := spread1D(op, marked)
			marked[op.Name] = marks
			for i, mark := range marks {
				if s := &seen[op.Name][i]; mark {
					if s.count == 0 {
						s.first = row
					}
					s.last = row
					s.count++
				}
			}
		}
	}
	return seen
}

// spread1D marks what an operation makes of marks.
func spread1D(op TracedOp, marked map[string][]bool) []bool {
	out, in := make([]bool, op.Height), marked[op.Inputs[0]]
	for i, mark := range in {
		if !mark {
			continue
		}
		put := func(at int) {
			if at >= 0 && at < len(out) {
				out[at] = true
			}
		}
		switch op.Kind {
		case OpConv:
			for k := range op.Kernel {
				put(i + op.Pad - k)
			}
		case OpPool:
			put(i / 2)
		case OpUpsample:
			for k := range op.Kernel {
				put(i*op.Stride + k - op.Pad)
			}
		case OpCrop:
			put(i - op.Offset)
		default:
			put(i)
		}
	}
	if op.Kind == OpAdd {
		for i, mark := range marked[op.Inputs[1]] {
			out[i] = out[i] || mark
		}
	}
	return out
}

// The network itself agrees: with weights that are all one, and images that are zero
// but for one pixel, those scores are above zero that see the pixel.
func TestFieldsOfTheRealNetwork(t *testing.T) {
	const h, w = 290, 3
	rows := []int{0, 1, 37, 144, 250, 288, 289}
	for _, geometry := range []string{Same, Paper} {
		t.Run(geometry, func(t *testing.T) {
			c := Config{Arch: "fcn8s", Encoder: "vgg11", Classes: 2, Width: 1, Head: 1, Upsample: Bilinear, Geometry: geometry}
			images := tensors.FromShape(shapes.Make(dtypes.Float32, len(rows), h, w, 3))
			require.NoError(t, images.MutableFlatData(func(flat any) {
				for n, row := range rows {
					flat.([]float32)[((n*h+row)*w+1)*3] = 1
				}
			}))
			store := model.NewStore()
			for _, v := range c.Variables() {
				ones := tensors.FromShape(shapes.Make(dtypes.Float32, v.Shape...))
				require.NoError(t, ones.MutableFlatData(func(flat any) {
					for i := range flat.([]float32) {
						if v.Role != Bias {
							flat.([]float32)[i] = 1
						}
					}
				}))
				_, err := store.CreateVariable("/"+v.Path(), ones)
				require.NoError(t, err)
			}
			exec, err := model.NewExec(Backend(t, devicetest.Kind()), store, func(scope *model.Scope, images *graph.Node) *graph.Node {
				return c.Logits(scope, images, Pass{})
			})
			require.NoError(t, err)
			defer exec.Finalize()
			out, err := exec.Exec(images)
			require.NoError(t, err)
			scores, err := tensors.CopyFlatData[float32](out[0])
			require.NoError(t, err)

			at := trace(t, c, h, w)
			field := at.Ops[len(at.Ops)-1].Field
			blind := 0
			for n, row := range rows {
				for i := range h {
					first, last := field.Sees(i)
					sees := first <= row && row <= last
					require.Equal(t, sees, scores[(n*h+i)*w*2] > 0, "row %d, of an image with something at %d", i, row)
					if !sees {
						blind++
					}
				}
			}
			require.Positive(t, blind, "an image in which every pixel sees all shows nothing")
		})
	}
}
