package weights

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/checkpoints"
)

// asPyTorch gives a tensor the shape that PyTorch's convolutions have, [out,in,kh,kw],
// without moving a number: a fully connected layer on 7x7 pixels of C channels, which
// lie as C,H,W in every one of these programs, is a 7x7 convolution as it stands. Old
// caffemodels put ones before the axes that they need. lastConv is the number of
// channels that fc6 sees.
func asPyTorch(layer, param string, s []int, lastConv func() int) (shape []int, note string, err error) {
	if slices.Contains(s, 0) {
		return nil, "", errors.New("nothing is in it")
	}
	if param != "weight" || strings.HasPrefix(layer, "bn") {
		for len(s) > 1 && s[0] == 1 {
			s = s[1:]
		}
		if len(s) != 1 {
			return nil, "", errors.New("one number a channel should be there")
		}
		return s, "", nil
	}
	k := kernels[layer]
	if strings.HasPrefix(layer, "conv") {
		k = 3
	}
	flat := s
	if len(s) == 4 && s[0] == 1 && s[1] == 1 && (s[2] != k || s[3] != k) && !strings.HasPrefix(layer, "upscore") {
		flat = s[2:]
	}
	if len(flat) == 2 && layer == "fc6" {
		channels := lastConv()
		if flat[1] != channels*k*k {
			return nil, "", fmt.Errorf("fc6 sees %dx%d pixels of %d channels, which are %d numbers", k, k, channels, channels*k*k)
		}
		return []int{flat[0], channels, k, k}, "reshaped, in C,H,W order", nil
	}
	if len(flat) == 2 && k == 1 {
		return []int{flat[0], flat[1], 1, 1}, "reshaped, as a 1x1 convolution", nil
	}
	if len(s) != 4 || s[2] != k || s[3] != k {
		return nil, "", fmt.Errorf("%s has kernels of %dx%d in fcnx", layer, k, k)
	}
	if layer == "conv1_1" && s[1] != 3 {
		return nil, "", fmt.Errorf("images have 3 channels, and it wants %d", s[1])
	}
	return s, "", nil
}

// kernels are the sizes of those layers that are not 3x3.
var kernels = map[string]int{
	"fc6": 7, "fc7": 1, "score_fr": 1, "score_pool4": 1, "score_pool3": 1,
	"upscore": 64, "upscore32": 64, "upscore16": 32, "upscore8": 16, "upscore2": 4, "upscore_pool4": 4,
}

// variableOf is the inverse of [layoutOf]: the variable that is shape in PyTorch's layout.
func variableOf(layer, param string, shape []int) (checkpoints.Info, error) {
	v := checkpoints.Info{Name: layer + "/" + param, DType: "F32"}
	transposed := strings.HasPrefix(layer, "upscore")
	switch s := shape; {
	case len(s) == 1 && transposed:
		return v, errors.New("upsampling has no bias in fcnx")
	case len(s) == 1:
		v.Shape = []int{s[0]}
	case transposed && s[1] == 1 && s[0] > 1: // one kernel a class
		v.Shape = []int{s[2], s[3], s[0]}
	case transposed:
		v.Shape = []int{s[2], s[3], s[0], s[1]}
	default:
		v.Shape = []int{s[2], s[3], s[1], s[0]}
	}
	return v, nil
}
