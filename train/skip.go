package train

import (
	"fmt"
	"iter"
	"math"

	"github.com/fcnx/fcnx/datasets"
)

// The values of data.bad_samples.
const (
	BadFail = "fail" // the first sample that cannot be used ends the run
	BadSkip = "skip" // its slot stays blank, up to data.max_skipped
)

// maxNamed is how many skipped samples a run names; the others are counted.
const maxNamed = 5

// Skips is the account of the samples that a run could not use. It lasts for all
// stages of a run, and is for one goroutine.
type Skips struct {
	Share float64           // data.max_skipped, of an epoch and of a pass over the validation set
	Train int               // samples of an epoch
	Val   int               // samples of a pass
	Note  func(text string) // is told of the first few by name

	// Total counts slots that stayed blank, in training and in evaluations: a sample
	// that is bad in every epoch counts in each.
	Total int
}

// Skippable is how many of n samples may be skipped where share of them may.
func Skippable(share float64, n int) int {
	return int(math.Floor(share*float64(n) + 1e-9)) // 0.07 of 100 is a little less than 7
}

// batches are those of a training stream or of a pass, ended where too many samples
// were skipped. The count begins anew with each epoch.
func (s *Skips) batches(stream iter.Seq2[*datasets.Batch, error], what string, of int) iter.Seq2[*datasets.Batch, error] {
	return func(yield func(*datasets.Batch, error) bool) {
		epoch, count := 0, 0
		for b, err := range stream {
			if err == nil {
				if b.Epoch != epoch {
					epoch, count = b.Epoch, 0
				}
				count += len(b.Skipped)
				err = s.take(b.Skipped, what, count, of)
			}
			if err != nil {
				b = nil
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// take counts skipped samples, names the first few, and finds out whether count is too
// many.
func (s *Skips) take(skipped []*datasets.SampleError, what string, count, of int) error {
	for _, bad := range skipped {
		s.Total++
		switch {
		case s.Note == nil || s.Total > maxNamed+1:
		case s.Total == maxNamed+1:
			s.Note("more samples cannot be used, and are counted without a word from here on")
		default:
			s.Note(fmt.Sprintf("skipped, a blank image takes its place: %v", bad))
		}
	}
	if allowed := Skippable(s.Share, of); len(skipped) > 0 && count > allowed {
		return fmt.Errorf("%d of the %d %s samples could not be used, and data.max_skipped = %g lets %d be skipped; is the disk still there? The last one: %w",
			count, of, what, s.Share, allowed, skipped[len(skipped)-1])
	}
	return nil
}
