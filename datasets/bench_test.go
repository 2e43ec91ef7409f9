package datasets

import (
	"fmt"
	"slices"
	"testing"
)

func BenchmarkResize(b *testing.B) {
	src := testSample(extent{360, 480}, 1)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			resizeImage(src.Image, 192, 256)
		}
	})
	b.Run("ours enlarging", func(b *testing.B) {
		for b.Loop() {
			resizeImage(src.Image, 720, 960)
		}
	})
	b.Run("x/image/draw", func(b *testing.B) {
		for b.Loop() {
			slowResize(src.Image, 192, 256)
		}
	})
	b.Run("label", func(b *testing.B) {
		for b.Loop() {
			resizeLabel(src.Label, 192, 256)
		}
	})
}

func BenchmarkAugment(b *testing.B) {
	src := testSample(extent{360, 480}, 1)
	for _, c := range []struct {
		name      string
		transform Transform
	}{
		{"flip", FlipLR()},
		{"jitter", ColorJitter(0.3)},
		{"crop", Crop(192, 256, grey128)},
		{"crop, flip, jitter", Chain(Crop(192, 256, grey128), FlipLR(), ColorJitter(0.3))},
		{"scale, crop, flip, jitter", Chain(ScaleJitter(0.5, 2), Crop(192, 256, grey128), FlipLR(), ColorJitter(0.3))},
	} {
		b.Run(c.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.transform(sampleRNG(1, 0, i), src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// keptSource has its samples in memory, so that what is measured is the loader.
type keptSource struct {
	memorySource
	samples []Sample
}

func (k *keptSource) At(i int) (Sample, error) { return k.samples[i].clone(), nil }

func BenchmarkLoader(b *testing.B) {
	src := &keptSource{memorySource: memorySource{sizes: repeat(64, 360, 480)}}
	for i, size := range src.sizes {
		src.samples = append(src.samples, testSample(size, uint64(i)))
	}
	for _, c := range []struct {
		name string
		cfg  LoaderConfig
	}{
		{"as they are", LoaderConfig{Batch: 8}},
		{"resize, flip", LoaderConfig{Batch: 8, Fixed: Resize(192, 256), Augment: FlipLR(), Height: 192, Width: 256, Shuffle: true}},
		{"resize, flip, cached", LoaderConfig{Batch: 8, Fixed: Resize(192, 256), Augment: FlipLR(), Height: 192, Width: 256, Shuffle: true, CacheBytes: 1 << 30}},
		{"scale, crop, flip, jitter", LoaderConfig{Batch: 8, Height: 192, Width: 256, Shuffle: true,
			Augment: Chain(ScaleJitter(0.5, 2), Crop(192, 256, grey128), FlipLR(), ColorJitter(0.3))}},
	} {
		for _, workers := range []int{1, 2} {
			cfg := c.cfg
			cfg.Workers = workers
			b.Run(fmt.Sprintf("%s/workers=%d", c.name, workers), func(b *testing.B) {
				timeLoader(b, src, cfg)
			})
		}
	}
}

// timeLoader reports how many images of src a loader gives in a second.
func timeLoader(b *testing.B, src Source, cfg LoaderConfig) {
	l, err := NewLoader(b.Context(), src, cfg)
	if err != nil {
		b.Fatal(err)
	}
	images := 0
	for batch, err := range l.Batches(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		if images += batch.Count; !b.Loop() {
			break
		}
	}
	b.ReportMetric(float64(images)/b.Elapsed().Seconds(), "images/s")
}

// A data set from the web: tens of thousands of images, thousands of sizes.
func BenchmarkChooseBuckets(b *testing.B) {
	sizes := randomSizes(testRNG(1), 20_000, 600)
	sizes = slices.Concat(sizes, repeat(20_000, 375, 500))
	for _, multiple := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("multiple=%d", multiple), func(b *testing.B) {
			for b.Loop() {
				chooseBuckets(sizes, 4, multiple)
			}
		})
	}
}
