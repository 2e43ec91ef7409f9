package train

import "fmt"

// BatchFit is the batch that [LargestBatch] found.
type BatchFit struct {
	Batch  int
	Needed int64 // bytes, for it
	Next   int64 // bytes that twice as many would need, as far as is known; 0: they were not wanted
}

// NoBatchError says that not even the smallest batch fits.
type NoBatchError struct {
	Batch         int
	Needed, Limit int64 // bytes
}

func (e *NoBatchError) Error() string {
	return fmt.Sprintf("a step on the smallest batch, %d, needs %d bytes of the %d that there are", e.Batch, e.Needed, e.Limit)
}

// LargestBatch finds the largest batch of unit, 2 unit, 4 unit, ... images, at most most of them
// but in any case unit, for which needed gives at most limit bytes. The error is a
// [*NoBatchError] where there is none, or that of needed.
//
// needed compiles a step, which takes long, and grows with the batch as a straight line
// does, or nearly so. So it is asked for the two smallest batches and for the one that
// these foretell; for smaller ones only where that proves wrong.
func LargestBatch(unit, most int, limit int64, needed func(batch int) (int64, error)) (BatchFit, error) {
	one, err := needed(unit)
	if err != nil {
		return BatchFit{}, err
	}
	if one > limit {
		return BatchFit{}, &NoBatchError{unit, one, limit}
	}
	if 2*unit > most {
		return BatchFit{Batch: unit, Needed: one}, nil
	}
	two, err := needed(2 * unit)
	if err != nil {
		return BatchFit{}, err
	}
	if two > limit {
		return BatchFit{unit, one, two}, nil
	}
	k, slope := 2, max(0, two-one)
	for 2*k*unit <= most && one+int64(2*k-1)*slope <= limit {
		k *= 2
	}
	fit := BatchFit{Batch: 2 * unit, Needed: two}
	for ; k > 2; k /= 2 {
		need, err := needed(k * unit)
		if err != nil {
			return BatchFit{}, err
		}
		if need <= limit {
			fit.Batch, fit.Needed = k*unit, need
			break
		}
		fit.Next = need
	}
	if fit.Next == 0 && 2*fit.Batch <= most {
		fit.Next = fit.Needed + int64(fit.Batch/unit)*slope
	}
	return fit, nil
}
