package checkpoints

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	variablesName = "variables.safetensors"
	metaName      = "meta.json"
	lastName      = "LAST"
	bestName      = "BEST"

	stepPrefix = "step-"
	stepDigits = 12
	maxStep    = 999_999_999_999
	// oldSuffix marks a checkpoint while another of the same step takes its place.
	oldSuffix = ".old"
)

// stepName is the name of a checkpoint's directory.
func stepName(step int64) string { return fmt.Sprintf("%s%0*d", stepPrefix, stepDigits, step) }

// StepDir is the directory of the checkpoint of a step, whether there is one or not.
func (r *Run) StepDir(step int64) string { return filepath.Join(r.Dir, stepName(step)) }

// parseStepName is the inverse of stepName.
func parseStepName(name string) (step int64, ok bool) {
	digits, found := strings.CutPrefix(name, stepPrefix)
	if !found || len(digits) != stepDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil
}

// Manager saves the checkpoints of a run and removes old ones. It is used by one
// goroutine at a time, of the process that holds the run's lock.
type Manager struct {
	run  *Run
	keep int
	warn func(string)
}

// Saved says where a checkpoint is.
type Saved struct {
	Path  string // below the run directory
	Bytes int64  // of its files
	Best  bool   // it is the best so far
}

// NewManager clears away what a killed process left half done, and has LAST and BEST
// name what it left whole. From then on the
// last keep checkpoints and the best one are kept. warn is told of what went wrong
// without harm: an old checkpoint that could not be removed.
func NewManager(run *Run, keep int, warn func(string)) (*Manager, error) {
	if run.lock == nil {
		return nil, fmt.Errorf("%s is not locked by this process", run.Dir)
	}
	if keep < 1 {
		return nil, fmt.Errorf("checkpoint.keep is %d: at least one checkpoint must be kept", keep)
	}
	m := &Manager{run, keep, warn}
	if err := m.recover(); err != nil {
		return nil, fmt.Errorf("clear away unfinished checkpoints: %w", err)
	}
	if err := m.nameNewest(); err != nil {
		return nil, fmt.Errorf("name the newest checkpoint: %w", err)
	}
	return m, nil
}

// Save writes a checkpoint of the variables that infos describe, whose bytes data
// writes one after the other, as for [Write]. When it returns without an error, the
// checkpoint survives a loss of power. On an error everything that was there before
// is untouched, and nothing half-written is left.
//
// A checkpoint of the same step is replaced: the second may know an evaluation
// that the first did not. The checkpoint becomes the best one when meta.Best.Step
// is its step.
func (m *Manager) Save(meta Meta, infos []Info, data func(name string, w io.Writer) error) (Saved, error) {
	name := stepName(meta.Step)
	meta.Schema = Schema
	meta.Time = meta.Time.UTC()
	if err := meta.check(); err != nil {
		return Saved{}, fmt.Errorf("save checkpoint %s: %w", name, err)
	}
	final := filepath.Join(m.run.Dir, name)
	tmp := final + tmpSuffix
	bytes, err := writeCheckpoint(tmp, meta, infos, data)
	if err == nil {
		err = m.commit(tmp, final)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(tmp))
		return Saved{}, fmt.Errorf("save checkpoint %s: %w%s; those saved before are untouched", final, err, space(err, infos, m.run.Dir))
	}

	isBest := meta.Best != nil && meta.Best.Step == meta.Step
	err = m.name(lastName, name)
	if err == nil && isBest {
		err = m.name(bestName, name)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("checkpoint %s is saved, but not named as the last or best one: %w", final, err)
	}
	m.warnOnError(m.retain(meta))
	return Saved{Path: name, Bytes: bytes, Best: isBest}, nil
}

// writeCheckpoint fills the directory tmp and returns when all of it is on disk.
func writeCheckpoint(tmp string, meta Meta, infos []Info, data func(name string, w io.Writer) error) (int64, error) {
	if err := os.RemoveAll(tmp); err != nil {
		return 0, err
	}
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return 0, err
	}
	var written Written
	err := createSynced(filepath.Join(tmp, variablesName), func(f *os.File) (err error) {
		written, err = Write(f, infos, nil, data)
		return err
	})
	if err != nil {
		return 0, err
	}
	meta.Variables = Variables(written)
	text, err := encodeMeta(meta)
	if err != nil {
		return 0, err
	}
	if err := createSynced(filepath.Join(tmp, metaName), content(text)); err != nil {
		return 0, err
	}
	return written.Bytes + int64(len(text)), syncDir(tmp)
}

// commit gives the finished directory its name. A directory cannot be renamed over
// another, so an older checkpoint of the same step steps aside first; killed in
// between, readers find it under its other name, and the next manager puts it back.
func (m *Manager) commit(tmp, final string) error {
	old := final + oldSuffix
	if _, err := os.Lstat(old); err == nil {
		if err := m.recoverOld(final); err != nil {
			return err
		}
	}
	err := os.Rename(final, old)
	replaces := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, final); err != nil {
		if replaces {
			err = errors.Join(err, os.Rename(old, final))
		}
		return err
	}
	if err := syncDir(m.run.Dir); err != nil {
		return err
	}
	if replaces {
		m.warnOnError(remove(old))
	}
	return nil
}

// space says what a file system that is full, or a limit, would have had to hold.
func space(err error, infos []Info, dir string) string {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) && !errors.Is(err, unix.EFBIG) {
		return ""
	}
	need := int64(0)
	for _, info := range infos {
		size, _ := info.Size()
		need += size
	}
	text := fmt.Sprintf(": a checkpoint needs %s", megabytes(uint64(need)))
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) == nil {
		text += fmt.Sprintf(", and %s are free", megabytes(stat.Bavail*uint64(stat.Bsize))) // #nosec G115 -- a size
	}
	return text
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
