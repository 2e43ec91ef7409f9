package datasets

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFolderFlat(t *testing.T) {
	dir := write(t, map[string]any{
		"images/b.jpg":          picture(8, 12),
		"images/sub/deep/a.PNG": picture(6, 6),
		"images/.hidden.txt":    "x",
		"images/Thumbs.db":      "x",
		"masks/b.png":           greyMask(8, 12, 0, 1, 2, 255),
		"masks/sub/deep/a.png":  palettedMask(6, 6, 0, 1),
	})
	src := openTest(t, "folder:"+dir, Train)
	require.Equal(t, []string{"b", "sub/deep/a"}, ids(src))
	require.Equal(t, numberedClasses(3), src.Classes())
	h, w, err := src.Size(0)
	require.NoError(t, err)
	require.Equal(t, []int{8, 12}, []int{h, w})

	png := at(t, src, 1)
	require.Equal(t, picture(6, 6), png.Image)
	require.Equal(t, greyMask(6, 6, 0, 1), png.Label)
	jpg := at(t, src, 0)
	require.Equal(t, greyMask(8, 12, 0, 1, 2, 255), jpg.Label)
	require.InDeltaSlice(t, picture(8, 12).Pix, jpg.Image.Pix, 60)

	splits, err := Splits("folder:" + dir)
	require.NoError(t, err)
	require.Equal(t, []string{Train}, splits)
	_, err = Open("folder:"+dir, Val)
	require.EqualError(t, err, "folder:"+dir+" has no val split, only train; add ?val=0.1 to hold out a tenth of train, the same files each time")
}

func TestFolderSplits(t *testing.T) {
	files := map[string]any{
		"classes.txt":          "road\nthe sky #0080ff\n",
		"train/images/a.png":   picture(4, 4),
		"train/masks/a.png":    greyMask(4, 4, 0, 1),
		"test/images/t.png":    picture(4, 4),
		"test/masks/t.png":     greyMask(4, 4, 1),
		"elsewhere/notes.docx": "x",
	}
	dir := write(t, files)
	splits, err := Splits("folder:" + dir)
	require.NoError(t, err)
	require.Equal(t, []string{Train, Test}, splits)
	src := openTest(t, "folder:"+dir, Test)
	require.Equal(t, []string{"t"}, ids(src))
	require.Equal(t, []Class{{"road", VOCColor(0)}, {"the sky", rgba(0, 0x80, 0xff)}}, src.Classes())

	// Labels of the other splits count when classes are found in the masks.
	delete(files, "classes.txt")
	files["test/masks/t.png"] = greyMask(4, 4, 6)
	dir = write(t, files)
	require.Len(t, openTest(t, "folder:"+dir, Train).Classes(), 7)
	require.Len(t, openTest(t, "folder:"+dir+"?classes=9", Train).Classes(), 9)
}

func TestFolderHoldOut(t *testing.T) {
	files := map[string]any{"classes.txt": "a\nb"}
	for i := range 200 {
		files[fmt.Sprintf("images/%d.png", i)] = picture(1, 1)
		files[fmt.Sprintf("masks/%d.png", i)] = greyMask(1, 1, 1)
	}
	dir := write(t, files)
	train, val := ids(openTest(t, "folder:"+dir+"?val=0.25", Train)), ids(openTest(t, "folder:"+dir+"?val=0.25", Val))
	require.Len(t, train, 200-len(val))
	require.InDelta(t, 50, len(val), 15)
	for _, id := range val {
		require.NotContains(t, train, id)
	}
	// A larger share takes more, and none away; a new image changes nobody's side.
	more := ids(openTest(t, "folder:"+dir+"?val=0.5", Val))
	require.Subset(t, more, val)
	files["images/new.png"], files["masks/new.png"] = picture(1, 1), greyMask(1, 1, 0)
	again := ids(openTest(t, "folder:"+write(t, files)+"?val=0.25", Val))
	require.Equal(t, val, slices.DeleteFunc(again, func(id string) bool { return id == "new" }))
}

