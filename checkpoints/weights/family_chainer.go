package weights

import "strings"

// chainerFamily is what chainer.serializers.save_npz writes: a link's W and b. Kernels
// lie as PyTorch's do, those of Deconvolution2D too.
func chainerFamily() family {
	return family{
		name:       "chainer",
		about:      "Chainer's (conv1_1/W)",
		preprocess: "caffe",
		owns:       func(tensors map[string][]int) bool { return len(tensors["conv1_1/W"]) == 4 },
		places: func(tensors map[string][]int) (map[string]place, error) {
			places := map[string]place{}
			for name := range tensors {
				layer, link, _ := strings.Cut(name, "/")
				param := map[string]string{"W": "weight", "b": "bias"}[link]
				if known(layer) && !strings.HasPrefix(layer, "bn") && param != "" {
					places[name] = place{layer: layer, param: param}
				}
			}
			return places, nil
		},
	}
}
