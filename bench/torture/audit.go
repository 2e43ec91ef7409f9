package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// atRisk is how many intervals between checkpoints a kill may cost: the steps since
// the last one was begun, and where training is faster than the disk, those before it, which
// were still being written. Never are two under way.
const atRisk = 2

// audit holds what a run says of its processes to what is promised: each goes on from
// no older checkpoint than was reported as saved, repeats no more than is at risk, and
// nothing at all after one that ended in good order, and leaves no step out. A run whose
// checkpoints were damaged may go on from an older one.
func audit(records []event.Record, interval int, damaged bool) error {
	pid := 0
	var saved, step int64
	inOrder := false // the process before said its last word
	for _, r := range records {
		switch r := r.(type) {
		case event.Started:
			again := pid != 0 && r.PID != pid
			pid = r.PID
			switch {
			case !again || damaged:
			case r.Step < saved:
				return fmt.Errorf("step %d was reported as saved, and the run went on from step %d", saved, r.Step)
			case inOrder && r.Step != step:
				return fmt.Errorf("a process that ended in good order had done step %d, and the next one went on from step %d", step, r.Step)
			case interval > 0 && step-r.Step > int64(atRisk*interval):
				return fmt.Errorf("a process had done step %d, and the next one went on from step %d: more than %d steps are lost", step, r.Step, atRisk*interval)
			}
			step, inOrder = r.Step, false
		case event.Step:
			if r.Step != step+1 {
				return fmt.Errorf("step %d follows step %d", r.Step, step)
			}
			step = r.Step
		case event.Saved:
			saved = max(saved, r.Step)
		case event.Finished:
			inOrder = r.Reason == event.ReasonInterrupted || r.Reason == event.ReasonDone
		}
	}
	return nil
}

// finish goes on with the run to its end, and holds all that it left to the run that
// was never stopped.
func (t *try) finish(more ...string) error {
	p, err := t.live(more...)
	if err != nil {
		return err
	}
	if err := t.recovers(p); err != nil {
		return err
	}
	if err := p.ends(codeDone); err != nil {
		return err
	}
	return t.verify()
}

// recovers waits until the process has done something, and notes how long that took.
func (t *try) recovers(p *process) error {
	var at time.Time
	err := p.until(func(r event.Record) bool {
		switch r.(type) {
		case event.Step, event.Finished:
			at = r.At()
			return true
		}
		return false
	})
	if errors.Is(err, errOver) {
		return fmt.Errorf("nothing was done: %s", lastLine(p.said()))
	}
	if err == nil {
		t.recovered = append(t.recovered, at.Sub(p.begin))
	}
	return err
}

// verify looks at all that a run has left at its end.
func (t *try) verify() error {
	want, err := t.want()
	if err != nil {
		return err
	}
	got, err := readEnd(t.run(), t.garbled)
	if err != nil {
		return err
	}
	if want.predicted != nil && t.predicts() {
		if got.predicted, err = t.predict(); err != nil {
			return err
		}
	}
	if t.freely {
		got.config = want.config
	}
	if t.blind {
		for path, sum := range want.files {
			if _, there := got.files[path]; !there && strings.HasPrefix(path, "preview/") {
				got.files[path] = sum
			}
		}
	}
	if err := got.differs(want); err != nil {
		return err
	}
	if err := leftovers(t.run()); err != nil {
		return err
	}
	if t.garbled {
		return nil // what the events say is not all there
	}
	records, err := readRecords(filepath.Join(t.run(), "events.jsonl"), false)
	if err != nil {
		return err
	}
	return audit(records, t.saveEvery, t.damaged)
}

// leftovers finds what a save or a removal has not brought to its end.
func leftovers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") || strings.HasSuffix(e.Name(), ".old") {
			return fmt.Errorf("%s is left over", e.Name())
		}
	}
	return nil
}
