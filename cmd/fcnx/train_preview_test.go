package main

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
)

// pngSize is the command of the scripts that looks into a picture, which must have
// colours and no transparency:
//
//	pngsize FILE HxW
func pngSize(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: pngsize FILE HxW")
	}
	file, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer file.Close()
	img, err := png.Decode(file)
	ts.Check(err)
	if size := img.Bounds().Size(); fmt.Sprintf("%dx%d", size.Y, size.X) != args[1] {
		ts.Fatalf("%s has %dx%d pixels, not %s", args[0], size.Y, size.X, args[1])
	}
	if opaque, ok := img.(*image.RGBA); !ok || !opaque.Opaque() {
		ts.Fatalf("%s is a %T, not opaque RGB", args[0], img)
	}
}

func TestEvenly(t *testing.T) {
	for _, test := range []struct {
		n, k int
		want []int
	}{
		{0, 6, nil}, {9, 0, nil}, {9, 1, []int{0}}, {9, 2, []int{0, 8}}, {9, 3, []int{0, 4, 8}},
		{3, 6, []int{0, 1, 2}}, {1, 6, []int{0}}, {101, 6, []int{0, 20, 40, 60, 80, 100}}, {10, 4, []int{0, 3, 6, 9}},
	} {
		require.Equal(t, test.want, evenly(test.n, test.k), "%d of %d", test.k, test.n)
	}
}

// patchy is a set some of whose samples have no label, nothing but Ignore for one, or
// do not decode.
type patchy struct {
	kinds   string // a byte a sample: '.' good, 'n' none, 'i' ignored, 'x' broken
	decoded *int   // how often one was
}

func (p patchy) Len() int                       { return len(p.kinds) }
func (p patchy) Size(int) (h, w int, err error) { return 2, 2, nil }
func (p patchy) Classes() []datasets.Class      { return numbered(2) }
func (p patchy) At(i int) (datasets.Sample, error) {
	*p.decoded++
	s := datasets.Sample{ID: fmt.Sprint("sample ", i), Image: image.NewNRGBA(image.Rect(0, 0, 2, 2)), Label: image.NewGray(image.Rect(0, 0, 2, 2))}
	switch p.kinds[i] {
	case 'n':
		s.Label = nil
	case 'i':
		s.Label.Pix = []uint8{255, 255, 255, 255}
	case 'x':
		return s, &datasets.SampleError{ID: s.ID, Err: errors.New("no image")}
	}
	return s, nil
}

func patchyPreviews(t *testing.T, kinds string, count int) (*previewer, []string) {
	t.Helper()
	run := &trainRun{Run: &checkpoints.Run{Dir: t.TempDir()}, data: &trainData{samples: patchy{kinds, new(int)}, classes: numbered(2)}}
	var warnings []string
	p, _ := openPreviews(run, count, func(text string) { warnings = append(warnings, text) }).(*previewer)
	return p, warnings
}

// Only samples with labels are shown; one without is replaced by the next, but not
// by one that has its own turn.
func TestPreviewsAreOfLabelledSamples(t *testing.T) {
	for _, test := range []struct {
		kinds    string
		want     []string
		warnings int
	}{
		{"......", []string{"0", "2", "5"}, 0},
		{"nn.i..", []string{"2", "5"}, 0},
		{"ni..nn", []string{"2"}, 0},
		{"x.x.xx", []string{"1", "3"}, 1},
		{"nnnnnn", nil, 0},
		{"", nil, 0},
	} {
		p, warnings := patchyPreviews(t, test.kinds, 3)
		var names []string
		if p != nil {
			for _, s := range p.shown {
				names = append(names, s.name)
				require.FileExists(t, filepath.Join(p.run.Dir, s.told.Truth))
			}
		}
		require.Equal(t, test.want, names, test.kinds)
		require.Len(t, warnings, test.warnings, test.kinds)
	}
}

// Where pictures cannot be written, the run has none, and does not look for a sample
// whose picture can.
func TestPreviewsWithoutAPlace(t *testing.T) {
	dir, decoded := t.TempDir(), 0
	// A directory where the first truth belongs keeps it away, for root too.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, previewDir, "0.png", "in the way"), 0o777))
	run := &trainRun{Run: &checkpoints.Run{Dir: dir}, data: &trainData{samples: patchy{strings.Repeat(".", 1000), &decoded}, classes: numbered(2)}}
	var warnings []string
	require.Nil(t, openPreviews(run, 6, func(text string) { warnings = append(warnings, text) }))
	require.Equal(t, 1, decoded)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "the run goes on without them")
}

// Errors are those of the sample in the batch, at its own size, with the padding
// around it left out. An evaluation that has not seen it tells nothing.
func TestPreviewOfABatch(t *testing.T) {
	p, warnings := patchyPreviews(t, "..", 6)
	b := &datasets.Batch{N: 3, Count: 2, Indices: []int{7, 1}, LabelH: 3, LabelW: 2,
		LabelSizes: []int32{3, 2, 2, 2, 3, 2}, Labels: []uint8{
			0, 0, 0, 0, 0, 0,
			0, 1, 255, 1, 255, 255,
			255, 255, 255, 255, 255, 255,
		}}
	require.True(t, p.Wants(b))
	require.False(t, p.Wants(&datasets.Batch{Indices: []int{7, 8}}))
	p.See(b, []uint8{
		1, 1, 1, 1, 1, 1,
		0, 0, 0, 1, 1, 1,
		1, 1, 1, 1, 1, 1,
	})
	record, told := p.Preview(3)
	require.True(t, told)
	require.Len(t, record.Images, 1)
	require.Equal(t, "sample 1", record.Images[0].ID)
	require.Equal(t, "preview/1.png", record.Images[0].Truth)
	require.Equal(t, "preview/step-000000000003-1.png", record.Images[0].Result)
	require.InDelta(t, 1./3, record.Images[0].Errors, 1e-12)
	require.InDelta(t, 1., record.Images[0].Boundary, 1e-12)
	require.Equal(t, numbered(2)[0].Name, record.Images[0].Worst, "half of both, and the first")
	require.FileExists(t, filepath.Join(p.run.Dir, record.Images[0].Result))

	_, told = p.Preview(4)
	require.False(t, told)
	require.NoFileExists(t, filepath.Join(p.run.Dir, previewDir, "step-000000000004-1.png"))
	require.Empty(t, warnings)
}

// The newest results stay, and of older ones the fewer the older they are. What is
// not a result is left alone.
func TestPreviewsAreThinnedOut(t *testing.T) {
	p, warnings := patchyPreviews(t, "..", 2)
	dir := filepath.Join(p.run.Dir, previewDir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "step-by-step.png"), nil, 0o666))
	for step := range int64(1000) {
		for _, s := range p.shown {
			s.result = image.NewRGBA(image.Rect(0, 0, 2, 1))
		}
		record, told := p.Preview(step + 1)
		require.True(t, told)
		require.Len(t, record.Images, 2)
	}
	names, err := filepath.Glob(filepath.Join(dir, "step-0*-1.png"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(names), previewLimit)
	require.Greater(t, len(names), previewLimit*3/4-1)
	require.Equal(t, "step-000000000001-1.png", filepath.Base(names[0]))
	require.Equal(t, "step-000000001000-1.png", filepath.Base(names[len(names)-1]))
	for step := 1000; step > 900; step-- {
		require.FileExists(t, filepath.Join(dir, fmt.Sprintf("step-%012d-0.png", step)))
	}
	require.FileExists(t, filepath.Join(dir, "step-by-step.png"))
	require.Empty(t, warnings)
}
