package checkpoints

import (
	"errors"
	"os"
	"path/filepath"
)

// nameNewest brings LAST and BEST up to what is there. A process that was killed between a
// checkpoint and its names has left them behind, and of a run that is complete, or
// that never again is as good, no later save would put them right.
//
// A checkpoint whose meta.json cannot be read is passed over. Its variables are not
// looked at: LAST and BEST are for people and scripts, and fcnx itself goes by
// what is whole.
func (m *Manager) nameNewest() error {
	names, err := m.run.checkpointNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		meta, err := m.run.readMeta(name)
		if err != nil {
			continue
		}
		err = m.name(lastName, name)
		if meta.Best == nil {
			return err
		}
		best := stepName(meta.Best.Step)
		if _, missing := os.Lstat(filepath.Join(m.run.Dir, best)); missing != nil {
			return err
		}
		return errors.Join(err, m.name(bestName, best))
	}
	return nil
}

// name has the file say the name of a checkpoint, unless it says it already.
func (m *Manager) name(file, checkpoint string) error {
	path, text := filepath.Join(m.run.Dir, file), checkpoint+"\n"
	if old, _, err := OpenRegular(path); err == nil {
		said := make([]byte, len(text)+1)
		n, _ := old.ReadAt(said, 0)
		if err := old.Close(); err == nil && string(said[:n]) == text {
			return nil
		}
	}
	return ReplaceFile(path, content([]byte(text)))
}
