package models

import (
	"fmt"
	"slices"
	"strings"
)

// TakeOverError says why a network cannot start from the variables of another.
type TakeOverError struct {
	// Differ has a line for each key of [model] in which they may not differ: what it
	// is in the source, what here, and which variables do not fit for it.
	Differ []string
	// Fits lists the parts that could be taken over all the same; see [Transfer].
	Fits []string
}

func (e *TakeOverError) Error() string {
	hint := "or start without it"
	if len(e.Fits) > 0 {
		hint = fmt.Sprintf("or take what fits: model.init_parts = [\"%s\"]", strings.Join(e.Fits, `", "`))
	}
	return "the networks do not fit:\n  " + strings.Join(e.Differ, "\n  ") + "\nset these keys as the source has them, " + hint
}

// TakeOver says how a network to starts from one that was trained as from: a finer
// net from a coarser one (section 4.2 of the paper: FCN-32s, then 16s, then 8s) or
// from one of its own kind. It splits the variables of to in those that are shared
// and those that start fresh, which only the layers that from does not have may do:
// score_pool4 and score_pool3, and the upsampling. Of from, only upsampling that to
// does not have is left over.
//
// Anything else would be a network of which a part was silently lost, and is a
// [*TakeOverError].
func TakeOver(from, to Config) (shared, fresh []Variable, err error) {
	if differ := from.differences(to); len(differ) > 0 {
		return nil, nil, &TakeOverError{linesOf(differ), from.fittingParts(to)}
	}
	shared, fresh = from.split(to, nil)
	return shared, fresh, nil
}

// Transfer is TakeOver of some parts alone: [PartEncoder], or it and [PartHead]. These
// must fit; whatever else the networks differ in, the other parts start fresh. So a net
// for other classes, or of another arch or geometry, starts from what an earlier one has
// seen.
func Transfer(from, to Config, parts []string) (shared, fresh []Variable, err error) {
	differ := slices.DeleteFunc(from.differences(to), func(d difference) bool {
		return d.key != "encoder" && d.key != "width" && (d.key != "head" || !slices.Contains(parts, PartHead))
	})
	if len(differ) > 0 {
		fits := slices.DeleteFunc(from.fittingParts(to), func(part string) bool { return !slices.Contains(parts, part) })
		return nil, nil, &TakeOverError{linesOf(differ), fits}
	}
	shared, fresh = from.split(to, parts)
	return shared, fresh, nil
}

// fittingParts are the parts that two networks have in common, of those that mean the
// same in any network.
func (from Config) fittingParts(to Config) []string {
	switch {
	case from.Encoder != to.Encoder || from.Width != to.Width:
		return nil
	case from.Head != to.Head:
		return []string{PartEncoder}
	}
	return []string{PartEncoder, PartHead}
}

// split divides the variables of to in those of the given parts (all, where there are
// none) that from has too, and the rest.
func (from Config) split(to Config, parts []string) (shared, fresh []Variable) {
	theirs := from.Variables()
	for _, v := range to.Variables() {
		if len(parts) > 0 && !slices.Contains(parts, v.Part) {
			fresh = append(fresh, v)
			continue
		}
		i := slices.IndexFunc(theirs, func(t Variable) bool { return t.Path() == v.Path() })
		if i < 0 {
			fresh = append(fresh, v)
			continue
		}
		if !slices.Equal(theirs[i].Shape, v.Shape) {
			panic(fmt.Sprintf("models: %s is %v and %v in networks without differences", v.Path(), theirs[i].Shape, v.Shape))
		}
		shared = append(shared, v)
	}
	return shared, fresh
}

// difference is a key of [model] that two networks do not have in common.
type difference struct{ key, line string }

func linesOf(differ []difference) []string {
	var lines []string
	for _, d := range differ {
		lines = append(lines, d.line)
	}
	return lines
}

// differences lists the keys that keep to from starting from the variables of from.
func (from Config) differences(to Config) []difference {
	var list []difference
	differ := func(key string, theirs, ours any, why string) {
		list = append(list, difference{key, fmt.Sprintf("model.%s: %v in the source, %v here%s", key, theirs, ours, why)})
	}
	if from.Encoder != to.Encoder {
		differ("encoder", from.Encoder, to.Encoder, "")
	}
	if from.Width != to.Width {
		differ("width", from.Width, to.Width, misfit(from, to, "conv1_1"))
	}
	if from.Head != to.Head {
		differ("head", from.Head, to.Head, misfit(from, to, "fc7"))
	}
	if from.Classes != to.Classes {
		differ("classes", from.Classes, to.Classes, misfit(from, to, "score_fr"))
	}
	if from.Geometry != to.Geometry {
		differ("geometry", from.Geometry, to.Geometry, ": the same weights would see pixels in other places")
	}
	if fineness(from.Arch) > fineness(to.Arch) {
		differ("arch", from.Arch, to.Arch, ": a coarser net has no place for the skips of a finer one")
	}
	common := sharedUpscales(from.Arch, to.Arch)
	if from.Upsample != to.Upsample && len(common) > 0 {
		differ("upsample", from.Upsample, to.Upsample, fmt.Sprintf(": %s is in both", common[0].name))
	}
	scaled := slices.ContainsFunc(common, func(up upscale) bool { return up.skip != "" })
	if from.AtOnce != to.AtOnce && scaled {
		differ("at_once", from.AtOnce, to.AtOnce, ": score_pool4 was trained on the other scale")
	}
	return list
}

// misfit shows the weight of a layer on both sides.
func misfit(from, to Config, layer string) string {
	shape := func(c Config) []int {
		vars := c.Variables()
		i := slices.IndexFunc(vars, func(v Variable) bool { return v.Layer == layer && v.Name == "weight" })
		return vars[i].Shape
	}
	return fmt.Sprintf(" (%s/weight is %v there, %v here)", layer, shape(from), shape(to))
}

// fineness is the number of skips.
func fineness(arch string) int { return len(archs[arch]) }

// sharedUpscales are those of b that a has under the same name.
func sharedUpscales(a, b string) []upscale {
	var shared []upscale
	for _, up := range archs[b] {
		if slices.ContainsFunc(archs[a], func(other upscale) bool { return other.name == up.name }) {
			shared = append(shared, up)
		}
	}
	return shared
}
