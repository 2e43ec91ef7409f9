package score

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slowErrors asks every pixel of the image about every other.
func slowErrors(truth, prediction []uint8, height, width int) []Outcome {
	at := func(y, x int) uint8 { return truth[y*width+x] }
	isBorder := func(y, x int) bool {
		return y > 0 && at(y-1, x) != at(y, x) || y < height-1 && at(y+1, x) != at(y, x) ||
			x > 0 && at(y, x-1) != at(y, x) || x < width-1 && at(y, x+1) != at(y, x)
	}
	outcomes := make([]Outcome, len(truth))
	for y := range height {
		for x := range width {
			i := y*width + x
			if truth[i] == Ignore {
				outcomes[i] = Unlabelled
			} else if truth[i] != prediction[i] {
				outcomes[i] = Elsewhere
				for v := range height {
					for u := range width {
						if isBorder(v, u) && max(v-y, y-v, u-x, x-u) <= BorderReach {
							outcomes[i] = NearBorder
						}
					}
				}
			}
		}
	}
	return outcomes
}

func TestErrorsAgainstTheSlowTwin(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {1, 1}, {1, 30}, {30, 1}, {2, 2}, {17, 23}, {24, 9}} {
		for _, blocks := range []int{1, 2, 8, 100} {
			t.Run(fmt.Sprintf("%dx%d in %d", size[0], size[1], blocks), func(t *testing.T) {
				height, width := size[0], size[1]
				rng := rand.New(rand.NewPCG(uint64(height), uint64(width*blocks)))
				truth, prediction := make([]uint8, height*width), make([]uint8, height*width)
				// Rectangles over one another make borders, and places without any.
				for range blocks {
					label := []uint8{0, 1, 2, Ignore}[rng.IntN(4)]
					top, left := rng.IntN(height+1), rng.IntN(width+1)
					for y := top; y < min(height, top+12); y++ {
						for x := left; x < min(width, left+12); x++ {
							truth[y*width+x] = label
						}
					}
				}
				for i := range prediction {
					prediction[i] = uint8(rng.IntN(3))
				}
				got, err := Errors(truth, prediction, height, width)
				require.NoError(t, err)
				require.Equal(t, slowErrors(truth, prediction, height, width), got.Pixels)
				var counts [4]int
				for _, o := range got.Pixels {
					counts[o]++
				}
				for o, n := range counts {
					require.Equal(t, n, got.Count(Outcome(o)))
				}
			})
		}
	}
}

// A picture of what counts as near: dots are right, n and e are wrong.
func TestErrorsPicture(t *testing.T) {
	truth := parseMask(
		"000000000011",
		"000000000011",
		"000000000011",
		"000000000011",
		"-00000000011",
	)
	prediction := parseMask(
		"000001100000",
		"010000000000",
		"000000000011",
		"000000000011",
		"000010000011",
	)
	got, err := Errors(truth, prediction, 5, 12)
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		".....en...nn",
		".n........nn",
		"............",
		"............",
		"-...n.......",
	}, "\n"), draw(got.Pixels, 12))
	require.InDelta(t, 8./59, got.Share(), 1e-12)
	require.InDelta(t, 7./8, got.BorderShare(), 1e-12)
}

func TestErrorsOfNothing(t *testing.T) {
	all, err := Errors([]uint8{Ignore, Ignore}, []uint8{0, 1}, 1, 2)
	require.NoError(t, err)
	require.Zero(t, all.Share())
	require.Zero(t, all.BorderShare())
	for _, wrong := range [][2]int{{2, 2}, {-1, -2}, {0, 0}} {
		_, err = Errors([]uint8{1, 2}, []uint8{0, 1}, wrong[0], wrong[1])
		require.ErrorContains(t, err, "2 labels and 2 predictions for an image of")
	}
	_, err = Errors([]uint8{1, 2}, []uint8{0}, 1, 2)
	require.ErrorContains(t, err, "1 predictions")
}

func TestWorst(t *testing.T) {
	tests := map[string]struct {
		counts []int64
		want   int
		ok     bool
	}{
		"the lowest":                         {[]int64{9, 1, 0, 5, 5, 0, 0, 0, 7}, 1, true},
		"not one that is only predicted":     {[]int64{9, 1, 0, 0, 0, 0, 0, 0, 7}, 0, true},
		"of equals the first":                {[]int64{2, 0, 0, 0, 2, 0, 0, 0, 2}, 0, true},
		"with no pixel right":                {[]int64{9, 0, 0, 1, 0, 0, 0, 0, 7}, 1, true},
		"none where there is nothing to see": {make([]int64, 9), 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := New(3)
			require.NoError(t, c.AddCounts(test.counts))
			class, ok := c.Worst()
			require.Equal(t, test.ok, ok)
			require.Equal(t, test.want, class)
		})
	}
}

func TestOutcomeColors(t *testing.T) {
	seen := map[any]bool{}
	for o := Right; o <= Unlabelled; o++ {
		require.EqualValues(t, 255, o.Color().A)
		seen[o.Color()] = true
	}
	require.Len(t, seen, 4)
}

func parseMask(rows ...string) (mask []uint8) {
	for _, c := range strings.Join(rows, "") {
		if c == '-' {
			mask = append(mask, Ignore)
		} else {
			mask = append(mask, uint8(c-'0'))
		}
	}
	return mask
}

func draw(pixels []Outcome, width int) string {
	var b strings.Builder
	for i, o := range pixels {
		if i > 0 && i%width == 0 {
			b.WriteByte('\n')
		}
		b.WriteByte(".ne-"[o])
	}
	return b.String()
}

func BenchmarkErrors(b *testing.B) {
	const height, width = 720, 960
	rng := rand.New(rand.NewPCG(1, 2))
	truth, prediction := make([]uint8, height*width), make([]uint8, height*width)
	for i := range truth {
		truth[i] = uint8(i / 90 % 11)
		prediction[i] = uint8(rng.IntN(11))
	}
	for b.Loop() {
		if _, err := Errors(truth, prediction, height, width); err != nil {
			b.Fatal(err)
		}
	}
}
