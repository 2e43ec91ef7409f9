package datasets

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func camvidFiles() map[string]any {
	return map[string]any{
		"train/0001TP_1.jpg":      picture(6, 8),
		"trainannot/0001TP_1.png": greyMask(6, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
		"val/0016E5_2.png":        picture(6, 8),
		"valannot/0016E5_2.png":   palettedMask(6, 8, 11, 10),
	}
}

func TestCamVid(t *testing.T) {
	files := camvidFiles()
	spec := "camvid:" + write(t, files)
	splits, err := Splits(spec)
	require.NoError(t, err)
	require.Equal(t, []string{Train, Val}, splits)
	src := openTest(t, spec, Train)
	require.Equal(t, []string{"0001TP_1"}, ids(src))
	require.Equal(t, camvidClasses(), src.Classes())
	require.Equal(t, greyMask(6, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, Ignore), at(t, src, 0).Label)
	require.Equal(t, greyMask(6, 8, Ignore, 10), at(t, openTest(t, spec, Val), 0).Label)

	files["classes.txt"] = strings.ReplaceAll("Sky Building Pole Road #010203 Pavement Tree Sign Fence Car Pedestrian Bicyclist", " ", "\n")
	files["classes.txt"] = strings.ReplaceAll(files["classes.txt"].(string), "\n#", " #")
	files["trainannot/0001TP_1.png"] = greyMask(6, 8, 0, 12)
	src = openTest(t, "camvid:"+write(t, files), Train)
	require.Equal(t, Class{"Sky", rgba(128, 128, 128)}, src.Classes()[0])
	require.Equal(t, Class{"Road", rgba(1, 2, 3)}, src.Classes()[3])
	_, err = src.At(0)
	require.ErrorContains(t, err, "label 12 at pixel (1,0) is out of range: the 11 classes are 0 to 10, and 255 is ignored like 11 (void)")

	files["classes.txt"] = "sky\nbuilding"
	dir := write(t, files)
	_, err = Open("camvid:"+dir, Train)
	require.EqualError(t, err, dir+": classes.txt: 2 names, but CamVid has 11 classes; for other classes use folder:DIR")
	dir = write(t, map[string]any{"train/a.png": "", "valannot/a.png": ""})
	_, err = Open("camvid:"+dir, Train)
	require.EqualError(t, err, dir+": not CamVid as in the SegNet tutorial, which has train/ and trainannot/, val/ and valannot/")
}

// The real thing, where it is: FCNX_CAMVID=DIR go test -run RealCamVid ./datasets
func TestRealCamVid(t *testing.T) {
	dir := os.Getenv("FCNX_CAMVID")
	if dir == "" {
		t.Skip("FCNX_CAMVID does not name a directory with CamVid")
	}
	for split, n := range map[string]int{Train: 367, Val: 101} {
		bad, summary := problems(t, openTest(t, "camvid:"+dir, split), true)
		require.Empty(t, bad)
		require.Equal(t, n, summary.Samples)
		require.Equal(t, map[[2]int]int{{360, 480}: n}, summary.Sizes)
		for class, pixels := range summary.Labels.Pixels {
			require.Positive(t, pixels, class)
		}
	}
}

func BenchmarkDecode480x360(b *testing.B) {
	img, mask := picture(360, 480), greyMask(360, 480, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3)
	src := openTest(b, "camvid:"+write(b, map[string]any{"train/a.jpg": img, "trainannot/a.png": mask}), Train)
	for b.Loop() {
		at(b, src, 0)
	}
}
