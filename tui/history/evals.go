package history

import (
	"math"
	"slices"
	"sort"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

const (
	maxEvals    = 4096
	maxClasses  = 256 // what a label of one byte can tell apart
	maxSaved    = 100
	maxPreviews = 1024
	maxImages   = 64   // of a preview
	maxName     = 4096 // bytes of one image's names
)

// evals are the evaluations by step, and which of them is the best.
type evals struct {
	list []Eval
	best int // the first with the highest mean IoU; meaningful when one has any
}

func (r *Run) eval(rec event.Eval) {
	e := Eval{
		Time: rec.Time, Step: rec.Step, Epoch: rec.Epoch, Loss: float64(rec.Loss),
		MeanIoU: float64(rec.MeanIoU), PixelAccuracy: float64(rec.PixelAccuracy),
		MeanAccuracy: float64(rec.MeanAccuracy), FwIoU: float64(rec.FwIoU),
		Samples: rec.Samples, Seconds: rec.Seconds, Best: rec.Best,
	}
	if r.started != nil {
		classes := r.started.Classes[:min(len(r.started.Classes), maxClasses)]
		e.Class = make([]float64, len(classes))
		for i, name := range classes {
			e.Class[i] = math.NaN()
			if iou := rec.ClassIoU[name]; iou != nil {
				e.Class[i] = float64(*iou)
			}
		}
	}
	r.evals.forget(rec.Step) // the later one counts
	r.evals.add(e)
	r.passes.scored(rec.Seconds)
	r.versions.Evals++
	r.say(rec.Time, event.LevelInfo, wording.Eval(rec))
}

func (e *evals) add(eval Eval) {
	e.list = append(e.list, eval)
	e.compare(len(e.list) - 1)
	if len(e.list) > maxEvals {
		e.list = thin(e.list, func(i int) bool { return i == e.best })
		e.findBest()
	}
}

// compare makes the i-th the best if it is better than that.
func (e *evals) compare(i int) {
	if best := e.list[e.best].MeanIoU; math.IsNaN(best) || e.list[i].MeanIoU > best {
		e.best = i
	}
}

// forget drops those of a step and of all after it.
func (e *evals) forget(from int64) {
	n := sort.Search(len(e.list), func(i int) bool { return e.list[i].Step >= from })
	if n == len(e.list) {
		return
	}
	clear(e.list[n:])
	e.list = e.list[:n]
	e.findBest()
}

func (e *evals) findBest() {
	e.best = 0
	for i := range e.list {
		e.compare(i)
	}
}

// thin drops every other element of a list, but the first, the last and those to
// keep.
func thin[T any](list []T, keep func(i int) bool) []T {
	thinner := make([]T, 0, len(list)/2+2)
	for i, v := range list {
		if i%2 == 0 || i == len(list)-1 || keep(i) {
			thinner = append(thinner, v)
		}
	}
	return thinner
}

// Evals are the evaluations by step: all of them up to 4096; of more, every other
// one is dropped, but never the first, the last or the best. The caller only reads
// them, until the next Add.
func (r *Run) Evals() []Eval { return r.evals.list }

// Best is the first of the evaluations with the highest mean IoU; false when none
// has one.
func (r *Run) Best() (Eval, bool) {
	if len(r.evals.list) == 0 || math.IsNaN(r.evals.list[r.evals.best].MeanIoU) {
		return Eval{}, false
	}
	return r.evals.list[r.evals.best], true
}

// save takes in a checkpoint. The newest that claims to be the best is.
func (r *Run) save(rec event.Saved) {
	r.saved = slices.DeleteFunc(r.saved, func(s event.Saved) bool { return s.Path == rec.Path })
	if rec.Best {
		for i := range r.saved {
			r.saved[i].Best = false
		}
	}
	r.saved = append(r.saved, rec)
	for len(r.saved) > maxSaved+1 || len(r.saved) > maxSaved && !r.saved[0].Best {
		oldest := slices.IndexFunc(r.saved, func(s event.Saved) bool { return !s.Best })
		r.saved = slices.Delete(r.saved, oldest, oldest+1)
	}
	r.passes.saved(rec.HeldSeconds)
	r.say(rec.Time, event.LevelInfo, wording.Saved(rec))
}

// Saved are the newest 100 checkpoints in the order in which they were written,
// and before them the best where that is older. At most one is marked as the best.
// The caller only reads them, until the next Add.
func (r *Run) Saved() []event.Saved { return r.saved }

// preview takes in the pictures of an evaluation: no more of them, and of no
// longer names, than any screen could show.
func (r *Run) preview(rec event.Preview) {
	rec.Images = slices.DeleteFunc(slices.Clone(rec.Images), func(i event.PreviewImage) bool {
		return len(i.ID)+len(i.Truth)+len(i.Result)+len(i.Worst) > maxName
	})
	rec.Images = slices.Clip(rec.Images[:min(len(rec.Images), maxImages)])
	r.forgetPreviews(rec.Step)
	r.previews = append(r.previews, rec)
	if len(r.previews) > maxPreviews {
		best, ok := r.Best()
		r.previews = thin(r.previews, func(i int) bool { return ok && r.previews[i].Step == best.Step })
	}
	r.versions.Previews++
}

// Previews are the pictures by step, thinned like Evals from 1024 on. The caller
// only reads them, until the next Add.
func (r *Run) Previews() []event.Preview { return r.previews }

func (r *Run) forgetPreviews(from int64) {
	n := sort.Search(len(r.previews), func(i int) bool { return r.previews[i].Step >= from })
	clear(r.previews[n:])
	r.previews = r.previews[:n]
}

// rewindPasses forgets the evaluations, checkpoints and pictures of later steps.
func (r *Run) rewindPasses(after int64) {
	r.saved = slices.DeleteFunc(r.saved, func(s event.Saved) bool { return s.Step > after })
	if after < math.MaxInt64 {
		r.evals.forget(after + 1)
		r.forgetPreviews(after + 1)
	}
}
