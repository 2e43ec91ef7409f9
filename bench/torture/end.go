package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/train/event"
)

// end is all that a run leaves behind and that must be the same however often it was
// stopped.
type end struct {
	step      int64
	variables string // sha256 of the last checkpoint's
	config    string // the digest of config.toml in the last checkpoint
	meta      string // of that checkpoint, without its time and this digest
	// files are the sha256 of what is drawn, by path below the run: overlays and previews.
	files map[string]string
	steps map[int64]string // the record of each step, without times
	evals map[int64]string
	// predicted are the sha256 of masks and logits by name; nil until someone predicts.
	predicted map[string]string
}

// readEnd reads it from the directory of a run. Of a step that several processes did,
// each record must be the same: an error is one that is not.
func readEnd(dir string, garbled bool) (*end, error) {
	run, err := checkpoints.OpenRun(dir)
	if err != nil {
		return nil, err
	}
	var warned []string
	c, err := run.Newest(func(w string) { warned = append(warned, w) })
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if len(warned) > 0 {
		return nil, fmt.Errorf("at the end: %s", strings.Join(warned, "; "))
	}
	e := &end{step: c.Meta.Step, variables: c.Meta.Variables.SHA256, config: c.Meta.Config, files: map[string]string{}, steps: map[int64]string{}, evals: map[int64]string{}}
	c.Meta.Time, c.Meta.Config = time.Time{}, ""
	meta, err := json.MarshalIndent(c.Meta, "", " ")
	if err != nil {
		return nil, err
	}
	e.meta = string(meta)
	for _, drawn := range []string{"overlays", "preview"} {
		if err := hashFiles(dir, drawn, e.files); err != nil {
			return nil, err
		}
	}
	records, err := readRecords(filepath.Join(dir, "events.jsonl"), garbled)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		switch r := r.(type) {
		case event.Step:
			err = e.tell(e.steps, r.Step, withoutTimes(r))
		case event.Eval:
			err = e.tell(e.evals, r.Step, withoutTimes(r))
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// tell keeps a record; one of the same step that says something else is an error.
func (e *end) tell(of map[int64]string, step int64, text string) error {
	if was, ok := of[step]; ok && was != text {
		return fmt.Errorf("step %d came out differently when it was repeated: %s, was %s", step, text, was)
	}
	of[step] = text
	return nil
}

// withoutTimes is a record as it must be in every run.
func withoutTimes(r event.Record) string {
	switch own := r.(type) {
	case event.Step:
		own.Time, own.DataMS, own.StepMS, own.ReadMS, own.TellMS = time.Time{}, 0, 0, 0, 0
		r = own
	case event.Eval:
		own.Time, own.Seconds = time.Time{}, 0
		r = own
	}
	line, err := event.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return string(line)
}

// hashFiles hashes the files below dir/name into sums, by their paths below dir.
func hashFiles(dir, name string, sums map[string]string) error {
	root := filepath.Join(dir, name)
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == root:
			return nil
		case err != nil:
			return err
		case d.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		below, err := filepath.Rel(dir, path)
		sums[below] = hex.EncodeToString(sum[:])
		return err
	})
}

// differs says what is not as in the run that was never stopped.
func (e *end) differs(want *end) error {
	switch {
	case e.step != want.step:
		return fmt.Errorf("it ends with step %d, not %d", e.step, want.step)
	case e.variables != want.variables:
		return fmt.Errorf("variables.safetensors of step %d differs from that of the run that was never stopped", e.step)
	case e.config != want.config:
		return fmt.Errorf("step %d was saved with another config.toml", e.step)
	case e.meta != want.meta:
		return fmt.Errorf("meta.json of step %d differs: %s", e.step, firstDifference(e.meta, want.meta))
	}
	for _, drawn := range slices.Sorted(maps.Keys(want.files)) {
		if e.files[drawn] != want.files[drawn] {
			return fmt.Errorf("%s differs, or is not there", drawn)
		}
	}
	for step, text := range e.steps {
		if want.steps[step] != text {
			return fmt.Errorf("step %d: %s, and in the run that was never stopped %s", step, text, want.steps[step])
		}
	}
	for step, text := range e.evals {
		if want.evals[step] != text {
			return fmt.Errorf("evaluation of step %d: %s, and in the run that was never stopped %s", step, text, want.evals[step])
		}
	}
	for name, sum := range want.predicted {
		if e.predicted != nil && e.predicted[name] != sum {
			return fmt.Errorf("prediction %s differs", name)
		}
	}
	return nil
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s, not %s", strings.TrimSpace(x[i]), strings.TrimSpace(y[i]))
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(x), len(y))
}

// ends are those of runs that nobody disturbs, each made when it is first asked for.
type ends struct {
	mu   sync.Mutex
	made map[string]func() (*end, error)
}

// want is the end of the try's run if nobody disturbs it.
func (t *try) want() (*end, error) {
	e := t.undisturbed
	e.mu.Lock()
	if e.made == nil {
		e.made = map[string]func() (*end, error){}
	}
	key := fmt.Sprint(t.text(), t.env)
	made := e.made[key]
	if made == nil {
		made = sync.OnceValues(func() (*end, error) { return t.leftAlone() })
		e.made[key] = made
	}
	e.mu.Unlock()
	return made()
}

// leftAlone is a run from its first step to the last in one process.
func (t *try) leftAlone() (*end, error) {
	alone := *t.bench
	alone.fault = "undisturbed " + t.fault
	u, err := alone.newTry(t.i, 0, t.recipe)
	if err != nil {
		return nil, err
	}
	defer u.endAll()
	p, err := u.start("train", "--config", "run.toml", "--name", "run", "--ui", "none")
	if err != nil {
		return nil, err
	}
	if err := p.ends(codeDone); err != nil {
		return nil, fmt.Errorf("the run that nobody disturbs: %w", err)
	}
	e, err := readEnd(u.run(), false)
	if err != nil {
		return nil, err
	}
	if t.predicts() {
		if e.predicted, err = u.predict(); err != nil {
			return nil, err
		}
	}
	return e, os.RemoveAll(u.dir)
}
