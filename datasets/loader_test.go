package datasets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// mixed is a data set of three sizes.
func mixed() *memorySource {
	return sourceOf(slices.Concat(repeat(7, 20, 30), repeat(2, 30, 20), repeat(4, 60, 60))...)
}

// mixedConfig has a bucket for each of them, and augmentation that keeps sizes.
func mixedConfig() LoaderConfig {
	return LoaderConfig{Batch: 3, Augment: Chain(FlipLR(), ColorJitter(0.4)), Multiple: 1, Seed: 5, Shuffle: true}
}

func newTestLoader(t *testing.T, src Source, cfg LoaderConfig) *Loader {
	t.Helper()
	l, err := NewLoader(t.Context(), src, cfg)
	require.NoError(t, err)
	return l
}

// take reads n batches from a cursor on.
func take(t *testing.T, l *Loader, from Cursor, n int) []*Batch {
	t.Helper()
	var batches []*Batch
	for b, err := range l.Batches(t.Context(), from) {
		require.NoError(t, err)
		if batches = append(batches, b); len(batches) == n {
			break
		}
	}
	require.Len(t, batches, n)
	return batches
}

func TestBatchesDoNotDependOnWorkers(t *testing.T) {
	crop := mixedConfig()
	crop.Augment = Chain(ScaleJitter(0.5, 2), Crop(24, 24, grey128), crop.Augment)
	crop.Height, crop.Width = 24, 24
	resized := crop
	resized.Fixed, resized.CacheBytes = Resize(40, 40), 5*40*40*5
	for name, cfg := range map[string]LoaderConfig{"buckets": mixedConfig(), "crop": crop, "resized and cached": resized} {
		t.Run(name, func(t *testing.T) {
			var want []*Batch
			for _, workers := range []int{1, 2, 7} {
				for _, prefetch := range []int{1, 4} {
					cfg.Workers, cfg.Prefetch = workers, prefetch
					got := take(t, newTestLoader(t, mixed(), cfg), 0, 14)
					if want == nil {
						want = got
					}
					require.Equal(t, want, got, "%d workers, prefetch %d", workers, prefetch)
				}
			}
		})
	}
}

func TestBatchesResume(t *testing.T) {
	l := newTestLoader(t, mixed(), mixedConfig())
	const n = 20 // more than three epochs
	whole := take(t, l, 0, n)
	for start := range whole {
		from := Cursor(0)
		if start > 0 {
			from = whole[start-1].Next
		}
		require.Equal(t, Cursor(3*start), from)
		fresh := newTestLoader(t, mixed(), mixedConfig())
		require.Equal(t, whole[start:], take(t, fresh, from, n-start), "from cursor %d", from)
	}
	far := Cursor(l.SamplesPerEpoch()) * 1_000_000
	require.Equal(t, 1_000_000, take(t, l, far, 1)[0].Epoch)
}

func TestBatchesRefuseACursorBetweenBatches(t *testing.T) {
	l := newTestLoader(t, mixed(), mixedConfig())
	for _, from := range []Cursor{-3, 1, 7} {
		calls := 0
		for b, err := range l.Batches(t.Context(), from) {
			require.Nil(t, b)
			require.EqualError(t, err, fmt.Sprintf(
				"cursor %d is not a multiple of the batch, 3 samples: a run goes on with the batch it began with", from))
			calls++
		}
		require.Equal(t, 1, calls)
	}
}

func TestEpoch(t *testing.T) {
	src := mixed()
	for _, shuffle := range []bool{true, false} {
		cfg := mixedConfig()
		cfg.Shuffle = shuffle
		l := newTestLoader(t, src, cfg)
		// 7, 2 and 4 samples in batches of 3: 3 + 1 + 2 batches.
		require.Equal(t, 6, l.BatchesPerEpoch())
		require.Equal(t, 18, l.SamplesPerEpoch())
		var orders [][]int
		for epoch := range 3 {
			batches := take(t, l, Cursor(epoch*18), 6)
			counts := make([]int, src.Len())
			var order []int
			for i, b := range batches {
				require.Equal(t, epoch, b.Epoch)
				require.Equal(t, Cursor(epoch*18+3*i+3), b.Next)
				require.Equal(t, 3, b.Count)
				require.Len(t, b.Indices, 3)
				for j, index := range b.Indices {
					counts[index]++
					require.Equal(t, strconv.Itoa(index), b.IDs[j])
					require.EqualValues(t, src.sizes[index].h, b.Sizes[2*j])
					require.EqualValues(t, src.sizes[index].w, b.Sizes[2*j+1])
				}
				order = append(order, b.Indices...)
			}
			orders = append(orders, order)
			for index, count := range counts {
				require.GreaterOrEqual(t, count, 1, "sample %d", index)
			}
			require.Equal(t, 9, sum(counts[0:7]))
			require.Equal(t, 3, sum(counts[7:9]))
			require.Equal(t, 6, sum(counts[9:]))
		}
		if shuffle {
			require.NotEqual(t, orders[0], orders[1])
		} else {
			// Full buckets first, as they fill; then the rests, begun again.
			require.Equal(t, []int{0, 1, 2, 3, 4, 5, 9, 10, 11, 6, 0, 1, 7, 8, 7, 12, 9, 10}, orders[0])
			require.Equal(t, orders[0], orders[1])
		}
	}
}

