package models

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func coarse() Config {
	return Config{Arch: "fcn32s", Encoder: "vgg16_bn", Classes: 5, Width: 4, Head: 8, Upsample: Learned, Geometry: Same, Dropout: 0.5}
}

func paths(vars []Variable) []string {
	var all []string
	for _, v := range vars {
		all = append(all, v.Path())
	}
	return all
}

func TestTakeOverOfAFinerNet(t *testing.T) {
	for _, c := range []struct{ from, to, fresh string }{
		{"fcn32s", "fcn32s", ""},
		{"fcn32s", "fcn16s", "upscore2/weight score_pool4/weight score_pool4/bias upscore16/weight"},
		{"fcn16s", "fcn8s", "upscore_pool4/weight score_pool3/weight score_pool3/bias upscore8/weight"},
		{"fcn32s", "fcn8s", "upscore2/weight score_pool4/weight score_pool4/bias upscore_pool4/weight score_pool3/weight score_pool3/bias upscore8/weight"},
		{"fcn8s", "fcn8s", ""},
	} {
		from, to := coarse(), coarse()
		from.Arch, to.Arch = c.from, c.to
		to.Dropout = 0 // leaves every weight what it is
		shared, fresh, err := TakeOver(from, to)
		require.NoError(t, err, "%s to %s", c.from, c.to)
		require.Equal(t, c.fresh, strings.Join(paths(fresh), " "), "%s to %s", c.from, c.to)
		require.Len(t, to.Variables(), len(shared)+len(fresh))
		require.Contains(t, paths(shared), "bn5_3/running_var")
		require.Contains(t, paths(shared), "score_fr/weight")
	}
}

// The upsampling of the coarser net is thrown away, so its kind does not matter
// where no layer of it is in both.
func TestTakeOverWithOtherUpsampling(t *testing.T) {
	from, to := coarse(), coarse()
	to.Arch, to.Upsample, to.AtOnce = "fcn8s", Bilinear, true
	_, fresh, err := TakeOver(from, to)
	require.NoError(t, err)
	require.Equal(t, "score_pool4/weight score_pool4/bias score_pool3/weight score_pool3/bias", strings.Join(paths(fresh), " "))

	from.Arch = "fcn16s"
	_, _, err = TakeOver(from, to)
	require.ErrorContains(t, err, "model.upsample: learned in the source, bilinear here: upscore2 is in both\n")
	require.ErrorContains(t, err, "model.at_once: false in the source, true here")
}

func TestTakeOverRefuses(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"model.encoder: vgg16_bn in the source, vgg16 here":                                                     func(c *Config) { c.Encoder = "vgg16" },
		"model.width: 4 in the source, 6 here (conv1_1/weight is [3 3 3 4] there, [3 3 3 6] here)":              func(c *Config) { c.Width = 6 },
		"model.head: 8 in the source, 9 here (fc7/weight is [1 1 8 8] there, [1 1 9 9] here)":                   func(c *Config) { c.Head = 9 },
		"model.classes: 5 in the source, 21 here (score_fr/weight is [1 1 8 5] there, [1 1 8 21] here)":         func(c *Config) { c.Classes = 21 },
		"model.geometry: same in the source, paper here: the same weights would see pixels in other places":     func(c *Config) { c.Geometry = Paper },
		"model.upsample: learned in the source, depthwise here: upscore2 is in both":                            func(c *Config) { c.Upsample = Depthwise },
		"model.at_once: false in the source, true here: score_pool4 was trained on the other scale":             func(c *Config) { c.AtOnce = true },
		"model.arch: fcn8s in the source, fcn16s here: a coarser net has no place for the skips of a finer one": func(c *Config) { c.Arch = "fcn16s" },
		"model.arch: fcn8s in the source, fcn32s here":                                                          func(c *Config) { c.Arch = "fcn32s" },
	} {
		from := coarse()
		from.Arch = "fcn8s"
		to := from
		change(&to)
		_, _, err := TakeOver(from, to)
		require.ErrorContains(t, err, "\n  "+want)
		require.Equal(t, 2, strings.Count(err.Error(), "\n"), "one key differs, and one line says so: %v", err)
	}
}

// Whatever passes leaves nothing over but upsampling, has nothing fresh but skips
// and upsampling, and shares only what has the same shape: told from the variables
// alone, over all pairs of networks.
func TestTakeOverAgainstTheVariables(t *testing.T) {
	var all []Config
	for _, arch := range Archs() {
		for _, encoder := range []string{"vgg11", "vgg13_bn"} {
			for _, classes := range []int{2, 3} {
				for _, upsample := range []string{Learned, Depthwise, Bilinear} {
					for _, width := range []int{2, 3} {
						c := coarse()
						c.Arch, c.Encoder, c.Classes, c.Upsample, c.Width = arch, encoder, classes, upsample, width
						all = append(all, c)
					}
				}
			}
		}
	}
	passed := 0
	for _, from := range all {
		for _, to := range all {
			shapes := map[string][]int{}
			for _, v := range from.Variables() {
				shapes[v.Path()] = v.Shape
			}
			fits := true
			for _, v := range to.Variables() {
				if shape, both := shapes[v.Path()]; both {
					fits = fits && slices.Equal(shape, v.Shape)
					delete(shapes, v.Path())
				} else {
					fits = fits && (strings.HasPrefix(v.Layer, "score_pool") || v.Part == PartUpsample)
				}
			}
			for path := range maps.Keys(shapes) {
				fits = fits && strings.HasPrefix(path, "upscore")
			}
			_, _, err := TakeOver(from, to)
			if err == nil {
				passed++
				require.True(t, fits, "%v to %v", from, to)
			} else if fits {
				// Names and shapes do not tell everything: a layer in both whose kernel
				// was learned and now is not.
				require.NotEqual(t, from.Upsample, to.Upsample, "%v to %v: %v", from, to, err)
			}
		}
	}
	require.Positive(t, passed)
}

func TestTransferOfParts(t *testing.T) {
	from := coarse()
	to := from
	to.Arch, to.Classes, to.Geometry, to.Upsample, to.AtOnce = "fcn8s", 21, Paper, Bilinear, true
	_, _, err := TakeOver(from, to)
	require.ErrorContains(t, err, "\nset these keys as the source has them, or take what fits: model.init_parts = [\"encoder\", \"head\"]")

	both := []string{PartEncoder, PartHead}
	for _, parts := range [][]string{both, both[:1]} {
		shared, fresh, err := Transfer(from, to, parts)
		require.NoError(t, err)
		require.Len(t, to.Variables(), len(shared)+len(fresh))
		for _, v := range shared {
			require.Contains(t, parts, v.Part)
		}
		for _, v := range fresh {
			require.NotContains(t, parts, v.Part)
		}
	}

	// What is not taken need not fit; what is taken must.
	to.Head = 9
	_, _, err = Transfer(from, to, both[:1])
	require.NoError(t, err)
	_, _, err = Transfer(from, to, both)
	require.ErrorContains(t, err, "model.head: 8 in the source, 9 here")
	require.ErrorContains(t, err, "or take what fits: model.init_parts = [\"encoder\"]")
	to.Encoder = "vgg16"
	_, _, err = Transfer(from, to, both[:1])
	require.EqualError(t, err, "the networks do not fit:\n  model.encoder: vgg16_bn in the source, vgg16 here\nset these keys as the source has them, or start without it")
}
