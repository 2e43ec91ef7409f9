package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Summary is what [Check] has seen of the good samples.
type Summary struct {
	Samples int // all of them
	Bad     int
	// Sizes counts the images of each {height, width}.
	Sizes map[[2]int]int
	// Doubtful counts the images whose EXIF orientation says to turn them, and whose
	// SPEC does not say whether to; they are taken as they are stored.
	Doubtful int
	// Labels is nil unless the pixels were read.
	Labels *LabelCount
}

// LabelCount says how often each class is there, for class weights.
type LabelCount struct {
	Pixels []int64 // of each class
	// Images counts the images that have the class, and ImagePixels the labelled
	// pixels of those: Pixels over ImagePixels is the frequency of median frequency
	// balancing (Eigen and Fergus 2015, section 6.3.2).
	Images      []int64
	ImagePixels []int64
	Ignored     int64 // pixels without a class
}

// Frequency is the share of each class among the labelled pixels; all are zero
// when there are none.
func (c *LabelCount) Frequency() []float64 {
	var total int64
	for _, n := range c.Pixels {
		total += n
	}
	share := make([]float64, len(c.Pixels))
	for i, n := range c.Pixels {
		share[i] = float64(n) / float64(max(1, total))
	}
	return share
}

func newLabelCount(classes int) *LabelCount {
	return &LabelCount{Pixels: make([]int64, classes), Images: make([]int64, classes), ImagePixels: make([]int64, classes)}
}

// add counts another's images to c's.
func (c *LabelCount) add(other *LabelCount) {
	for i := range c.Pixels {
		c.Pixels[i] += other.Pixels[i]
		c.Images[i] += other.Images[i]
		c.ImagePixels[i] += other.ImagePixels[i]
	}
	c.Ignored += other.Ignored
}

// Check looks at every sample and reports each that cannot be used, in the order
// of the source and from one goroutine. Unless deep, only headers are read: that
// finds missing files, wrong kinds of file and sizes that differ. Deep reads every
// pixel and counts labels.
//
// Bad samples are no error of Check itself; that is ctx being done.
func Check(ctx context.Context, src Source, deep bool, report func(*SampleError)) (Summary, error) {
	summary := Summary{Samples: src.Len(), Sizes: map[[2]int]int{}}
	if deep {
		summary.Labels = newLabelCount(len(src.Classes()))
	}
	// Blocks keep the reports in order and coming, and the memory small.
	block := 16 * runtime.GOMAXPROCS(0)
	for start := 0; start < src.Len(); start += block {
		seen := make([]inspection, min(block, src.Len()-start))
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range seen {
			group.Go(func() error {
				if ctx.Err() == nil {
					seen[i] = inspect(src, start+i, deep)
				}
				return nil
			})
		}
		group.Wait()
		if err := ctx.Err(); err != nil {
			return summary, err
		}
		for _, s := range seen {
			if s.bad != nil {
				summary.Bad++
				report(s.bad)
				continue
			}
			summary.Sizes[s.size]++
			if s.doubtful {
				summary.Doubtful++
			}
			if s.labels != nil {
				summary.Labels.add(s.labels)
			}
		}
	}
	return summary, nil
}

// inspection is what came of looking at one sample.
type inspection struct {
	bad      *SampleError
	size     [2]int
	doubtful bool
	labels   *LabelCount
}

func inspect(src Source, i int, deep bool) inspection {
	if files, ok := src.(*pairs); ok && !deep {
		size, doubtful, err := files.size(i)
		return inspection{bad: problemOf(i, err), size: [2]int{size.h, size.w}, doubtful: doubtful}
	}
	if !deep {
		h, w, err := src.Size(i)
		return inspection{bad: problemOf(i, err), size: [2]int{h, w}}
	}
	sample, err := src.At(i)
	if err != nil {
		return inspection{bad: problemOf(i, err)}
	}
	seen := inspection{size: [2]int{sample.Image.Rect.Dy(), sample.Image.Rect.Dx()}, doubtful: sample.doubtful}
	if sample.Label != nil {
		seen.labels, err = countLabels(sample, len(src.Classes()))
		seen.bad = problemOf(i, err)
	}
	return seen
}

// countLabels trusts no source: a label out of range would index out of the
// confusion matrix, or train nonsense.
func countLabels(sample Sample, classes int) (*LabelCount, error) {
	var pixels [256]int64
	for y := range sample.Label.Rect.Dy() {
		for x, v := range sample.Label.Pix[y*sample.Label.Stride:][:sample.Label.Rect.Dx()] {
			if int(v) >= classes && v != Ignore {
				return nil, &SampleError{ID: sample.ID, Err: fmt.Errorf("label %d at pixel (%d,%d) is out of range: %s", v, x, y, describeLabels(classes, -1))}
			}
			pixels[v]++
		}
	}
	count := newLabelCount(classes)
	count.Ignored = pixels[Ignore]
	labelled := int64(0)
	for v := range classes {
		labelled += pixels[v]
	}
	for v := range classes {
		count.Pixels[v] = pixels[v]
		if pixels[v] > 0 {
			count.Images[v] = 1
			count.ImagePixels[v] = labelled
		}
	}
	return count, nil
}

func problemOf(i int, err error) *SampleError {
	var sample *SampleError
	if err == nil || errors.As(err, &sample) {
		return sample
	}
	return &SampleError{ID: fmt.Sprint(i), Err: err}
}

// Digest is a short hash of which samples a source has: names and file sizes, or
// the options of what is drawn, and the classes. A resumed run compares it with
// that of its checkpoint. No pixel is read, and the same files in another
// directory have the same digest.
func Digest(src Source) string {
	to := sha256.New()
	fmt.Fprintf(to, "%d samples\n", src.Len())
	for _, class := range src.Classes() {
		fmt.Fprintf(to, "%q\n", class.Name)
	}
	if s, ok := src.(interface{ digest(hash.Hash) }); ok {
		s.digest(to)
	}
	return hex.EncodeToString(to.Sum(nil)[:16])
}