// A bucket smaller than the batch goes round several times.
func TestEpochOfFewSamples(t *testing.T) {
	l := newTestLoader(t, sourceOf(repeat(2, 5, 5)...), LoaderConfig{Batch: 7})
	require.Equal(t, 7, l.SamplesPerEpoch())
	require.Equal(t, []int{0, 1, 0, 1, 0, 1, 0}, take(t, l, 0, 1)[0].Indices)
	require.Equal(t, 2, l.FullestBucket())
}

// Shapes are foretold in the order in which their first batches come, from anywhere on.
func TestShapesFrom(t *testing.T) {
	l := newTestLoader(t, mixed(), LoaderConfig{Batch: 3, Multiple: 1, Buckets: 3, Seed: 5, Shuffle: true})
	require.Len(t, l.Shapes(), 3)
	orders := map[string]bool{}
	for at := range 2 * l.BatchesPerEpoch() {
		var want []BatchShape
		for _, b := range take(t, l, Cursor(3*at), 2*l.BatchesPerEpoch()) {
			if !slices.Contains(want, b.Shape()) {
				want = append(want, b.Shape())
			}
		}
		require.Equal(t, want, l.ShapesFrom(Cursor(3*at), 1_000_000))
		require.Equal(t, want[:1], l.ShapesFrom(Cursor(3*at), 1))
		require.Empty(t, l.ShapesFrom(Cursor(3*at), 0))
		orders[fmt.Sprint(want)] = true
	}
	require.Greater(t, len(orders), 1)

	one := newTestLoader(t, mixed(), LoaderConfig{Batch: 3, Multiple: 1, Buckets: 1})
	require.Len(t, one.Shapes(), 1)
	require.Equal(t, one.Shapes(), one.ShapesFrom(3, 1))
	require.Empty(t, one.ShapesFrom(3, 0))
}

func TestBatchPixels(t *testing.T) {
	src := mixed()
	l := newTestLoader(t, src, LoaderConfig{Batch: 3, Multiple: 16, Buckets: 2})
	require.Equal(t, []BatchShape{{3, 32, 32, 32, 32}, {3, 64, 64, 64, 64}}, l.Shapes())
	require.Equal(t, 9, l.FullestBucket())
	used, total := 9*20*30+4*60*60, 9*32*32+4*64*64
	require.InDelta(t, 1-float64(used)/float64(total), l.PaddingWaste(), 1e-12)
	area := 0
	for _, size := range src.sizes {
		area += size.h * size.w
	}
	require.InDelta(t, 3*float64(area)/float64(src.Len()), l.PixelsPerBatch(), 1e-6)
	for _, b := range take(t, l, 0, l.BatchesPerEpoch()) {
		requireBatch(t, src, b)
		require.Equal(t, b.Sizes, b.LabelSizes)
	}

	src.unlabelled = true
	for _, b := range take(t, l, 0, l.BatchesPerEpoch()) {
		require.Equal(t, b.Sizes, b.LabelSizes)
		for _, label := range b.Labels {
			require.EqualValues(t, Ignore, label)
		}
	}
}

