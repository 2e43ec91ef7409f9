package weights

import "strings"

// paperFamily has the paper's layer names with PyTorch's parameters: pytorch-fcn's
// files, and those that fcnx writes. Only what pytorch-fcn's nets look like was surely
// trained with Caffe's preprocessing; see [Source.assume].
func paperFamily() family {
	return family{
		name:  "pytorch-fcn",
		about: "the paper's layers in PyTorch (conv1_1.weight), as pytorch-fcn and fcnx write them",
		owns:  func(tensors map[string][]int) bool { return len(tensors["conv1_1.weight"]) == 4 },
		places: func(tensors map[string][]int) (map[string]place, error) {
			places := map[string]place{}
			for name := range tensors {
				layer, param, _ := strings.Cut(name, ".")
				if known(layer) {
					places[name] = torchPlace(layer, param)
				}
			}
			return places, nil
		},
	}
}
