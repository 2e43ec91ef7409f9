// Package score counts what a network got right: a [Confusion] matrix over a
// whole data set, and the four measures of the FCN paper that follow from it.
//
// The package knows classes and counts, nothing of networks or devices, and
// imports the standard library only.
package score

import (
	"fmt"
	"math"
)

// Ignore is the label value that does not score.
const Ignore = 255

// Confusion counts pixels by what they are and what they were taken for.
type Confusion struct {
	classes int
	counts  []int64 // [truth][prediction], row-major
}

// New returns an empty matrix. Classes is at least 1.
func New(classes int) *Confusion {
	return &Confusion{classes, make([]int64, classes*classes)}
}

// Classes is the number of rows, and of columns.
func (c *Confusion) Classes() int { return c.classes }

// Count is the number of pixels of class truth that were taken for class
// prediction.
func (c *Confusion) Count(truth, prediction int) int64 {
	return c.counts[truth*c.classes+prediction]
}

// Counts is a copy of the whole matrix, [truth][prediction], row-major.
func (c *Confusion) Counts() []int64 { return append([]int64(nil), c.counts...) }

// Pixels is the number of pixels counted.
func (c *Confusion) Pixels() int64 {
	total := int64(0)
	for _, n := range c.counts {
		total += n
	}
	return total
}

// Add counts what other has counted.
func (c *Confusion) Add(other *Confusion) error {
	if other.classes != c.classes {
		return fmt.Errorf("a confusion of %d classes does not add to one of %d", other.classes, c.classes)
	}
	return c.AddCounts(other.counts)
}

// AddCounts adds a matrix that was counted elsewhere, on a device say:
// [truth][prediction], row-major. After an error nothing has been added.
func (c *Confusion) AddCounts(counts []int64) error {
	if len(counts) != len(c.counts) {
		return fmt.Errorf("%d counts do not make a confusion of %d classes, which has %d", len(counts), c.classes, len(c.counts))
	}
	for i, n := range counts {
		if n < 0 {
			return fmt.Errorf("a count of %d pixels of class %d taken for class %d", n, i/c.classes, i%c.classes)
		}
	}
	for i, n := range counts {
		c.counts[i] += n
	}
	return nil
}

// Observe counts pixel by pixel; pixels whose truth is [Ignore] are left out.
// Training counts on the device instead, and is tested against this. After an
// error nothing has been counted.
func (c *Confusion) Observe(truth, prediction []uint8) error {
	if len(truth) != len(prediction) {
		return fmt.Errorf("%d labels for %d predictions", len(truth), len(prediction))
	}
	for i, t := range truth {
		switch {
		case t == Ignore:
		case int(t) >= c.classes:
			return fmt.Errorf("label %d at pixel %d, where classes end at %d", t, i, c.classes-1)
		case int(prediction[i]) >= c.classes:
			return fmt.Errorf("prediction %d at pixel %d, where classes end at %d", prediction[i], i, c.classes-1)
		}
	}
	for i, t := range truth {
		if t != Ignore {
			c.counts[int(t)*c.classes+int(prediction[i])]++
		}
	}
	return nil
}

// Measures are fractions of one. What nothing was counted for is NaN.
//
// With n(i,j) the pixels of class i taken for class j, and t(i) = Σⱼ n(i,j) the
// pixels of class i, they are those of section 5 of "Fully Convolutional
// Networks for Semantic Segmentation" (Long, Shelhamer, Darrell, CVPR 2015).
type Measures struct {
	// PixelAccuracy is Σᵢ n(i,i) / Σᵢ t(i).
	PixelAccuracy float64
	// MeanAccuracy is the mean of ClassAccuracy over the classes with labels.
	MeanAccuracy float64
	// MeanIoU is the mean of ClassIoU over the classes that occur, in the labels
	// or in the predictions.
	MeanIoU float64
	// FwIoU is ClassIoU weighted by the share of labels: Σᵢ t(i)·IoU(i) / Σᵢ t(i).
	FwIoU float64
	// ClassIoU is n(i,i) / (t(i) + Σⱼ n(j,i) - n(i,i)), NaN for a class that is in
	// neither the labels nor the predictions.
	ClassIoU []float64
	// ClassAccuracy is n(i,i) / t(i), NaN for a class without labels.
	ClassAccuracy []float64
}

// Measures computes the measures of everything counted so far.
func (c *Confusion) Measures() Measures {
	labelled, predicted := c.marginals()
	m := Measures{
		ClassIoU:      make([]float64, c.classes),
		ClassAccuracy: make([]float64, c.classes),
	}
	right, total, weighted := 0.0, 0.0, 0.0
	for i := range c.classes {
		hit := float64(c.Count(i, i))
		m.ClassAccuracy[i] = hit / labelled[i]
		m.ClassIoU[i] = hit / (labelled[i] + predicted[i] - hit)
		right += hit
		total += labelled[i]
		if labelled[i] > 0 {
			weighted += labelled[i] * m.ClassIoU[i]
		}
	}
	m.PixelAccuracy = right / total
	m.MeanAccuracy = mean(m.ClassAccuracy)
	m.MeanIoU = mean(m.ClassIoU)
	m.FwIoU = weighted / total
	return m
}

// marginals are the sums of rows and of columns: pixels labelled and pixels
// predicted, a class each. They are floats, so that 0/0 is the NaN we want.
func (c *Confusion) marginals() (labelled, predicted []float64) {
	labelled, predicted = make([]float64, c.classes), make([]float64, c.classes)
	for i := range c.classes {
		for j := range c.classes {
			n := float64(c.Count(i, j))
			labelled[i] += n
			predicted[j] += n
		}
	}
	return labelled, predicted
}

// mean leaves out NaN; of nothing but NaN it is NaN.
func mean(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return sum / n
}
