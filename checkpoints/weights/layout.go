package weights

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// layout is one tensor in both layouts. Whatever its kind, it is [hw,in,out] in fcnx
// and [out,in,hw] in the file, for some factors of its size.
type layout struct {
	name        string           // in fcnx
	file        checkpoints.Info // in the file
	hw, in, out int
}

// size is the number of values.
func (l layout) size() int { return l.hw * l.in * l.out }

// row is the number of values of one output channel, which are neighbours in the
// file.
func (l layout) row() int { return l.in * l.hw }

func layoutsOf(vars []checkpoints.Info) ([]layout, error) {
	layouts := make([]layout, len(vars))
	for i, v := range vars {
		l, err := layoutOf(v)
		if err != nil {
			return nil, err
		}
		layouts[i] = l
	}
	return layouts, nil
}

// layoutOf finds the place of an fcnx variable in the file. The kinds are
//
//	                          fcnx            file
//	convolution               [kh,kw,in,out]  [out,in,kh,kw]  Conv2d.weight
//	transposed convolution    [kh,kw,in,out]  [in,out,kh,kw]  ConvTranspose2d.weight
//	the same, one a channel   [kh,kw,C]       [C,1,kh,kw]     ..., groups=C
//	all others                [n]             [n]
func layoutOf(v checkpoints.Info) (layout, error) {
	layer, param, ok := strings.Cut(v.Name, "/")
	if !ok || layer == "" || param == "" || strings.ContainsAny(param, "/") || strings.Contains(v.Name, ".") {
		return layout{}, fmt.Errorf("variable %q is not named layer/parameter", v.Name)
	}
	if v.DType != "F32" {
		return layout{}, fmt.Errorf("variable %s is %s, not F32", v.Name, v.DType)
	}
	if _, err := v.Size(); err != nil {
		return layout{}, err
	}
	transposed := strings.HasPrefix(layer, "upscore")
	l := layout{name: v.Name, file: checkpoints.Info{Name: layer + "." + param, DType: "F32"}}
	switch s := v.Shape; {
	case len(s) == 4 && !transposed:
		l.hw, l.in, l.out = s[0]*s[1], s[2], s[3]
		l.file.Shape = []int{s[3], s[2], s[0], s[1]}
	case len(s) == 4:
		// Input and output channels keep their order, so that they move as one.
		l.hw, l.in, l.out = s[0]*s[1], 1, s[2]*s[3]
		l.file.Shape = []int{s[2], s[3], s[0], s[1]}
	case len(s) == 3 && transposed:
		l.hw, l.in, l.out = s[0]*s[1], 1, s[2]
		l.file.Shape = []int{s[2], 1, s[0], s[1]}
	case len(s) == 1:
		l.hw, l.in, l.out = 1, 1, s[0]
		l.file.Shape = []int{s[0]}
	default:
		return layout{}, fmt.Errorf("variable %s of shape %s has no place in PyTorch's layout", v.Name, shape(s))
	}
	return l, nil
}

// shape writes [64,3,3,3], as messages have it.
func shape(dims []int) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", ",") }