// Every bad pair is there, with its own error, and the good ones are not hurt.
func TestFolderBadPairs(t *testing.T) {
	mask := func(labels ...uint8) *image.Gray { return greyMask(4, 6, labels...) }
	dir := write(t, map[string]any{
		"classes.txt":          "a\nb\nc",
		"images/good.png":      picture(4, 6),
		"masks/good.png":       mask(0, 1, 2, 255),
		"images/lonely.png":    picture(4, 6),
		"masks/orphan.png":     mask(0),
		"images/size.png":      picture(6, 4),
		"masks/size.png":       mask(0),
		"images/range.png":     picture(4, 6),
		"masks/range.png":      mask(0, 1, 2, 0, 1, 2, 0, 1, 7),
		"images/rgb.png":       picture(4, 6),
		"masks/rgb.png":        picture(4, 6),
		"images/torn.png":      encodePNG(t, picture(4, 6))[:70],
		"masks/torn.png":       mask(0),
		"images/tornmask.png":  picture(4, 6),
		"masks/tornmask.png":   encodePNG(t, mask(0))[:45],
		"images/empty.png":     "",
		"masks/empty.png":      mask(0),
		"images/text.png":      "hello",
		"masks/text.png":       mask(0),
		"images/twice.png":     picture(4, 6),
		"images/twice.jpg":     picture(4, 6),
		"masks/twice.png":      mask(0),
		"images/scan.tiff":     "II*",
		"images/good.json":     "{}",
		"images/lossy.png":     picture(4, 6),
		"masks/lossy.jpg":      picture(4, 6),
		"images/sub/deep1.png": picture(4, 6),
	})
	require.NoError(t, os.Symlink("good.png", filepath.Join(dir, "images/link.png")))
	require.NoError(t, os.Symlink("good.png", filepath.Join(dir, "masks/link.png")))
	require.NoError(t, os.Symlink("loop.png", filepath.Join(dir, "images/loop.png")))
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "images/out.png")))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "images/sub/up")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "images/pipe.png"), 0o666))

	src := openTest(t, "folder:"+dir, Train)
	want := map[string]string{ // file: error
		"images/lonely.png":    "no mask for this image; it would be DIR/masks/lonely.png",
		"masks/orphan.png":     "no image for this mask in DIR/images",
		"masks/size.png":       "the mask is 4x6 (height x width), the image images/size.png is 6x4",
		"masks/range.png":      "label 7 at pixel (2,1) is out of range: the 3 classes are 0 to 2, and 255 is ignored",
		"masks/rgb.png":        "RGB mask where indices are expected; convert the masks to 8-bit PNG of class indices, grey or paletted (pixel (0,0) is #000000, the colour of \"a\")",
		"images/torn.png":      "broken PNG: the file ends too early",
		"masks/tornmask.png":   "broken PNG: the file ends too early",
		"images/empty.png":     "the file is empty",
		"images/text.png":      "not a PNG, JPEG, BMP or WebP image: it begins with \"hello\"",
		"images/twice.png":     "DIR/images/twice.jpg has the same name",
		"images/good.json":     "not a file that is read here (.png .jpg .jpeg .bmp .webp)",
		"images/scan.tiff":     "not a file that is read here (.png .jpg .jpeg .bmp .webp)",
		"masks/lossy.jpg":      "a JPEG mask: lossy compression changes labels; make masks anew as 8-bit PNG of class indices",
		"images/sub/deep1.png": "no mask for this image; it would be DIR/masks/sub/deep1.png",
		"images/loop.png":      "too many levels of symbolic links",
		"images/out.png":       "it leads out of the data set's directory, where nothing is read; open the directory that holds everything",
		"images/sub/up":        "a link to a directory, which is not followed",
		"images/pipe.png":      "a named pipe and no regular file",
	}
	got := map[string]string{}
	summary, err := Check(t.Context(), src, true, func(p *SampleError) {
		file, err := filepath.Rel(dir, p.Path)
		require.NoError(t, err)
		got[file] = strings.ReplaceAll(p.Err.Error(), dir, "DIR")
	})
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, len(want), summary.Bad)
	require.Equal(t, len(want)+2, summary.Samples)
	require.Equal(t, map[[2]int]int{{4, 6}: 2}, summary.Sizes)
	require.Equal(t, []int64{12, 12, 12}, summary.Labels.Pixels)
	require.EqualValues(t, 12, summary.Labels.Ignored)

	// Headers alone find all but what is in the pixels.
	fast, _ := problems(t, src, false)
	require.Len(t, fast, len(want)-3)
}

