package datasets

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func pass(t *testing.T, e *Evaluation) []*Batch {
	t.Helper()
	var batches []*Batch
	for b, err := range e.Pass(t.Context()) {
		require.NoError(t, err)
		batches = append(batches, b)
	}
	require.Len(t, batches, e.Batches())
	return batches
}

func newTestEvaluation(t *testing.T, src Source, cfg LoaderConfig) *Evaluation {
	t.Helper()
	e, err := NewEvaluation(t.Context(), src, cfg)
	require.NoError(t, err)
	return e
}

func TestPassCoversEverythingOnce(t *testing.T) {
	src := mixed()
	var want []*Batch
	for _, workers := range []int{1, 2, 7} {
		e := newTestEvaluation(t, src, LoaderConfig{Batch: 3, Multiple: 16, Workers: workers, CacheBytes: 20_000})
		require.Equal(t, 13, e.Samples())
		require.Equal(t, []BatchShape{{3, 32, 32, 32, 32}, {3, 64, 64, 64, 64}}, e.Shapes())
		batches := pass(t, e)
		require.Equal(t, batches, pass(t, e), "every pass sees the same")
		if want == nil {
			want = batches
		}
		require.Equal(t, want, batches)
	}
	var order []int
	for _, b := range want {
		requireBatch(t, src, b)
		require.Len(t, b.Indices, b.Count)
		require.Len(t, b.IDs, b.Count)
		order = append(order, b.Indices...)
		require.EqualValues(t, len(order), b.Next)
	}
	require.Equal(t, epochOrder(0, 0, 13, false), order, "by bucket, then by index")
	require.Equal(t, []int{3, 3, 3, 3, 1}, counts(want))

	// Two blanks in the last batch.
	last := want[4]
	require.Equal(t, []int32{60, 60, 64, 64, 64, 64}, last.Sizes)
	require.Equal(t, last.Sizes, last.LabelSizes)
}

func counts(batches []*Batch) []int {
	var n []int
	for _, b := range batches {
		n = append(n, b.Count)
	}
	return n
}

// A resize changes what the network sees, and not what it is measured by.
func TestPassKeepsLabels(t *testing.T) {
	src := mixed()
	e := newTestEvaluation(t, src, LoaderConfig{Batch: 3, Fixed: Resize(40, 50), Height: 40, Width: 50, Buckets: 2})
	require.Equal(t, []BatchShape{{3, 64, 64, 30, 30}, {3, 64, 64, 60, 60}}, e.Shapes())
	require.InDelta(t, 1-float64(9*600+4*3600)/float64(9*900+4*3600), e.PaddingWaste(), 1e-12)
	for _, b := range pass(t, e) {
		for i, index := range b.Indices {
			require.Equal(t, []int32{40, 50}, b.Sizes[2*i:2*i+2])
			size := src.sizes[index]
			require.Equal(t, []int32{int32(size.h), int32(size.w)}, b.LabelSizes[2*i:2*i+2])
			s := testSample(size, uint64(index))
			img := resizeImage(s.Image, 40, 50)
			for y := range 64 {
				for x := range 64 {
					want := []uint8{0, 0, 0}
					if y < 40 && x < 50 {
						want = img.Pix[img.PixOffset(x, y):][:3]
					}
					require.True(t, slices.Equal(want, b.Images[((i*64+y)*64+x)*3:][:3]))
				}
			}
			for y := range b.LabelH {
				for x := range b.LabelW {
					want := uint8(Ignore)
					if y < size.h && x < size.w {
						want = s.Label.GrayAt(x, y).Y
					}
					require.Equal(t, want, b.Labels[(i*b.LabelH+y)*b.LabelW+x])
				}
			}
		}
	}
}

func TestPassWithoutLabels(t *testing.T) {
	src := mixed()
	src.unlabelled = true
	e := newTestEvaluation(t, src, LoaderConfig{Batch: 4, Fixed: Resize(32, 32), Height: 32, Width: 32})
	for _, b := range pass(t, e) {
		for _, label := range b.Labels {
			require.EqualValues(t, Ignore, label)
		}
		for i, index := range b.Indices {
			require.EqualValues(t, src.sizes[index].h, b.LabelSizes[2*i])
			require.EqualValues(t, src.sizes[index].w, b.LabelSizes[2*i+1])
		}
	}
}

func TestPassOfGivenSizeReadsNoSizes(t *testing.T) {
	src := sourceOf(repeat(3, 40, 48)...)
	src.size = func(int) error { return errors.New("no size should be read") }
	e := newTestEvaluation(t, src, LoaderConfig{Batch: 2, Height: 40, Width: 48})
	require.Equal(t, []BatchShape{{2, 64, 64, 64, 64}}, e.Shapes())
	require.InDelta(t, 1-40.0*48/(64*64), e.PaddingWaste(), 1e-12)
	for _, b := range pass(t, e) {
		requireBatch(t, src, b)
	}
}

func TestPassReportsASample(t *testing.T) {
	src := mixed()
	src.at = func(i int) error {
		if i == 5 {
			return &SampleError{ID: "five", Path: "images/five.jpg", Err: errors.New("the file ends early")}
		}
		return nil
	}
	e := newTestEvaluation(t, src, LoaderConfig{Batch: 2, Multiple: 16})
	good := 0
	for _, err := range e.Pass(t.Context()) {
		if err == nil {
			good++
			continue
		}
		require.EqualError(t, err, "images/five.jpg: the file ends early")
	}
	require.Equal(t, 2, good)

	// A file that was replaced after its header was read.
	src = sourceOf(repeat(2, 32, 32)...)
	e = newTestEvaluation(t, src, LoaderConfig{Batch: 1})
	src.sizes[0] = extent{33, 32}
	for _, err := range e.Pass(t.Context()) {
		require.ErrorContains(t, err, "sample 0: its image of 33x32 and label of 33x32 do not fit")
	}
}

func TestNewEvaluationRefusesChance(t *testing.T) {
	_, err := NewEvaluation(t.Context(), mixed(), LoaderConfig{Batch: 1, Augment: FlipLR()})
	require.EqualError(t, err, "an evaluation takes no augmentation: every pass must see the same pixels")
	_, err = NewEvaluation(t.Context(), mixed(), LoaderConfig{Batch: 1, Shuffle: true})
	require.EqualError(t, err, "an evaluation takes no shuffle: it goes over samples in their own order")
	_, err = NewEvaluation(t.Context(), sourceOf(), LoaderConfig{Batch: 1})
	require.EqualError(t, err, "the data set has no samples")
}
