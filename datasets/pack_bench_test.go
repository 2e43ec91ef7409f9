package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Images of a street's size as JPEG with PNG masks, flipped and cropped into batches: from
// their files, and from a pack. FCNX_BENCH_CAMVID names a directory of CamVid to read in
// place of drawn ones.
func BenchmarkPack(b *testing.B) {
	spec := "camvid:" + os.Getenv("FCNX_BENCH_CAMVID")
	if spec == "camvid:" {
		files := map[string]any{}
		for i := range 32 {
			files[fmt.Sprintf("train/%d.jpg", i)] = picture(360, 480)
			files[fmt.Sprintf("trainannot/%d.png", i)] = greyMask(360, 480, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3)
		}
		spec += write(b, files)
	}
	src := openTest(b, spec, Train)
	pack, err := OpenPack(b.Context(), src, PackConfig{Path: filepath.Join(b.TempDir(), "train.pack")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { pack.Close() })
	for _, c := range []struct {
		name string
		src  Source
	}{{"files", src}, {"pack", pack}} {
		b.Run(c.name, func(b *testing.B) {
			timeLoader(b, c.src, LoaderConfig{
				Batch: 8, Height: 352, Width: 480, Shuffle: true, Augment: Chain(Crop(352, 480, grey128), FlipLR()),
			})
		})
	}
}
