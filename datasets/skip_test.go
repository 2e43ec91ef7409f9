package datasets

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// broken makes some samples of a source impossible to decode.
func broken(src *memorySource, bad ...int) *memorySource {
	src.at = func(i int) error {
		if slices.Contains(bad, i) {
			return errors.New("no such thing")
		}
		return nil
	}
	return src
}

// Everything but the blank slots is as if nothing were bad, for any number of workers
// and from any cursor on.
func TestSkippedSlotsAreBlank(t *testing.T) {
	bad := []int{2, 5, 8, 12}
	crop := mixedConfig()
	crop.Augment, crop.Height, crop.Width = Crop(24, 24, grey128), 24, 24
	for name, cfg := range map[string]LoaderConfig{"buckets": mixedConfig(), "crop": crop} {
		t.Run(name, func(t *testing.T) {
			const n = 14
			for _, workers := range []int{1, 5} {
				cfg.Workers, cfg.SkipBad = workers, false
				whole := take(t, newTestLoader(t, mixed(), cfg), 0, n)
				cfg.SkipBad = true
				l := newTestLoader(t, broken(mixed(), bad...), cfg)
				got := take(t, l, 0, n)
				skipped := 0
				for k, b := range got {
					want := whole[k]
					for i, index := range want.Indices {
						if !slices.Contains(bad, index) {
							continue
						}
						require.EqualError(t, b.Skipped[0], "sample "+(&SampleError{ID: want.IDs[i]}).ID+": no such thing")
						b.Skipped = b.Skipped[1:]
						skipped++
						blank(want, i)
					}
					require.Empty(t, b.Skipped)
					b.Skipped = nil
					require.Equal(t, want, b, "batch %d", k)
				}
				require.Positive(t, skipped)
				require.Equal(t, take(t, newTestLoader(t, broken(mixed(), bad...), cfg), got[2].Next, 1)[0].Images, got[3].Images)
			}
		})
	}
}

// blank is what a skipped slot should be, written from its definition.
func blank(b *Batch, i int) {
	b.Indices[i], b.IDs[i] = -1, ""
	clear(b.Images[i*b.H*b.W*3:][:b.H*b.W*3])
	for k := range b.LabelH * b.LabelW {
		b.Labels[i*b.LabelH*b.LabelW+k] = Ignore
	}
	b.Sizes[2*i], b.Sizes[2*i+1] = int32(b.H), int32(b.W)
	b.LabelSizes[2*i], b.LabelSizes[2*i+1] = int32(b.LabelH), int32(b.LabelW)
}

func TestSkippedSizes(t *testing.T) {
	src := mixed()
	src.size = func(i int) error {
		if i == 0 || i == 9 {
			return errors.New("no header")
		}
		return nil
	}
	cfg := mixedConfig()
	_, err := NewLoader(t.Context(), src, cfg)
	require.EqualError(t, err, "sample 0: no header (and 1 more that cannot be read)")
	cfg.SkipBad = true
	l := newTestLoader(t, src, cfg)
	require.Len(t, l.Shapes(), 3, "a sample without a size makes no shape")
	require.Equal(t, mixed().Len(), len(l.buckets.of))

	src.size = func(int) error { return errors.New("no header") }
	_, err = NewLoader(t.Context(), src, cfg)
	require.EqualError(t, err, "sample 0: no header (and 12 more that cannot be read)")
}

func TestEvaluationSkips(t *testing.T) {
	e, err := NewEvaluation(t.Context(), broken(sourceOf(repeat(5, 8, 8)...), 1, 4), LoaderConfig{Batch: 2, Multiple: 1, SkipBad: true})
	require.NoError(t, err)
	var skipped, seen []int
	for b, err := range e.Pass(t.Context()) {
		require.NoError(t, err)
		skipped = append(skipped, len(b.Skipped))
		seen = append(seen, b.Indices...)
	}
	require.Equal(t, []int{1, 0, 1}, skipped)
	require.Equal(t, []int{0, -1, 2, 3, -1}, seen)
}

func TestLabelled(t *testing.T) {
	all := sourceOf(repeat(50, 4, 4)...)
	yes, err := Labelled(t.Context(), all)
	require.NoError(t, err)
	require.True(t, yes)
	require.Less(t, all.decoded.Load(), int64(10), "the first is enough")

	yes, err = Labelled(t.Context(), broken(sourceOf(repeat(3, 4, 4)...), 0, 1))
	require.NoError(t, err)
	require.True(t, yes)
	none := sourceOf(repeat(3, 4, 4)...)
	none.unlabelled = true
	yes, err = Labelled(t.Context(), none)
	require.NoError(t, err)
	require.False(t, yes)

	dir := write(t, map[string]any{"images/a.png": picture(4, 4), "masks/a.png": greyMask(4, 4, Ignore)})
	yes, err = Labelled(t.Context(), openTest(t, "folder:"+dir+"?classes=2", Train))
	require.NoError(t, err)
	require.False(t, yes)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Labelled(ctx, all)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCapPixels(t *testing.T) {
	for _, c := range []struct {
		spec   string
		pixels int64
		want   string
	}{
		{"folder:a", 5, "folder:a?max_pixels=5"},
		{"folder:a", DefaultMaxPixels, "folder:a"},
		{"voc:a?train=x", 5, "voc:a?max_pixels=5&train=x"},
		{"folder:a?max_pixels=7", 5, "folder:a?max_pixels=7"},
		{"shapes?n=3", 5, "shapes?n=3"},
	} {
		got, err := CapPixels(c.spec, c.pixels)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := CapPixels("shaeps", 5)
	var wrong *SpecError
	require.ErrorAs(t, err, &wrong)
}