// requireBatch compares every byte of an unchanged batch with the samples, the
// padding, and the blanks.
func requireBatch(t *testing.T, src *memorySource, b *Batch) {
	t.Helper()
	require.Len(t, b.Images, b.N*b.H*b.W*3)
	require.Len(t, b.Labels, b.N*b.LabelH*b.LabelW)
	require.Len(t, b.Sizes, 2*b.N)
	require.Len(t, b.LabelSizes, 2*b.N)
	for i := range b.N {
		var s Sample
		var size extent
		if i < b.Count {
			size = src.sizes[b.Indices[i]]
			s = testSample(size, uint64(b.Indices[i]))
		}
		for y := range b.H {
			for x := range b.W {
				want := []uint8{0, 0, 0}
				if y < size.h && x < size.w {
					want = s.Image.Pix[s.Image.PixOffset(x, y):][:3]
				}
				if got := b.Images[((i*b.H+y)*b.W+x)*3:][:3]; !slices.Equal(want, got) {
					t.Fatalf("image %d, row %d, column %d: %v, want %v", i, y, x, got, want)
				}
			}
		}
		for y := range b.LabelH {
			for x := range b.LabelW {
				want := uint8(Ignore)
				if y < size.h && x < size.w {
					want = s.Label.GrayAt(x, y).Y
				}
				if got := b.Labels[(i*b.LabelH+y)*b.LabelW+x]; want != got {
					t.Fatalf("label %d, row %d, column %d: %d, want %d", i, y, x, got, want)
				}
			}
		}
	}
}

// The augmentation of a sample hangs on (seed, epoch, index) and nothing else:
// neither on its place in the batch nor on the batch's size.
func TestAugmentationOfASample(t *testing.T) {
	pixels := func(seed uint64, batch int, shuffle bool, epoch int) map[int]string {
		cfg := LoaderConfig{Batch: batch, Augment: Chain(Crop(8, 8, grey128), ColorJitter(0.5)), Height: 8, Width: 8, Multiple: 1, Seed: seed, Shuffle: shuffle}
		l := newTestLoader(t, mixed(), cfg)
		found := map[int]string{}
		for _, b := range take(t, l, Cursor(epoch*l.SamplesPerEpoch()), l.BatchesPerEpoch()) {
			for i, index := range b.Indices {
				found[index] = string(b.Images[i*8*8*3:][:8*8*3])
			}
		}
		return found
	}
	want := pixels(1, 3, true, 2)
	require.Len(t, want, 13)
	require.Equal(t, want, pixels(1, 5, false, 2))
	for index, other := range pixels(1, 3, true, 3) {
		require.NotEqual(t, want[index], other)
	}
	for index, other := range pixels(2, 3, true, 2) {
		require.NotEqual(t, want[index], other)
	}
}

func TestFixedSize(t *testing.T) {
	src := mixed()
	src.size = func(int) error { return errors.New("no size should be read") }
	l := newTestLoader(t, src, LoaderConfig{Batch: 2, Fixed: Resize(40, 50), Height: 40, Width: 50})
	require.Equal(t, []BatchShape{{2, 64, 64, 64, 64}}, l.Shapes())
	require.InDelta(t, 1-40.0*50/(64*64), l.PaddingWaste(), 1e-12)
	require.InDelta(t, 2*40*50, l.PixelsPerBatch(), 1e-12)
	b := take(t, l, 0, 1)[0]
	require.Equal(t, []int32{40, 50, 40, 50}, b.Sizes)
	require.Equal(t, []int32{40, 50, 40, 50}, b.LabelSizes)
	want, err := Resize(40, 50)(nil, testSample(src.sizes[1], 1))
	require.NoError(t, err)
	row := b.Labels[(64+39)*64:]
	require.Equal(t, want.Label.Pix[39*50:], row[:50])
	require.EqualValues(t, Ignore, row[50])
}

func TestCacheSparesDecoding(t *testing.T) {
	src := mixed()
	cfg := mixedConfig()
	cfg.CacheBytes = 1 << 20
	cached, plain := newTestLoader(t, src, cfg), newTestLoader(t, mixed(), mixedConfig())
	require.Equal(t, take(t, plain, 0, 18), take(t, cached, 0, 18), "three epochs")
	require.LessOrEqual(t, src.decoded.Load(), int64(13*cached.cfg.Workers))
}

func TestSampleErrorsComeInOrder(t *testing.T) {
	for _, workers := range []int{1, 2, 7} {
		src := sourceOf(repeat(12, 4, 4)...)
		src.at = func(i int) error {
			if i == 6 || i == 7 || i == 9 {
				return fmt.Errorf("broken %d", i)
			}
			return nil
		}
		l := newTestLoader(t, src, LoaderConfig{Batch: 2, Workers: workers, Prefetch: 9})
		good := 0
		var last error
		for b, err := range l.Batches(t.Context(), 0) {
			require.NoError(t, last, "nothing comes after an error")
			if last = err; err == nil {
				good++
				continue
			}
			require.Nil(t, b)
		}
		require.Equal(t, 3, good)
		var bad *SampleError
		require.ErrorAs(t, last, &bad)
		require.Equal(t, "6", bad.ID)
		require.EqualError(t, last, "sample 6: broken 6")
	}
}

