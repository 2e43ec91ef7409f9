package picture_test

import (
	"image"
	"image/color"
	"image/color/palette"
	"math/rand/v2"
	"regexp"
	"strconv"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/tui/picture"
)

func TestFit(t *testing.T) {
	for _, test := range []struct{ w, h, cols, rows, c, r int }{
		{320, 240, 50, 19, 50, 19}, // 50 wide, 37.5 pixels tall
		{320, 240, 80, 10, 27, 10}, // rows are short
		{100, 100, 20, 20, 20, 10},
		{960, 720, 13, 3, 8, 3},
		{1, 1000, 50, 20, 1, 20}, // never nothing
		{1000, 1, 50, 20, 50, 1},
		{0, 5, 50, 20, 0, 0},
		{5, 5, 0, 20, 0, 0},
		{5, 5, 3, -1, 0, 0},
	} {
		c, r := picture.Fit(test.w, test.h, test.cols, test.rows)
		require.Equal(t, [2]int{test.c, test.r}, [2]int{c, r}, "%+v", test)
	}
}

// tiny is red above blue on the left, green above white on the right, 2x2 pixels each.
func tiny() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(10, 20, 14, 24)) // not at the origin, as halves are not
	for y := range 4 {
		for x := range 4 {
			img.SetNRGBA(10+x, 20+y, [2][2]color.NRGBA{
				{{255, 0, 0, 255}, {0, 255, 0, 255}}, {{0, 0, 255, 255}, {255, 255, 255, 255}}}[y/2][x/2])
		}
	}
	return img
}

func TestHalfBlocks(t *testing.T) {
	want := []string{"\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀\x1b[38;2;0;255;0m\x1b[48;2;255;255;255m▀\x1b[m"}
	require.Equal(t, want, picture.HalfBlocks(tiny(), 2, 1))
	require.Equal(t, want, picture.HalfBlocksNearest(tiny(), 2, 1))
	require.Equal(t, []string{"\x1b[38;2;128;128;0m\x1b[48;2;128;128;255m▀\x1b[m"}, picture.HalfBlocks(tiny(), 1, 1), "the mean")

	plain := image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Gray{7}})
	require.Equal(t, []string{"\x1b[38;2;7;7;7m\x1b[48;2;7;7;7m▀▀▀\x1b[m"}, picture.HalfBlocks(plain, 3, 1), "a colour is said once")

	clear := image.NewNRGBA(image.Rect(0, 0, 2, 2))
	require.Equal(t, []string{"\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀\x1b[m"}, picture.HalfBlocks(clear, 1, 1), "over black")
}

// A slow twin: the mean of the pixels between the rounded edges, one At at a time.
func TestHalfBlocksMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		w, h, cols, rows := 1+rng.IntN(40), 1+rng.IntN(40), 1+rng.IntN(30), 1+rng.IntN(15)
		img := noise(rng, w, h)
		var want []string
		for y := range 2 * rows {
			for x := range cols {
				var sum [3]float64
				n := 0.0
				for sy := y * h / (2 * rows); n == 0 || sy < (y+1)*h/(2*rows); sy++ {
					for sx := x * w / cols; sx == x*w/cols || sx < (x+1)*w/cols; sx++ {
						c := img.NRGBAAt(sx, sy)
						sum[0], sum[1], sum[2] = sum[0]+float64(c.R), sum[1]+float64(c.G), sum[2]+float64(c.B)
						n++
					}
				}
				want = append(want, strconv.Itoa(int(sum[0]/n+0.5))+";"+strconv.Itoa(int(sum[1]/n+0.5))+";"+strconv.Itoa(int(sum[2]/n+0.5)))
			}
		}
		require.Equal(t, want, colours(t, picture.HalfBlocks(img, cols, rows)))
	}
}

var sgr = regexp.MustCompile(`\x1b\[([34])8;2;([0-9;]+)m|▀`)

