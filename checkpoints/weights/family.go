package weights

import (
	"fmt"
	"slices"
	"strings"
)

// family is one convention by which programs call a network's tensors.
type family struct {
	name  string // "torchvision"
	about string // "torchvision's VGG nets: features.0.weight"
	// preprocess names what weights under such names were trained with, "" where the
	// names do not tell.
	preprocess string
	// owns tells whether a file with these tensors is of the family at all.
	owns func(tensors map[string][]int) bool
	// places says of each tensor where it belongs. It is an error where the file is of
	// the family and of no network that there is.
	places func(tensors map[string][]int) (map[string]place, error)
}

// place is where a tensor belongs: in a layer's parameter, or nowhere and why. The
// zero place is that of a tensor which the family does not know.
type place struct {
	layer, param string // "conv1_1", "weight"
	out          string // "the classifier of ImageNet"
}

// families are all that are known. They are tried in turn, and at most one may own a
// file.
func families() []family {
	return []family{torchvisionFamily(), paperFamily(), chainerFamily(), caffeFamily()}
}

// wrappers are what programs put before all names of a network that is a part of
// something: nn.DataParallel, a field of a model, a key of a saved dictionary.
var wrappers = []string{"module.", "encoder.", "backbone.", "model.", "net.", "network.", "state_dict.", "model_state_dict."}

// unwrap takes off the longest wrapping that all names have and that leaves names
// which a family owns. prefix is what was
// taken off.
func unwrap(tensors map[string][]int) (stripped map[string][]int, prefix string) {
	for {
		for _, f := range families() {
			if f.owns(tensors) {
				return tensors, prefix
			}
		}
		i := slices.IndexFunc(wrappers, func(w string) bool {
			for name := range tensors {
				if !strings.HasPrefix(name, w) {
					return false
				}
			}
			return len(tensors) > 0
		})
		if i < 0 {
			return tensors, prefix
		}
		inner := map[string][]int{}
		for name, shape := range tensors {
			inner[strings.TrimPrefix(name, wrappers[i])] = shape
		}
		tensors, prefix = inner, prefix+wrappers[i]
	}
}

// familyOf finds the one family that owns the tensors.
func familyOf(path string, tensors map[string][]int) (family, error) {
	var owners []family
	for _, f := range families() {
		if f.owns(tensors) {
			owners = append(owners, f)
		}
	}
	switch len(owners) {
	case 1:
		return owners[0], nil
	case 0:
		if tensors["conv1_1/weight"] != nil {
			return family{}, fmt.Errorf("%s is the inside of a checkpoint; name the run's directory instead", path)
		}
		return family{}, &UnknownNamesError{path, sortedNames(tensors), nil}
	}
	e := &UnknownNamesError{path, sortedNames(tensors), nil}
	for _, f := range owners {
		e.Families = append(e.Families, f.about)
	}
	return family{}, e
}

// UnknownNamesError says that a file's tensors have names of no known network, or of
// several.
type UnknownNamesError struct {
	Path     string
	Names    []string // all of them, sorted
	Families []string // whose names are among them; nil: none
}

// namesShown is the number of names that a message lists.
const namesShown = 12

func (e *UnknownNamesError) Error() string {
	var b strings.Builder
	if len(e.Families) > 0 {
		fmt.Fprintf(&b, "%s has names of several kinds of file (%s), and which are meant cannot be told", e.Path, strings.Join(e.Families, "; "))
	} else {
		fmt.Fprintf(&b, "%s holds no VGG or FCN under names that are known; there are", e.Path)
		for i, f := range families() {
			if i > 0 {
				b.WriteString(";")
			}
			b.WriteString(" " + f.about)
		}
	}
	fmt.Fprintf(&b, "\nits %d tensors are called", len(e.Names))
	for i, name := range e.Names[:min(len(e.Names), namesShown)] {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %.60q", name)
	}
	if len(e.Names) > namesShown {
		b.WriteString(", ...")
	}
	return b.String()
}

func sortedNames[T any](tensors map[string]T) []string {
	names := make([]string, 0, len(tensors))
	for name := range tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// known tells whether fcnx has a layer of that name in some network. "conv" and "bn"
// have a stage and a number.
func known(layer string) bool {
	switch layer {
	case "fc6", "fc7", "score_fr", "score_pool4", "score_pool3",
		"upscore", "upscore2", "upscore_pool4", "upscore8", "upscore16", "upscore32":
		return true
	}
	number, ok := strings.CutPrefix(layer, "conv")
	if !ok {
		number, ok = strings.CutPrefix(layer, "bn")
	}
	return ok && len(number) == 3 && number[0] >= '1' && number[0] <= '5' && number[1] == '_' && number[2] >= '1' && number[2] <= '4'
}
