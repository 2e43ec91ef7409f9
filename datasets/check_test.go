package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// handMade is a source of given samples; a missing image is an error.
type handMade struct {
	samples []Sample
	classes int
}

func (s handMade) Len() int         { return len(s.samples) }
func (s handMade) Classes() []Class { return numberedClasses(s.classes) }

func (s handMade) At(i int) (Sample, error) {
	if s.samples[i].Image == nil {
		return Sample{}, errors.New("cannot read it")
	}
	return s.samples[i], nil
}

func (s handMade) Size(i int) (h, w int, err error) {
	sample, err := s.At(i)
	if err != nil {
		return 0, 0, err
	}
	return sample.Image.Rect.Dy(), sample.Image.Rect.Dx(), nil
}

func TestCheckCounts(t *testing.T) {
	src := handMade{classes: 3, samples: []Sample{
		{ID: "a", Image: picture(2, 3), Label: greyMask(2, 3, 0, 1, 255)},
		{ID: "b", Image: picture(2, 3), Label: greyMask(2, 3, 0)},
		{ID: "c"},
		{ID: "d", Image: picture(2, 2), Label: greyMask(2, 2, 0, 0, 0, 3)},
		{ID: "e", Image: picture(1, 1)},
	}}
	bad, summary := problems(t, src, true)
	require.Equal(t, []string{"sample 2: cannot read it", "sample d: label 3 at pixel (1,1) is out of range: the 3 classes are 0 to 2, and 255 is ignored"}, bad)
	require.Equal(t, Summary{
		Samples: 5, Bad: 2, Sizes: map[[2]int]int{{2, 3}: 2, {1, 1}: 1},
		Labels: &LabelCount{Pixels: []int64{8, 2, 0}, Images: []int64{2, 1, 0}, ImagePixels: []int64{10, 4, 0}, Ignored: 2},
	}, summary)
	require.Equal(t, []float64{0.8, 0.2, 0}, summary.Labels.Frequency())
	require.Equal(t, []float64{0, 0}, newLabelCount(2).Frequency())

	bad, summary = problems(t, src, false)
	require.Equal(t, []string{"sample 2: cannot read it"}, bad)
	require.Nil(t, summary.Labels)
	require.Equal(t, map[[2]int]int{{2, 3}: 2, {2, 2}: 1, {1, 1}: 1}, summary.Sizes)
}

// However many workers there are, problems come in the order of the source.
func TestCheckOrder(t *testing.T) {
	src := handMade{samples: make([]Sample, 500)}
	var want []string
	for i := range src.samples {
		want = append(want, fmt.Sprintf("sample %d: cannot read it", i))
	}
	got, summary := problems(t, src, true)
	require.Equal(t, want, got)
	require.Equal(t, 500, summary.Bad)
}

func TestCheckCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reports := 0
	_, err := Check(ctx, handMade{samples: make([]Sample, 100000)}, true, func(*SampleError) { reports++; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, reports, 100000)
}

func TestDigest(t *testing.T) {
	files := camvidFiles()
	dir := write(t, files)
	digest := func(dir string) string { return Digest(openTest(t, "camvid:"+dir, Train)) }
	want := digest(dir)
	require.Len(t, want, 32)
	require.Equal(t, want, digest(write(t, files)), "another directory")
	require.NotEqual(t, want, Digest(openTest(t, "camvid:"+dir, Val)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "train/0001TP_1.jpg"), []byte("shorter"), 0o666))
	require.NotEqual(t, want, digest(dir), "another size of file")
	require.NoError(t, os.Remove(filepath.Join(dir, "train/0001TP_1.jpg")))
	require.NotEqual(t, want, digest(dir), "a file is missing")

	specs := map[string]bool{}
	for _, spec := range []string{"shapes", "shapes?seed=1", "shapes?n=5", "shapes?size=32x32", "shapes?classes=3"} {
		specs[Digest(openTest(t, spec, Train))] = true
	}
	require.Len(t, specs, 5)
	require.Equal(t, Digest(openTest(t, "shapes", Val)), Digest(openTest(t, "shapes?n=5", Val)))
}

func TestContactSheet(t *testing.T) {
	src := handMade{classes: 30, samples: []Sample{
		{ID: "a very long name of a sample that has to be cut", Image: picture(20, 40), Label: greyMask(20, 40, 1)},
		{ID: "tall", Image: picture(200, 10), Label: greyMask(200, 10, 0, 1)},
		{ID: "unlabelled", Image: picture(1, 300)},
		{ID: "broken"},
	}}
	sheet, err := ContactSheet(src, []int{0, 1, 2}, 64)
	require.NoError(t, err)
	require.Equal(t, 3*(2*64+sheetGap)+sheetGap, sheet.Rect.Dx())
	// The first image is twice as wide as high, and its labels are beside it.
	beside := sheet.NRGBAAt(sheetGap+64+32, sheetGap+16)
	under := sheet.NRGBAAt(sheetGap+32, sheetGap+16)
	require.InDelta(t, int(under.R)*4/10+128*6/10, int(beside.R), 3)
	require.InDelta(t, int(under.G)*4/10, int(beside.G), 3)
	_, err = ContactSheet(src, []int{3}, 64)
	require.EqualError(t, err, "cannot read it")
}
