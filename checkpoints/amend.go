package checkpoints

import (
	"fmt"
	"path/filepath"
)

// Amend replaces what a checkpoint says of the run's future: how often the run went
// back, and with what scale of the learning rate it goes on from c. The variables and
// everything else stay; a crash leaves the old meta.json or the new one.
func (m *Manager) Amend(c *Checkpoint, retries int, lrScale float64) error {
	meta := c.Meta
	meta.Retries, meta.LRScale = retries, lrScale
	err := meta.check()
	var text []byte
	if err == nil {
		text, err = encodeMeta(meta)
	}
	if err == nil {
		err = ReplaceFile(filepath.Join(m.run.Dir, c.Name, metaName), content(text))
	}
	if err != nil {
		return fmt.Errorf("amend checkpoint %s: %w", c.Name, err)
	}
	c.Meta = meta
	return nil
}
