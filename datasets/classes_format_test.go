package datasets

import (
	"image/color"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormatClassesIsReadBack(t *testing.T) {
	classes := []Class{
		{"background", color.RGBA{0, 0, 0, 255}},
		{"traffic light", color.RGBA{250, 170, 30, 255}},
		{"route #faaa1e", color.RGBA{1, 2, 3, 255}},
		{"C#", color.RGBA{255, 255, 255, 255}},
	}
	text, err := FormatClasses(classes)
	require.NoError(t, err)
	require.Equal(t, "background #000000\ntraffic light #faaa1e\nroute #faaa1e #010203\nC# #ffffff\n", string(text))
	back, err := ParseClasses(text)
	require.NoError(t, err)
	require.Equal(t, classes, back)
}

func TestFormatClassesRefusesWhatCannotBeReadBack(t *testing.T) {
	for _, name := range []string{"", " ", "two\nlines", " padded", "bell\a", "\xff"} {
		_, err := FormatClasses([]Class{{Name: "sky"}, {Name: name}})
		require.Error(t, err, "%q", name)
	}
	_, err := FormatClasses([]Class{{Name: "sky"}, {Name: "sky"}})
	require.ErrorContains(t, err, "on line 1 already")
}
