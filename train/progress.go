package train

import "github.com/fcnx/fcnx/datasets"

// Progress is how far a run has come. With the variables it is all the state there
// is: order, augmentation and dropout are functions of the seed and of these.
type Progress struct {
	Step      int64           // updates done
	Cursor    datasets.Cursor // samples drawn
	Evaluated int64           // the step of the last evaluation; 0: none yet
	BestIoU   float64         // the highest mean IoU; meaningful when BestStep > 0
	BestStep  int64
	RateScale float64 // times the schedule's learning rate, as people or a retry asked for; 0: 1
	Retries   int     // how often the run went back because it had diverged
}

// minRateScale is where halving ends: twenty times is a millionth, and a rate must
// not become zero.
const minRateScale = 1. / (1 << 20)

// scale is RateScale where it was set, and else 1.
func (p Progress) scale() float64 {
	if p.RateScale == 0 {
		return 1
	}
	return p.RateScale
}

// Back is the progress of a run that goes back once more, with its learning rate times
// factor from here on. It is not ok where that would be less than a millionth of the
// schedule's.
func (p Progress) Back(factor float64) (next Progress, ok bool) {
	scale := p.scale() * factor
	if scale < minRateScale {
		return p, false
	}
	p.RateScale = scale
	p.Retries++
	return p, true
}
