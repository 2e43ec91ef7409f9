package datasets

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func TestParseClasses(t *testing.T) {
	classes, err := ParseClasses([]byte("\ufeffroad\r\n traffic light\t#FAAA1e \nC# code\n\n \n"))
	require.NoError(t, err)
	require.Equal(t, []Class{{"road", VOCColor(0)}, {"traffic light", rgba(0xfa, 0xaa, 0x1e)}, {"C# code", VOCColor(2)}}, classes)
	for text, want := range map[string]string{
		"":                         "classes.txt:1: no class name; each line names the class of that label, from 0 on",
		"a\n\nb":                   "classes.txt:2: no class name; each line names the class of that label, from 0 on",
		"#ffffff":                  "classes.txt:1: no class name; each line names the class of that label, from 0 on",
		"a\nb\na":                  `classes.txt:3: class "a" is on line 1 already`,
		"a #12345":                 `classes.txt:1: "#12345" is not a colour like #faaa1e`,
		"a #+12345":                `classes.txt:1: "#+12345" is not a colour like #faaa1e`,
		"a\x07":                    `classes.txt:1: control character in the class name "a\a"`,
		"a\xff":                    "classes.txt: not UTF-8 text",
		strings.Repeat("a\n", 256): "classes.txt: 256 lines, but there can be at most 255 classes",
	} {
		_, err := ParseClasses([]byte(text))
		require.EqualError(t, err, want, "%q", text)
	}
}

func FuzzParseClasses(f *testing.F) {
	memtest.Cap(f)
	for _, seed := range []string{"a\nb #ff0000\n", "\ufeffx\r\n", "a\n\nb", "#123456", "c #"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var classes []Class
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 64}.Within(t, len(text), func() { classes, err = ParseClasses([]byte(text)) })
		if err != nil {
			return
		}
		require.NotEmpty(t, classes)
		require.LessOrEqual(t, len(classes), maxClasses)
		seen := map[string]bool{}
		for _, class := range classes {
			require.NotEmpty(t, class.Name)
			require.False(t, seen[class.Name])
			seen[class.Name] = true
		}
	})
}

// Source: the colour table of the VOC2012 development kit.
func TestVOCColor(t *testing.T) {
	want := map[uint8]color.RGBA{
		0: rgba(0, 0, 0), 1: rgba(128, 0, 0), 2: rgba(0, 128, 0), 3: rgba(128, 128, 0), 4: rgba(0, 0, 128), 5: rgba(128, 0, 128),
		6: rgba(0, 128, 128), 7: rgba(128, 128, 128), 8: rgba(64, 0, 0), 9: rgba(192, 0, 0), 15: rgba(192, 128, 128),
		16: rgba(0, 64, 0), 20: rgba(0, 64, 128), 255: rgba(224, 224, 192),
	}
	for label, c := range want {
		require.Equal(t, c, VOCColor(label), label)
	}
	// Every label has its own, or masks could not be turned back into labels.
	seen := map[color.RGBA]bool{}
	for label := range 256 {
		seen[VOCColor(uint8(label))] = true
	}
	require.Len(t, seen, 256)
	palette := MaskPalette([]Class{{"a", rgba(1, 2, 3)}})
	require.Equal(t, rgba(1, 2, 3), palette[0])
	require.Equal(t, VOCColor(1), palette[1])
	require.Len(t, palette, 256)
}

func TestOverlay(t *testing.T) {
	classes := []Class{{"a", rgba(0, 0, 0)}, {"b", rgba(200, 100, 0)}}
	img, label := picture(3, 4), greyMask(3, 4, 0, 1, Ignore)
	require.Equal(t, img, Overlay(img, label, classes, 0))
	full := Overlay(img, label, classes, 1)
	require.Equal(t, color.NRGBA{200, 100, 0, 255}, full.NRGBAAt(1, 0))
	require.Equal(t, color.NRGBA{255, 255, 255, 255}, full.NRGBAAt(2, 0))
	half := Overlay(img, label, classes, 0.5)
	require.Equal(t, color.NRGBA{103, 50, 1, 255}, half.NRGBAAt(1, 0))
	// Parts of larger images lie elsewhere in memory.
	part := img.SubImage(image.Rect(1, 1, 4, 3)).(*image.NRGBA)
	labels := label.SubImage(image.Rect(1, 1, 4, 3)).(*image.Gray)
	require.Equal(t, half.NRGBAAt(2, 2), Overlay(part, labels, classes, 0.5).NRGBAAt(1, 1))
}