func TestFolderErrors(t *testing.T) {
	pair := func(more map[string]any) map[string]any {
		files := map[string]any{"images/a.png": picture(2, 2), "masks/a.png": greyMask(2, 2, 0, 1)}
		for name, content := range more {
			files[name] = content
		}
		return files
	}
	for name, c := range map[string]struct {
		files         map[string]any
		options, want string
	}{
		"empty":        {map[string]any{"x": ""}, "", "DIR: no images/ and masks/ there, nor train/images/ and train/masks/"},
		"camvid":       {map[string]any{"trainannot/x": ""}, "", "DIR: no images/ and masks/ there, nor train/images/ and train/masks/; did you mean camvid:DIR?"},
		"no masks":     {map[string]any{"images/a.png": ""}, "", "DIR: no masks/ beside images/"},
		"val no masks": {map[string]any{"train/images/a": "", "train/masks/a": "", "val/images/a": ""}, "", "DIR/val: no masks/ beside images/"},
		"both layouts": {pair(map[string]any{"val/images/a.png": ""}), "", "DIR: has both images/ and val/images/; keep one of the two layouts"},
		"binary":       {pair(map[string]any{"masks/a.png": greyMask(2, 2, 0, 255)}), "", "DIR: the masks hold the label 0 and 255 only, and 255 is ignored: write 1 where the object is (0 background, 1 object)"},
		"all zero":     {pair(map[string]any{"masks/a.png": greyMask(2, 2, 0)}), "", "DIR: the masks hold no label but 0, and there is nothing to learn; with classes.txt or ?classes=N they are not searched"},
		"bad classes":  {pair(map[string]any{"classes.txt": "a\n\nb"}), "", "DIR: classes.txt:2: no class name; each line names the class of that label, from 0 on"},
		"both classes": {pair(map[string]any{"classes.txt": "a\nb"}), "?classes=2", `data "folder:DIR?classes=2": classes=2, but DIR/classes.txt says what the classes are; leave the option out`},
		"val share":    {pair(nil), "?val=2", `data "folder:DIR?val=2": val=2 is not a share of the images between 0 and 1, like 0.1`},
		"val twice":    {map[string]any{"train/images/a": "", "train/masks/a": "", "val/images/a": "", "val/masks/a": ""}, "?val=0.1", `data "folder:DIR?val=0.1": val=0.1 holds out a part of train, but there is a val split; leave the option out`},
		"val of test":  {map[string]any{"test/images/a": "", "test/masks/a": ""}, "?val=0.1", `data "folder:DIR?val=0.1": val=0.1 holds out a part of train, but there is no train split; leave the option out`},
		"pixels":       {pair(nil), "?max_pixels=x", `data "folder:DIR?max_pixels=x": max_pixels=x is not a whole number from 1 to 1099511627776`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, c.files)
			_, err := Open("folder:"+dir+c.options, Train)
			require.EqualError(t, err, strings.ReplaceAll(c.want, "DIR", dir))
		})
	}
}

func TestFolderMaxPixels(t *testing.T) {
	dir := write(t, map[string]any{"classes.txt": "a", "images/a.png": picture(10, 10), "masks/a.png": greyMask(10, 10, 0)})
	_, err := openTest(t, "folder:"+dir+"?max_pixels=99", Train).At(0)
	require.ErrorContains(t, err, "10x10 (height x width) is more than 99 pixels; raise data.max_pixels (--max-pixels) if that is meant")
	at(t, openTest(t, "folder:"+dir+"?max_pixels=100", Train), 0)
}

// images/ may itself be a link, and the data set's directory too.
func TestFolderLinkedDirectory(t *testing.T) {
	dir := write(t, map[string]any{"classes.txt": "a", "store/a.png": picture(3, 3), "masks/a.png": greyMask(3, 3, 0)})
	require.NoError(t, os.Symlink("store", filepath.Join(dir, "images")))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	src := openTest(t, "folder:"+link, Train)
	require.Equal(t, "a", at(t, src, 0).ID)
}
