package weights

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// torchvisionFamily is torchvision's VGG: a convolution is "features.N.weight" where N
// counts convolutions, batch norms, ReLUs and poolings alike, and the fully connected
// layers are classifier.0, 3 and 6. segmentation_models.pytorch and files of features
// alone have the same names.
func torchvisionFamily() family {
	return family{
		name:       "torchvision",
		about:      "torchvision's VGG (features.0.weight)",
		preprocess: "torchvision",
		owns: func(tensors map[string][]int) bool {
			return len(tensors["features.0.weight"]) == 4
		},
		places: torchvisionPlaces,
	}
}

// featuresOf lists what torchvision's make_layers calls the layers of a net, by number.
func featuresOf(stages [5]int, norm bool) map[int]string {
	layers, n := map[int]string{}, 0
	for stage, count := range stages {
		for i := range count {
			conv := fmt.Sprintf("conv%d_%d", stage+1, i+1)
			layers[n] = conv
			n += 2 // itself and its ReLU
			if norm {
				layers[n-1] = normOf(conv)
				n++
			}
		}
		n++ // the pooling
	}
	return layers
}

func torchvisionPlaces(tensors map[string][]int) (map[string]place, error) {
	// The numbers of the convolutions tell the net.
	var numbers []int
	for name, shape := range tensors {
		rest, ok := strings.CutPrefix(name, "features.")
		number, param, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if ok && err == nil && param == "weight" && len(shape) == 4 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var layers map[int]string
	for _, v := range vggs {
		for _, norm := range []bool{false, true} {
			candidate := featuresOf(v.stages, norm)
			var convs []int
			for n, layer := range candidate {
				if strings.HasPrefix(layer, "conv") {
					convs = append(convs, n)
				}
			}
			slices.Sort(convs)
			if slices.Equal(convs, numbers) {
				layers = candidate
			}
		}
	}
	if layers == nil {
		return nil, fmt.Errorf("its convolutions are features %s, and none of torchvision's vgg11, 13, 16 and 19 has just these", strings.Trim(fmt.Sprint(numbers), "[]"))
	}
	places := map[string]place{}
	for name := range tensors {
		part, rest, _ := strings.Cut(name, ".")
		number, param, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil:
		case part == "features" && layers[n] != "":
			places[name] = torchPlace(layers[n], param)
		case part == "classifier" && n == 0:
			places[name] = torchPlace("fc6", param)
		case part == "classifier" && n == 3:
			places[name] = torchPlace("fc7", param)
		case part == "classifier" && n == 6:
			places[name] = place{out: "the classifier of the images it was trained on"}
		}
	}
	return places, nil
}

// torchPlace is where a parameter of a torch module belongs.
func torchPlace(layer, param string) place {
	norm := strings.HasPrefix(layer, "bn")
	switch param {
	case "weight", "bias":
		return place{layer: layer, param: param}
	case "running_mean", "running_var":
		if norm {
			return place{layer: layer, param: param}
		}
	case "num_batches_tracked":
		if norm {
			return place{out: "a counter, which takes no part in the network"}
		}
	}
	return place{}
}
