package train

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fcnx/fcnx/models"
)

// GroupSummary says in one line which layers do not learn and which do at a rate of
// their own: "frozen: conv1_1..conv2_2 (260 k of 134.3 M parameters); x10: score_fr".
// It is "" where all learn alike. What was never to learn, fixed upsampling and
// running averages, is left out.
func (t TrainConfig) GroupSummary(vars []models.Variable) string {
	all := layers(vars)
	var frozen []string
	still, parameters := 0, 0
	byRate := map[float64][]string{}
	for _, layer := range all {
		rate, size := 0.0, 0
		for _, v := range vars {
			if v.Layer != layer || !v.Learns() {
				continue
			}
			size += v.Size()
			if g := t.groupOf(v); !g.frozen && v.Role != models.Bias {
				rate = g.rate
			}
		}
		parameters += size
		if rate == 0 {
			frozen = append(frozen, layer)
			still += size
		} else {
			byRate[rate] = append(byRate[rate], layer)
		}
	}

	var parts []string
	if len(frozen) > 0 {
		parts = append(parts, fmt.Sprintf("frozen: %s (%s of %s parameters)", ranges(frozen, all), count(still), count(parameters)))
	}
	for _, rate := range slices.Sorted(maps.Keys(byRate)) {
		if rate != 1 {
			parts = append(parts, fmt.Sprintf("x%s: %s", figure(rate), ranges(byRate[rate], all)))
		}
	}
	if t.BiasLR != 1 {
		parts = append(parts, fmt.Sprintf("biases: x%s", figure(t.BiasLR)))
	}
	return strings.Join(parts, "; ")
}

// MovingNorms lists, as ranges, the batch norms that learn on behind convolutions that
// do not, and "" where there are none. What such a convolution was taught to give does
// not stay: the norm's averages follow the new images.
func (t TrainConfig) MovingNorms(vars []models.Variable) string {
	all, frozen := layers(vars), t.frozenLayers(vars)
	var moving []string
	for _, layer := range all {
		norm := "bn" + strings.TrimPrefix(layer, "conv")
		if strings.HasPrefix(layer, "conv") && frozen(layer) && slices.Contains(all, norm) && !frozen(norm) {
			moving = append(moving, norm)
		}
	}
	return ranges(moving, all)
}

// ranges writes layers, in the order of all, as "conv1_1..conv3_3, fc6": three and
// more neighbours of one kind are a range. Kinds are told by the letters before the
// first digit, so that batch norms between convolutions do not part them.
func ranges(some, all []string) string {
	var kinds []string
	members := map[string][]string{}
	for _, layer := range all {
		kind := strings.TrimRight(layer, "0123456789_")
		if strings.Trim(layer[len(kind):], "0123456789") != "_" {
			kind = layer // fc6 and score_fr are no fifth or sixth of anything
		}
		if members[kind] == nil {
			kinds = append(kinds, kind)
		}
		members[kind] = append(members[kind], layer)
	}
	var texts []string
	for _, kind := range kinds {
		var run []string
		flush := func() {
			if len(run) > 2 {
				run = []string{run[0] + ".." + run[len(run)-1]}
			}
			texts = append(texts, run...)
			run = nil
		}
		for _, layer := range members[kind] {
			if slices.Contains(some, layer) {
				run = append(run, layer)
			} else {
				flush()
			}
		}
		flush()
	}
	return strings.Join(texts, ", ")
}

// count writes a number of parameters: 812, 260 k, 134.3 M.
func count(n int) string {
	switch {
	case n < 1000:
		return strconv.Itoa(n)
	case n < 999_500:
		return fmt.Sprintf("%.0f k", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f M", float64(n)/1e6)
}

// figure writes a rate with the three digits that matter.
func figure(x float64) string {
	if math.Abs(x) >= 1000 && math.Abs(x) < 1e7 {
		return strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
