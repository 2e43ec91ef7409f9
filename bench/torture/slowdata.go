package main

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"time"
)

// slowData is a recipe whose images take far longer to decode than anything else does:
// any time after the first step is spent waiting for them.
func (b *bench) slowData(i int) recipe {
	return recipe{kind: kinds[i%2], backend: b.xla(), seed: b.seed, steps: 5, saveEvery: 1, valN: 1, batch: b.batch(), data: "folder:../slow-data"}
}

// drawSlowData makes that data once, where all tries find it.
func (b *bench) drawSlowData() error {
	dir := filepath.Join(b.dir, "slow-data")
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	side := 4000
	if b.short {
		side = 1200
	}
	wide := filepath.Join(b.dir, "slow-data.tmp")
	for _, d := range []string{"train/images", "train/masks", "val/images", "val/masks"} {
		if err := os.MkdirAll(filepath.Join(wide, d), 0o755); err != nil {
			return err
		}
	}
	const n = 6
	first := filepath.Join(wide, "train/images/0.png")
	if err := drawImage(first, image.Pt(side, side)); err != nil {
		return err
	}
	mask := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.Black, color.White})
	for i := range mask.Pix {
		mask.Pix[i] = uint8(i * 3 / len(mask.Pix) % 2)
	}
	firstMask := filepath.Join(wide, "train/masks/0.png")
	if err := writePNG(firstMask, mask); err != nil {
		return err
	}
	var errs []error
	for i := 1; i < n; i++ {
		errs = append(errs, os.Link(first, filepath.Join(wide, fmt.Sprintf("train/images/%d.png", i))),
			os.Link(firstMask, filepath.Join(wide, fmt.Sprintf("train/masks/%d.png", i))))
	}
	errs = append(errs, drawImage(filepath.Join(wide, "val/images/0.png"), image.Pt(40, 40)))
	small := image.NewPaletted(image.Rect(0, 0, 40, 40), mask.Palette)
	small.Pix[7] = 1
	errs = append(errs, writePNG(filepath.Join(wide, "val/masks/0.png"), small), os.Rename(wide, dir))
	return errors.Join(errs...)
}

// duringDataWait is stopped while it waits for samples.
var duringDataWait = fault{
	name: "stopped while it waits for data", injected: "a random signal up to 0.3 s after a step; images of 16 megapixels",
	attack: func(b *bench) outcome {
		if err := b.drawSlowData(); err != nil {
			return b.broken(err)
		}
		return b.tries(b.count(4, 1), b.slowData, func(t *try) error {
			if err := t.stopAnyhow(after(atStep(1, 2), 0, 300*time.Millisecond)); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
