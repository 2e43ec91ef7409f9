package train

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

// world is all that a Loop touches. It computes nothing, has a clock of its own
// that only its deeds move, and can break anywhere.
type world struct {
	loop Loop
	now  time.Time
	said []event.Record

	weights  uint64 // what all steps so far have made of the seed
	begun    int    // steps
	compiled map[string]bool
	ledger   []Compilation
	kept     Progress // the newest checkpoint
	keptW    uint64
	seen     [][]uint8 // the masks that were handed on

	height func(step int64) int // of a step's batch; nil: 8
	right  func(step int64) int // pixels of 100 that an evaluation after a step has right
	fail   func(deed string) error
	moment func(deed string) // hears of everything, before it happens
}

// newWorld is a run of steps steps, 5 an epoch, with a validation set of 2 batches.
func newWorld(steps int64) *world {
	w := &world{
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), weights: 1, compiled: map[string]bool{},
		right:  func(step int64) int { return int(step) },
		fail:   func(string) error { return nil },
		moment: func(string) {},
	}
	w.loop = Loop{
		Stepper: w, Saver: w, Train: w.batches, Val: w.pass(2),
		Schedule: func(step int) float64 { w.moment("schedule"); return 1 / float64(1+step) },
		Emit:     func(r event.Record) { w.moment("emit"); w.said = append(w.said, r) },
		Scored:   func(Result) { w.moment("scored") },
		Now:      func() time.Time { w.moment("now"); return w.now },
		Classes:  []string{"ground", "tree"}, Steps: steps, SamplesPerEpoch: 10,
	}
	return w
}

// do is one deed: it takes its time, and may fail.
func (w *world) do(deed string, takes time.Duration) error {
	w.moment(deed)
	w.now = w.now.Add(takes)
	return w.fail(deed)
}

func (w *world) batches(ctx context.Context, from datasets.Cursor) iter.Seq2[*datasets.Batch, error] {
	return func(yield func(*datasets.Batch, error) bool) {
		for next := from + 2; ; next += 2 {
			b := &datasets.Batch{N: 2, H: 8, W: 8, Count: 2, Next: next}
			if w.height != nil {
				b.H = w.height(int64(next / 2))
			}
			err := w.do("data", 10*time.Millisecond)
			if err == nil {
				err = ctx.Err()
			}
			switch {
			case errors.Is(err, errNoMore):
				return
			case err != nil:
				yield(nil, err)
				return
			case !yield(b, nil):
				return
			}
		}
	}
}

// errNoMore makes a stream end.
var errNoMore = errors.New("no more")

func (w *world) pass(batches int) Pass {
	return func(ctx context.Context) iter.Seq2[*datasets.Batch, error] {
		return func(yield func(*datasets.Batch, error) bool) {
			for i := range batches {
				err := w.do("val data", 20*time.Millisecond)
				if err == nil {
					err = ctx.Err()
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(&datasets.Batch{N: 4, H: 8, W: 8, Count: 3, Next: datasets.Cursor(3 * (i + 1))}, nil) {
					return
				}
			}
		}
	}
}

func (w *world) CompileStep(b *datasets.Batch, before Before) error {
	return w.compile(fmt.Sprintf("training step %dx%dx%d", b.N, b.H, b.W), before)
}

func (w *world) CompileStepAhead(*datasets.Batch, Before) error { return nil }

func (w *world) CompileEval(b *datasets.Batch, before Before) error {
	return w.compile(fmt.Sprintf("evaluation %dx%dx%d", b.N, b.H, b.W), before)
}

func (w *world) compile(what string, before Before) error {
	if w.compiled[what] {
		return nil
	}
	if err := before.call(what); err != nil {
		return err
	}
	w.compiled[what] = true
	err := w.do("compile", 5*time.Second)
	if err == nil {
		w.ledger = append(w.ledger, Compilation{What: what, Took: 5 * time.Second})
	}
	return err
}

func (w *world) Compiled() []Compilation {
	done := w.ledger
	w.ledger = nil
	return done
}

func (w *world) Step(b *datasets.Batch, at int64, lr float64) (StepResult, error) {
	w.begun++
	err := w.do("step", 100*time.Millisecond)
	h := fnv.New64a()
	fmt.Fprint(h, w.weights, b.Next, at, lr)
	w.weights = h.Sum64()
	result := StepResult{Loss: float64(w.weights%1000) / 1000, GradNorm: math.NaN()}
	var loss lossIs
	if errors.As(err, &loss) {
		result.Loss, err = float64(loss), nil
	}
	return result, err
}

// lossIs, as an error of a step, is its loss instead.
type lossIs float64

func (l lossIs) Error() string { return fmt.Sprint(float64(l)) }

func (w *world) Eval(_ *datasets.Batch, into *score.Confusion, masks bool) (result EvalResult, err error) {
	if err := w.do("eval", time.Second); err != nil {
		return result, err
	}
	step := int64(0)
	for _, r := range w.said {
		if s, ok := r.(event.Step); ok {
			step = s.Step
		}
	}
	if step == 0 {
		step = w.kept.Step // a resumed run
	}
	if right := int64(w.right(step)); right >= 0 {
		err = into.AddCounts([]int64{right, 100 - right, 100 - right, right})
	}
	result = EvalResult{Loss: float64(w.weights % 77), Weight: 200}
	if masks {
		result.Masks = make([]uint8, 4*8*8)
		result.Masks[0] = uint8(step)
	}
	return result, err
}

// Wants, See and Preview implement Previewer for a run that has it: of the first
// batch of an evaluation.
func (w *world) Wants(b *datasets.Batch) bool { return b.Next == 3 }

func (w *world) See(_ *datasets.Batch, masks []uint8) {
	w.moment("see")
	w.seen = append(w.seen, masks)
}

func (w *world) Preview(step int64) (event.Preview, bool) {
	if err := w.do("preview", 300*time.Millisecond); err != nil {
		return event.Preview{}, false
	}
	return event.Preview{Images: []event.PreviewImage{{ID: fmt.Sprintf("first of %d masks", len(w.seen)), Errors: float64(step)}}}, true
}

func (w *world) Save(p Progress, epoch float64) *Saving {
	return SaveHere(func() (event.Saved, error) {
		if err := w.do("save", 2*time.Second); err != nil {
			return event.Saved{}, err
		}
		w.kept, w.keptW = p, w.weights
		return event.Saved{Path: fmt.Sprintf("step-%d", p.Step), Bytes: 1000, Seconds: 2, Best: p.BestStep == p.Step}, nil
	})
}

// dialogue is what was said, short: phases by name, steps by number, "scored 5"
// with a star for the best, "kept 5".
func (w *world) dialogue() string {
	var words []string
	for _, r := range w.said {
		switch r := r.(type) {
		case event.Phase:
			words = append(words, strings.TrimSpace(r.Name+" "+r.Detail))
		case event.Step:
			words = append(words, fmt.Sprint(r.Step))
		case event.Eval:
			words = append(words, fmt.Sprintf("scored %d", r.Step)+map[bool]string{true: "*"}[r.Best])
		case event.Preview:
			words = append(words, fmt.Sprintf("shown %d", r.Step))
		case event.Saved:
			words = append(words, fmt.Sprintf("kept %d", r.Step))
		}
	}
	return strings.Join(words, ", ")
}
