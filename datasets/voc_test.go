package datasets

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func vocFiles() map[string]any {
	return map[string]any{
		"JPEGImages/2007_1.jpg":                   picture(5, 6),
		"JPEGImages/2007_2.jpg":                   picture(7, 4),
		"JPEGImages/2007_3.jpg":                   picture(3, 3),
		"SegmentationClass/2007_1.png":            palettedMask(5, 6, 0, 255, 20),
		"SegmentationClass/2007_2.png":            palettedMask(7, 4, 0, 15),
		"ImageSets/Segmentation/train.txt":        "2007_1\r\n\r\n",
		"ImageSets/Segmentation/val.txt":          "2007_2\n",
		"ImageSets/Segmentation/trainval.txt":     "2007_2\n2007_1",
		"ImageSets/Segmentation/test.txt":         "2007_3\n",
		"ImageSets/Segmentation/somethingelse.md": "",
	}
}

func TestVOC(t *testing.T) {
	files := vocFiles()
	dir := write(t, files)
	splits, err := Splits("voc:" + dir)
	require.NoError(t, err)
	require.Equal(t, []string{Train, Val}, splits, "the masks of test are not there")
	src := openTest(t, "voc:"+dir, Train)
	require.Len(t, src.Classes(), 21)
	require.Equal(t, Class{"tvmonitor", rgba(0, 64, 128)}, src.Classes()[20])
	require.Equal(t, []string{"2007_1"}, ids(src))
	require.Equal(t, greyMask(5, 6, 0, 255, 20), at(t, src, 0).Label)
	require.Equal(t, []string{"2007_2", "2007_1"}, ids(openTest(t, "voc:"+dir+"?train=trainval", Train)))
	require.Equal(t, []string{"2007_2"}, ids(openTest(t, "voc:"+dir+"?train=trainval", Val)))

	require.Equal(t, []string{"2007_2", "2007_1"}, ids(openTest(t, "voc:"+dir+"?val=trainval", Val)))

	files["SegmentationClass/2007_3.png"] = palettedMask(3, 3, 1)
	splits, err = Splits("voc:" + write(t, files))
	require.NoError(t, err)
	require.Equal(t, []string{Train, Val, Test}, splits)
}

func TestVOCBadPairs(t *testing.T) {
	files := vocFiles()
	files["ImageSets/Segmentation/train.txt"] = "2007_1\n2007_3\n2007_1\nnone\n../../../../etc/passwd\n"
	dir := write(t, files)
	bad, summary := problems(t, openTest(t, "voc:"+dir, Train), true)
	require.Equal(t, []string{
		dir + "/SegmentationClass/2007_3.png: there is no such file",
		dir + "/ImageSets/Segmentation/train.txt: line 3 names 2007_1, as line 1 does",
		dir + "/JPEGImages/none.jpg: there is no such file",
	}, bad[:3])
	require.Contains(t, bad[3], "it leads out of the data set's directory")
	require.Equal(t, 5, summary.Samples)
	require.Equal(t, 4, summary.Bad)
}

func TestVOCErrors(t *testing.T) {
	dir := write(t, vocFiles())
	_, err := Open("voc:"+dir+"?train=trainaug", Train)
	require.EqualError(t, err, dir+": train=trainaug needs the list ImageSets/Segmentation/trainaug.txt, which is not there")
	_, err = Open("voc:"+dir+"?val=seg11valid", Val)
	require.EqualError(t, err, dir+": val=seg11valid needs the list ImageSets/Segmentation/seg11valid.txt, which is not there")
	_, err = Open("voc:"+dir+"?train=../x", Train)
	require.EqualError(t, err, `data "voc:`+dir+`?train=../x": train=../x is no name of a list in ImageSets/Segmentation`)
	_, err = Open("voc:"+dir, Test)
	require.EqualError(t, err, "voc:"+dir+" has no test split, only train, val")

	dir = write(t, map[string]any{"VOCdevkit/VOC2012/JPEGImages/a.jpg": ""})
	_, err = Open("voc:"+dir, Train)
	require.EqualError(t, err, dir+": not VOC2012, which has JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/; did you mean voc:"+dir+"/VOCdevkit/VOC2012?")
	dir = write(t, map[string]any{"JPEGImages/a.jpg": ""})
	_, err = Open("voc:"+dir, Train)
	require.EqualError(t, err, dir+": no train.txt or val.txt in ImageSets/Segmentation")
	dir = write(t, map[string]any{"JPEGImages/a.jpg": "", "ImageSets/Segmentation/train.txt": "\n"})
	_, err = Open("voc:"+dir, Train)
	require.EqualError(t, err, dir+"/ImageSets/Segmentation/train.txt: no names in it")
}
