package weights

import "strings"

// caffeFamily is a .caffemodel: blob 0 of a layer is its kernel, blob 1 its bias. The
// authors' at-once net also has layers that multiply by a constant.
func caffeFamily() family {
	return family{
		name:       "caffe",
		about:      "Caffe's (conv1_1/0)",
		preprocess: "caffe",
		owns:       func(tensors map[string][]int) bool { return len(tensors["conv1_1/0"]) == 4 },
		places: func(tensors map[string][]int) (map[string]place, error) {
			places := map[string]place{}
			for name := range tensors {
				layer, blob, _ := strings.Cut(name, "/")
				param := map[string]string{"0": "weight", "1": "bias"}[blob]
				switch {
				case param == "":
				case known(layer) && !strings.HasPrefix(layer, "bn"):
					places[name] = place{layer: layer, param: param}
				case scales[layer] != 0 && blob == "0":
					places[name] = place{layer: layer, param: scaleParam}
				}
			}
			return places, nil
		},
	}
}

// scales are the constants of the authors' at-once net, by the layer that multiplies
// by them: what model.at_once is in fcnx.
var scales = map[string]float64{"scale_pool4": 0.01, "scale_pool3": 0.0001}

// scaleParam is the parameter of a layer of scales.
const scaleParam = "scale"
