package weights

import (
	"fmt"
	"strings"
)

// setting is a key of the configuration and what a set of tensors says it is.
type setting struct{ key, value string }

// hint says which settings would make the network fit the file, as far as names and
// shapes tell.
func hint(file, network map[string][]int) string {
	common := false
	for name := range file {
		if _, found := network[name]; found {
			common = true
		}
	}
	if !common {
		return "no name is on both sides: the file does not have this network's layers"
	}
	var differ []string
	theirs := describe(file)
	for i, ours := range describe(network) {
		if their := theirs[i]; their.value != ours.value && their.value != "" && ours.value != "" {
			differ = append(differ, fmt.Sprintf("%s = %s, not %s", their.key, their.value, ours.value))
		}
	}
	if len(differ) == 0 {
		return ""
	}
	return "the file looks like " + strings.Join(differ, "; ")
}

// describe reads a network's settings from its tensors, in the file's names and
// layout. A value is empty when the tensors do not tell.
func describe(tensors map[string][]int) []setting {
	return []setting{
		{"model.arch", arch(tensors)},
		{"model.encoder", encoder(tensors)},
		{"model.width", outputs(tensors, "conv1_1.weight")},
		{"model.head", outputs(tensors, "fc6.weight")},
		{"model.classes", outputs(tensors, "score_fr.weight")},
		{"model.upsample", upsample(tensors)},
	}
}

func outputs(tensors map[string][]int, name string) string {
	if s := tensors[name]; len(s) > 0 {
		return fmt.Sprint(s[0])
	}
	return ""
}

func arch(tensors map[string][]int) string {
	has := func(name string) bool { return tensors[name] != nil }
	switch {
	case !has("score_fr.weight"):
		return ""
	case has("score_pool3.weight"):
		return "fcn8s"
	case has("score_pool4.weight"):
		return "fcn16s"
	}
	return "fcn32s"
}

// encoder counts convolutions: no two of the VGG nets have the same number.
func encoder(tensors map[string][]int) string {
	count, normalised := 0, ""
	for name := range tensors {
		if strings.HasPrefix(name, "conv") && strings.HasSuffix(name, ".weight") {
			count++
		}
		if strings.HasPrefix(name, "bn") {
			normalised = "_bn"
		}
	}
	for _, v := range vggs {
		if len(convolutions(v.stages)) == count {
			return v.name + normalised
		}
	}
	return ""
}

// upsample tells a kernel for each pair of classes from one for each class.
func upsample(tensors map[string][]int) string {
	if tensors["score_fr.weight"] == nil {
		return ""
	}
	kind := "bilinear"
	for name, s := range tensors {
		if !strings.HasPrefix(name, "upscore") || len(s) != 4 {
			continue
		}
		kind = "learned"
		if s[1] == 1 && s[0] > 1 {
			return "depthwise"
		}
	}
	return kind
}
