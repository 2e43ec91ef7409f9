package weights

import (
	"fmt"
	"slices"
	"strings"
)

// Preprocess is how a network that was trained elsewhere sees a byte x:
// ((x * Scale) - Mean) / Std, channel by channel in Order.
type Preprocess struct {
	Order string // rgb | bgr
	Scale float64
	Mean  [3]float64
	Std   [3]float64
}

type namedPreprocess struct {
	name string
	Preprocess
}

// preprocesses are the ones that published weights of VGG nets were trained with.
var preprocesses = []namedPreprocess{
	{"torchvision", Preprocess{"rgb", 1.0 / 255, [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}}},
	{"caffe", Preprocess{"bgr", 1, [3]float64{104.00698793, 116.66876762, 122.67891434}, [3]float64{1, 1, 1}}},
	{"caffe-rgb", Preprocess{"rgb", 1, [3]float64{122.67891434, 116.66876762, 104.00698793}, [3]float64{1, 1, 1}}},
	{"features", Preprocess{"rgb", 1.0 / 255, [3]float64{0.48235, 0.45882, 0.40784}, [3]float64{1.0 / 255, 1.0 / 255, 1.0 / 255}}},
}

// PreprocessNames lists what [NamedPreprocess] knows.
func PreprocessNames() []string {
	var names []string
	for _, p := range preprocesses {
		names = append(names, p.name)
	}
	return names
}

// NamedPreprocess is one of the preprocessings that published weights were trained
// with: "torchvision" (its VGG nets), "caffe" (VGG's own weights and the authors' nets),
// "caffe-rgb" (the same with the channels turned round), "features" (torchvision's
// vgg16_features).
func NamedPreprocess(name string) (Preprocess, error) {
	i := slices.IndexFunc(preprocesses, func(p namedPreprocess) bool { return p.name == name })
	if i < 0 {
		return Preprocess{}, fmt.Errorf("no preprocessing is called %.40q; there are %s", name, strings.Join(PreprocessNames(), ", "))
	}
	return preprocesses[i].Preprocess, nil
}

// Reversed has the channels in the other order.
func (p Preprocess) Reversed() Preprocess {
	if p.Order == "rgb" {
		p.Order = "bgr"
	} else {
		p.Order = "rgb"
	}
	p.Mean[0], p.Mean[2] = p.Mean[2], p.Mean[0]
	p.Std[0], p.Std[2] = p.Std[2], p.Std[0]
	return p
}
