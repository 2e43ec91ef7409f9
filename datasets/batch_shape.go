package datasets

import "fmt"

// BatchShape is what one compiled step takes: images [N,H,W,3] and labels
// [N,LabelH,LabelW].
type BatchShape struct{ N, H, W, LabelH, LabelW int }

// Blank is a batch of blank samples, none of which counts: what a graph for the shape can
// be compiled for before there is a batch of it.
func (s BatchShape) Blank() *Batch { return newBatch(s, batchPlan{}) }

// Shape is the shape of b.
func (b *Batch) Shape() BatchShape { return BatchShape{b.N, b.H, b.W, b.LabelH, b.LabelW} }

// checkMemory refuses batches that are too large to make.
func checkMemory(shapes []BatchShape) error {
	for _, s := range shapes {
		bytes := float64(s.N) * (3*float64(s.H)*float64(s.W) + float64(s.LabelH)*float64(s.LabelW))
		if bytes > maxBatchBytes {
			return fmt.Errorf("a batch of %d images of %dx%d takes %.1f GB: use a smaller batch, or resize or crop",
				s.N, s.H, s.W, bytes/1e9)
		}
	}
	return nil
}
