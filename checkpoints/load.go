package checkpoints

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoCheckpoint is returned for a run that has not saved anything yet.
var ErrNoCheckpoint = errors.New("the run has no checkpoint yet")

// Checkpoint is a checkpoint whose every byte was checked.
type Checkpoint struct {
	Name string // of its directory, below the run's
	Meta Meta
	// Variables stays readable until Close, even if the checkpoint is removed.
	Variables *File
}

// Close closes the file of the variables.
func (c *Checkpoint) Close() error { return c.Variables.Close() }

// Steps lists the steps that have a checkpoint, good or not, in rising order.
func (r *Run) Steps() ([]int64, error) {
	names, err := r.checkpointNames()
	if err != nil {
		return nil, err
	}
	return stepsOf(names), nil
}

func stepsOf(names []string) []int64 {
	var steps []int64
	for _, name := range slices.Backward(names) {
		step, _ := parseStepName(strings.TrimSuffix(name, oldSuffix))
		steps = append(steps, step)
	}
	return slices.Compact(steps)
}

// checkpointNames lists the directories of checkpoints, newest first. One that was
// put aside while it is being replaced comes after the one that replaces it.
func (r *Run) checkpointNames() ([]string, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := parseStepName(strings.TrimSuffix(e.Name(), oldSuffix)); ok {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		x, y := strings.TrimSuffix(a, oldSuffix), strings.TrimSuffix(b, oldSuffix)
		if x != y {
			return strings.Compare(y, x)
		}
		return len(a) - len(b)
	})
	return names, nil
}

// Newest opens the checkpoint of the highest step that is whole. For each newer one
// that is not, warn is told what is wrong with it. If none is whole the error
// says why, one by one; if there is none at all it is [ErrNoCheckpoint].
//
// LAST is not looked at: it is written after the checkpoint, so it may be one
// behind.
func (r *Run) Newest(warn func(string)) (*Checkpoint, error) {
	names, err := r.checkpointNames()
	if err != nil {
		return nil, err
	}
	return r.firstGood(names, warn)
}

// Best opens the checkpoint with the best evaluation, as the newest readable
// meta.json tells. If that checkpoint is not whole, warn is told, and the one that
// was the best before it is opened.
func (r *Run) Best(warn func(string)) (*Checkpoint, error) {
	names, err := r.checkpointNames()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w", r.Dir, ErrNoCheckpoint)
	}
	var best []string
	for _, name := range names {
		meta, err := r.readMeta(name)
		if err != nil || meta.Best == nil || slices.Contains(best, stepName(meta.Best.Step)) {
			continue
		}
		best = append(best, ofStep(names, meta.Best.Step)...)
	}
	if len(best) == 0 {
		return nil, fmt.Errorf("%s: no checkpoint that can be read has been evaluated; take the newest", r.Dir)
	}
	return r.firstGood(best, warn)
}

// At opens the checkpoint of one step.
func (r *Run) At(step int64) (*Checkpoint, error) {
	names, err := r.checkpointNames()
	if err != nil {
		return nil, err
	}
	if steps := stepsOf(names); !slices.Contains(steps, step) {
		return nil, fmt.Errorf("%s has no checkpoint of step %d; it has those of %v", r.Dir, step, steps)
	}
	return r.firstGood(ofStep(names, step), func(string) {})
}

// ofStep picks the checkpoints of one step. Where there is none it returns the name
// all the same, so that opening it says what is missing.
func ofStep(names []string, step int64) []string {
	of := []string{stepName(step)}
	if old := stepName(step) + oldSuffix; slices.Contains(names, old) {
		of = append(of, old)
	}
	return of
}

// firstGood opens the first of the named checkpoints that is whole.
func (r *Run) firstGood(names []string, warn func(string)) (*Checkpoint, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: %w", r.Dir, ErrNoCheckpoint)
	}
	type failure struct {
		name string
		err  error
	}
	var failures []failure
	for _, name := range names {
		c, err := r.open(name)
		if err == nil {
			for _, f := range failures {
				warn(fmt.Sprintf("checkpoint %s cannot be used (%v), %s is taken instead", f.name, f.err, name))
			}
			return c, nil
		}
		failures = append(failures, failure{name, err})
	}
	text := r.Dir + ": no checkpoint can be used:"
	for _, f := range failures {
		text += fmt.Sprintf("\n  %s: %v", f.name, f.err)
	}
	return nil, errors.New(text)
}

// open checks a checkpoint: what meta.json says of itself, the size and the hash
// of the variables, and their header.
func (r *Run) open(name string) (*Checkpoint, error) {
	meta, err := r.readMeta(name)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(r.Dir, name, variablesName)
	f, size, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	if err := checkContent(f, size, meta.Variables); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file, err := newFile(path, f, size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file.close = f.Close
	return &Checkpoint{Name: name, Meta: meta, Variables: file}, nil
}

// maxMeta is far more than a meta.json can have.
const maxMeta = 1 << 20

func (r *Run) readMeta(name string) (Meta, error) {
	f, _, err := OpenRegular(filepath.Join(r.Dir, name, metaName))
	if err != nil {
		return Meta{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMeta))
	if err != nil {
		return Meta{}, err
	}
	meta, err := decodeMeta(text)
	if err != nil {
		return Meta{}, fmt.Errorf("%s: %w", metaName, err)
	}
	if stepName(meta.Step) != strings.TrimSuffix(name, oldSuffix) {
		return Meta{}, fmt.Errorf("%s is of step %d", metaName, meta.Step)
	}
	return meta, nil
}

// checkContent reads the variables once from end to end.
func checkContent(r io.ReaderAt, size int64, want Variables) error {
	if size != want.Bytes {
		return fmt.Errorf("%s has %d bytes, and %s says %d", variablesName, size, metaName, want.Bytes)
	}
	hash := sha256.New()
	buffer := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; {
		n, err := r.ReadAt(buffer[:min(size-at, int64(len(buffer)))], at)
		if err != nil {
			return fmt.Errorf("%s: %w", variablesName, noEOF(err))
		}
		hash.Write(buffer[:n])
		at += int64(n)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != want.SHA256 {
		return fmt.Errorf("%s was changed after it was saved: its sha256 is %s, and %s says %s", variablesName, sum, metaName, want.SHA256)
	}
	return nil
}
