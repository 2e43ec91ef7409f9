package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

// mayGoBack tells whether what ended the run is a divergence, and a retry is left.
func (r *trainRun) mayGoBack(ended error, p train.Progress) bool {
	var lost *train.DivergedError
	return errors.As(ended, &lost) && p.Retries < r.config.Train.Retries
}

// goBack is the start from the newest good checkpoint after the run has diverged at p, at
// a lower rate. It says so. The engine that diverged is gone already. On an error, which
// is ended with the reason why there is no way back, it is before that is there to be closed.
func (r *trainRun) goBack(ctx context.Context, plan *trainPlan, before *trainStart, p train.Progress, ended error,
	sinks *trainSinks, warn func(string)) (*trainStart, error) {
	begin := time.Now()
	factor := r.config.Train.RetryLR
	next, ok := p.Back(factor)
	if !ok {
		return before, fmt.Errorf("%w; no retry is left to it: %g times the learning rate would be less than a millionth of the schedule's", ended, factor)
	}
	start, err := r.backTo(ctx, plan, before, next, warn)
	if err != nil {
		return before, errors.Join(ended, fmt.Errorf("going back: %w", err))
	}
	before.close()
	var lost *train.DivergedError
	errors.As(ended, &lost)
	where := "the beginning, as nothing was saved yet"
	if start.checkpoint != nil {
		where = fmt.Sprintf("the checkpoint of step %d", start.progress.Step)
	}
	sinks.note(lost.Step, event.LevelWarning, fmt.Sprintf("%s; going back to %s (%d of %d times), with the learning rate %.4g times the schedule's",
		lost.Cause(), where, next.Retries, r.config.Train.Retries, start.progress.RateScale))
	start.tell(r, sinks, begin)
	return start, nil
}

// backTo opens the newest good checkpoint, or begins anew where there is none, with the
// retries and the rate of next.
func (r *trainRun) backTo(ctx context.Context, plan *trainPlan, before *trainStart, next train.Progress, warn func(string)) (*trainStart, error) {
	c, err := r.Newest(warn)
	if errors.Is(err, checkpoints.ErrNoCheckpoint) {
		start, err := plan.fresh(ctx, r.stages[0], warn)
		if err != nil {
			return nil, err
		}
		start.resumed = true
		start.progress.RateScale, start.progress.Retries = next.RateScale, next.Retries
		return start, nil
	}
	if err != nil {
		return nil, dataError(err)
	}
	start, over, err := r.stages.from(c)
	if err != nil {
		return nil, errors.Join(dataError(err), c.Close())
	}
	start.resumed = true
	start.progress.Retries = next.Retries
	if start.stage.index == before.stage.index {
		start.progress.RateScale = next.RateScale
	} else if earlier, ok := start.progress.Back(r.config.Train.RetryLR); ok {
		start.progress.RateScale = earlier.RateScale // newer checkpoints are damaged: the rate is that stage's
	}
	r.putDown(plan, c, start, over, warn)
	return start, nil
}

// putDown writes into the checkpoint what the run that goes on from it knows more than
// it: a process that is killed before it saves again must not count from the beginning.
// The end of a stage keeps its own rate, which is not that of the next one.
func (r *trainRun) putDown(plan *trainPlan, c *checkpoints.Checkpoint, start *trainStart, over bool, warn func(string)) {
	// A change that was never saved with is not the run's yet, and neither is what it led to.
	if r.changed != nil && slices.ContainsFunc(plan.changes, func(change train.Change) bool { return !change.Harmless() }) {
		return
	}
	scale := start.progress.RateScale
	if over {
		scale = c.Meta.LRScale
	}
	if err := r.manager.Amend(c, start.progress.Retries, scale); err != nil {
		warn(fmt.Sprintf("a process that is killed before the next checkpoint will not have counted this: %v", err))
	}
}
