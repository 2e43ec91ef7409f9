package tui

import (
	"fmt"
	"strings"
)

// Load reads all that the runs have said so far, and the pictures that the screen
// would show: for one frame without a program around it.
func (m *Model) Load() error {
	for _, w := range m.runs {
		// Asked first: what a process that has gone had to say is there by then.
		life, err := w.source.Life()
		if err != nil {
			return fmt.Errorf("%s: %w", w.source.Name(), err)
		}
		w.life, w.status = life, w.source.Status()
		for more := true; more; {
			c, err := w.source.Next()
			if err != nil {
				return err
			}
			m.fold(chunkMsg{run: w, chunk: c})
			more = c.More
		}
		if life == Gone {
			w.lose(m.options.Now())
		}
	}
	for cmd := m.wantPicture(); cmd != nil; cmd = m.wantPicture() {
		if msg, ok := cmd().(pictureMsg); ok {
			m.picture.arrived(msg)
			m.view++
		}
	}
	return nil
}

// Focus fills the screen with one panel, by its number or the beginning of its title.
func (m *Model) Focus(name string) error {
	for p := panel(1); p <= panel(panels); p++ {
		if name == fmt.Sprint(int(p)) || name != "" && strings.HasPrefix(strings.ToLower(p.title()), strings.ToLower(name)) {
			m.focus, m.zoomed = p, true
			return nil
		}
	}
	return fmt.Errorf("no panel %q among %s", name, panelList())
}