// colours are those of all pixels, row by row.
func colours(t *testing.T, lines []string) []string {
	t.Helper()
	var out []string
	for _, line := range lines {
		var upper, lower []string
		var fg, bg string
		for _, m := range sgr.FindAllStringSubmatch(line, -1) {
			switch m[1] {
			case "3":
				fg = m[2]
			case "4":
				bg = m[2]
			default:
				upper, lower = append(upper, fg), append(lower, bg)
			}
		}
		out = append(append(out, upper...), lower...)
	}
	return out
}

func noise(rng *rand.Rand, w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

// A mask shows no class that is not in it.
func TestHalfBlocksNearestMixesNothing(t *testing.T) {
	classes := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{200, 100, 0, 255}, color.RGBA{9, 99, 199, 255}}
	mask := image.NewPaletted(image.Rect(0, 0, 37, 23), classes)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range mask.Pix {
		mask.Pix[i] = uint8(rng.IntN(3))
	}
	for _, size := range [][2]int{{5, 3}, {37, 12}, {80, 40}} {
		for _, c := range colours(t, picture.HalfBlocksNearest(mask, size[0], size[1])) {
			require.Contains(t, []string{"1;2;3", "200;100;0", "9;99;199"}, c)
		}
	}
}

func letter(c color.Color) byte {
	r, g, b, _ := c.RGBA()
	return "krgybmcw"[r>>15|g>>15<<1|b>>15<<2]
}

func TestLettersAndShades(t *testing.T) {
	require.Equal(t, []string{"rrgg", "rrgg", "bbww", "bbww"}, picture.Letters(tiny(), 4, 4, letter))
	require.Equal(t, []string{"rg", "bw"}, picture.Letters(tiny(), 2, 2, letter))
	// Luminance 76, 149, 29 and 255 of 256, in tenths.
	require.Equal(t, []string{"::++", "..@@"}, picture.Shades(tiny(), 4, 2, true))
	require.Equal(t, []string{"**==", "%%  "}, picture.Shades(tiny(), 4, 2, false))
}

func TestSizesAreExact(t *testing.T) {
	img := noise(rand.New(rand.NewPCG(5, 6)), 31, 17)
	for _, img := range []image.Image{img, img.SubImage(image.Rect(9, 9, 10, 10)), image.NewGray(image.Rectangle{})} {
		for cols := range 21 {
			for rows := range 11 {
				for name, lines := range map[string][]string{
					"half":        picture.HalfBlocks(img, cols, rows),
					"nearest":     picture.HalfBlocksNearest(img, cols, rows),
					"letters":     picture.Letters(img, cols, rows, letter),
					"shades":      picture.Shades(img, cols, rows, true),
					"placeholder": picture.Placeholder(picture.FirstID, cols, rows),
				} {
					require.Len(t, lines, rows, name)
					for _, line := range lines {
						require.Equal(t, cols, ansi.StringWidth(line), "%s %dx%d %q", name, cols, rows, line)
					}
				}
			}
		}
	}
	require.Empty(t, picture.HalfBlocks(img, -1, -1))
}

// As they come out of files: photographs as RGBA, masks with a palette.
func BenchmarkHalfBlocks(b *testing.B) {
	photograph := image.NewRGBA(image.Rect(0, 0, 320, 240))
	copy(photograph.Pix, noise(rand.New(rand.NewPCG(7, 8)), 320, 240).Pix)
	mask := image.NewPaletted(photograph.Bounds(), palette.WebSafe)
	for i := range mask.Pix {
		mask.Pix[i] = uint8(i / 1000)
	}
	b.Run("photograph", func(b *testing.B) {
		for b.Loop() {
			picture.HalfBlocks(photograph, 50, 19)
		}
	})
	b.Run("mask", func(b *testing.B) {
		for b.Loop() {
			picture.HalfBlocksNearest(mask, 50, 19)
		}
	})
}
