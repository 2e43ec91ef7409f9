package datasets

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChain(t *testing.T) {
	step := func(mark string) Transform {
		return func(rng *rand.Rand, s Sample) (Sample, error) {
			s.ID += mark
			return s, nil
		}
	}
	s, err := Chain(step("1"), step("2"), step("3"))(testRNG(1), Sample{ID: "x"})
	require.NoError(t, err)
	require.Equal(t, "x123", s.ID)

	wrong := errors.New("wrong")
	fail := func(_ *rand.Rand, s Sample) (Sample, error) { return s, wrong }
	s, err = Chain(step("1"), fail, step("2"))(testRNG(1), Sample{ID: "x"})
	require.ErrorIs(t, err, wrong)
	require.Equal(t, "x1", s.ID, "nothing runs after an error")
}

func TestFlipLR(t *testing.T) {
	flipped := 0
	for seed := range uint64(200) {
		size := extent{1 + int(seed%3), 1 + int(seed%6)}
		before := testSample(size, seed)
		after, err := FlipLR()(testRNG(seed), before.clone())
		require.NoError(t, err)
		if size.w == 1 {
			require.Equal(t, before, after)
			continue
		}
		mirrored := after.Image.Pix[0] != before.Image.Pix[0] || after.Label.Pix[0] != before.Label.Pix[0]
		if mirrored {
			flipped++
		}
		for y := range size.h {
			for x := range size.w {
				from := x
				if mirrored {
					from = size.w - 1 - x
				}
				require.Equal(t, before.Image.NRGBAAt(from, y), after.Image.NRGBAAt(x, y))
				require.Equal(t, before.Label.GrayAt(from, y), after.Label.GrayAt(x, y))
			}
		}
	}
	require.Greater(t, flipped, 50)
	require.Less(t, flipped, 120)
}

// Every transform must leave a sample without label without one, and must write
// nowhere but into the sample.
func TestTransformsWithoutLabel(t *testing.T) {
	all := map[string]Transform{
		"resize": Resize(5, 9),
		"scale":  ScaleJitter(0.5, 2),
		"crop":   Crop(30, 30, grey128),
		"flip":   FlipLR(),
		"jitter": ColorJitter(0.5),
		"chain":  Chain(ScaleJitter(0.5, 2), Crop(8, 8, grey128), FlipLR(), ColorJitter(0.1)),
	}
	for name, transform := range all {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				labelled := testSample(extent{11, 13}, seed)
				plain := labelled.clone()
				plain.Label = nil
				withLabel, err := transform(testRNG(seed), labelled)
				require.NoError(t, err)
				without, err := transform(testRNG(seed), plain)
				require.NoError(t, err)
				require.Nil(t, without.Label)
				require.Equal(t, withLabel.Image, without.Image, "the label must not change the image")
				require.Equal(t, withLabel.Image.Rect.Size(), withLabel.Label.Rect.Size())
				for i := 3; i < len(without.Image.Pix); i += 4 {
					require.EqualValues(t, 255, without.Image.Pix[i], "alpha")
				}
			}
		})
	}
}
