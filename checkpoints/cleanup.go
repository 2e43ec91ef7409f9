package checkpoints

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recover puts the run directory in order after a process that was killed.
func (m *Manager) recover() error {
	entries, err := os.ReadDir(m.run.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		base, isTmp := strings.CutSuffix(e.Name(), tmpSuffix)
		base, isOld := strings.CutSuffix(base, oldSuffix)
		_, isStep := parseStepName(base)
		switch {
		case isTmp && (isStep || base == lastName || base == bestName || base == configName):
			err = os.RemoveAll(filepath.Join(m.run.Dir, e.Name()))
		case isOld && isStep:
			err = m.recoverOld(filepath.Join(m.run.Dir, base))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recoverOld puts a checkpoint back that was put aside for one that never came, and
// removes it if that one did come.
func (m *Manager) recoverOld(final string) error {
	old := final + oldSuffix
	switch _, err := os.Lstat(final); {
	case err == nil:
		return remove(old)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.Rename(old, final); err != nil {
		return err
	}
	return syncDir(m.run.Dir)
}

// remove takes a checkpoint away without ever leaving half of one under its name.
func remove(path string) error {
	tmp := path + tmpSuffix
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Rename(path, tmp); err != nil {
		return err
	}
	return os.RemoveAll(tmp)
}

func (m *Manager) warnOnError(err error) {
	if err != nil {
		m.warn(fmt.Sprintf("an old checkpoint could not be removed: %v", err))
	}
}

// retain removes all checkpoints before the one just saved but the last few and
// the best. Those of later steps can only be ones that could not be read when the
// run was resumed; they are replaced when the run gets there.
func (m *Manager) retain(saved Meta) error {
	steps, err := m.run.Steps()
	if err != nil {
		return err
	}
	slices.Reverse(steps)
	best := m.bestKept(steps, saved)
	var errs []error
	kept := 0
	for _, step := range steps {
		if step > saved.Step {
			continue
		}
		if kept++; kept <= m.keep || step == best {
			continue
		}
		errs = append(errs, remove(filepath.Join(m.run.Dir, stepName(step))))
	}
	return errors.Join(errs...)
}

// bestKept is which of the steps, newest first, has the best evaluation; -1: none. The
// best one of all may be none of them: its checkpoint failed, on a disk that was full for
// a while, and the run went on.
func (m *Manager) bestKept(steps []int64, saved Meta) int64 {
	if saved.Best == nil || slices.Contains(steps, saved.Best.Step) {
		return bestStep(saved)
	}
	for _, step := range steps {
		if meta, err := m.run.readMeta(stepName(step)); err == nil && bestStep(meta) == step {
			return step
		}
	}
	return -1
}

func bestStep(meta Meta) int64 {
	if meta.Best == nil {
		return -1
	}
	return meta.Best.Step
}
