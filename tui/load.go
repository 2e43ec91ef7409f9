package tui

import "fmt"

// Load reads all that the runs have said so far, and the pictures that the screen
// would show: for one frame without a program around it.
func (m *Model) Load() error {
	for _, w := range m.runs {
		for more := true; more; {
			c, err := w.source.Next()
			if err != nil {
				return err
			}
			m.fold(chunkMsg{run: w, chunk: c})
			more = c.More
		}
		life, err := w.source.Life()
		if err != nil {
			return fmt.Errorf("%s: %w", w.source.Name(), err)
		}
		m.hearLife(lifeMsg{w, life})
		m.hearLife(lifeMsg{w, life}) // nobody can write between two looks at once
	}
	for cmd := m.wantPicture(); cmd != nil; cmd = m.wantPicture() {
		if msg, ok := cmd().(pictureMsg); ok {
			m.picture.arrived(msg)
			m.view++
		}
	}
	return nil
}