func TestErrorsOfTransformsNameTheSample(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  LoaderConfig
		want string
	}{
		"fixed":   {LoaderConfig{Batch: 1, Fixed: Resize(0, 0), Height: 4, Width: 4}, "sample 0: resize to 0x0: sides must be 1 to 16384 pixels"},
		"augment": {LoaderConfig{Batch: 1, Augment: ColorJitter(3)}, "sample 0: colour jitter 3: give a share from 0 to 1"},
		"larger": {LoaderConfig{Batch: 1, Multiple: 1, Augment: ScaleJitter(2, 2)},
			"sample 0: its image of 8x8 and label of 8x8 do not fit a batch of 4x4 and 4x4: resize or crop to the height and width given, or give none"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTestLoader(t, sourceOf(repeat(2, 4, 4)...), c.cfg)
			for _, err := range l.Batches(t.Context(), 0) {
				var bad *SampleError
				require.ErrorAs(t, err, &bad)
				require.EqualError(t, err, c.want)
			}
		})
	}
}

func TestNewLoaderRefuses(t *testing.T) {
	for _, c := range []struct {
		cfg  LoaderConfig
		want string
	}{
		{LoaderConfig{}, "batch 0: give at least 1 sample"},
		{LoaderConfig{Batch: 1, Buckets: -1}, "buckets -1: give at least 1, or 0 for 4"},
		{LoaderConfig{Batch: 1, Multiple: -1}, "multiple -1: give 1 to 16384 pixels, or 0 for 32"},
		{LoaderConfig{Batch: 1, Workers: -1}, "workers -1: give at least 1, or 0 for one a core"},
		{LoaderConfig{Batch: 1, Prefetch: -1}, "prefetch -1: give at least 1 batch, or 0 for 2"},
		{LoaderConfig{Batch: 1, CacheBytes: -1}, "cache of -1 bytes: give a size, or 0 for none"},
		{LoaderConfig{Batch: 1, Height: 5}, "size 5x0: give both height and width, or neither"},
		{LoaderConfig{Batch: 1, Height: -5, Width: -5}, "size -5x-5: give both height and width, or neither"},
		{LoaderConfig{Batch: 1, Fixed: Resize(4, 4)}, "a fixed transform needs the height and width that images have after it"},
		{LoaderConfig{Batch: 1e9}, "a batch of 1000000000 images of 32x32 takes 4096.0 GB: use a smaller batch, or resize or crop"},
	} {
		_, err := NewLoader(t.Context(), sourceOf(extent{4, 4}), c.cfg)
		require.EqualError(t, err, c.want)
		_, err = NewEvaluation(t.Context(), sourceOf(extent{4, 4}), c.cfg)
		require.EqualError(t, err, c.want)
	}
	_, err := NewLoader(t.Context(), sourceOf(), LoaderConfig{Batch: 1})
	require.EqualError(t, err, "the data set has no samples")
}

func TestNewLoaderReportsBadSizes(t *testing.T) {
	src := sourceOf(repeat(10, 4, 4)...)
	src.sizes[8] = extent{0, 4}
	src.size = func(i int) error {
		if i == 3 || i == 5 {
			return &SampleError{ID: "c", Path: "images/c.png", Err: errors.New("not a PNG")}
		}
		return nil
	}
	_, err := NewLoader(t.Context(), src, LoaderConfig{Batch: 1})
	var bad *SampleError
	require.ErrorAs(t, err, &bad)
	require.EqualError(t, err, "images/c.png: not a PNG (and 2 more that cannot be read)")
	_, err = NewEvaluation(t.Context(), src, LoaderConfig{Batch: 1})
	require.EqualError(t, err, "images/c.png: not a PNG (and 2 more that cannot be read)")

	src.size = nil
	_, err = NewLoader(t.Context(), src, LoaderConfig{Batch: 1})
	require.EqualError(t, err, "sample 8: an image of 0x4 has no pixels")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = NewLoader(ctx, mixed(), LoaderConfig{Batch: 1})
	require.ErrorIs(t, err, context.Canceled)
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
