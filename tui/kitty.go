package tui

import (
	"image"

	tea "charm.land/bubbletea/v2"

	"github.com/fcnx/fcnx/tui/picture"
)

// kittyView are the pictures that the terminal itself holds, where it knows Kitty's
// graphics protocol. Cells of the screen then name them by number, and look like any
// other text to everything in between.
type kittyView struct {
	on     bool
	ids    map[kittyKey]uint32 // what the terminal has
	order  []kittyKey
	wanted []kittyKey // drawn as half blocks until it has them
	sent   uint32
	busy   bool
}

// kittyKey is a picture at a size in cells.
type kittyKey struct {
	picture    image.Image
	cols, rows int
}

// keepKitty is how many pictures the terminal holds.
const keepKitty = 32

// kittyMsg is a picture, encoded for the terminal.
type kittyMsg struct {
	key  kittyKey
	data string
}

// queryKitty asks the terminal whether it knows the protocol. Without a yes nothing
// of it is ever sent.
func (m *Model) queryKitty() tea.Cmd {
	if !m.options.Kitty {
		return nil
	}
	return tea.Raw(picture.KittyQuery())
}

// hearKitty takes the answer; it tells whether msg was one that changes the screen.
func (m *Model) hearKitty(msg tea.Msg) bool {
	if !m.options.Kitty {
		return false
	}
	ok, known := picture.KittyAnswer(msg)
	if !known || !ok || m.picture.kitty.on {
		return false
	}
	m.picture.kitty.on = true
	return true
}

// forgetKitty takes all pictures out of the terminal's memory.
func (m *Model) forgetKitty() tea.Cmd {
	data := ""
	for _, key := range m.picture.kitty.order {
		data += picture.Delete(m.picture.kitty.ids[key])
	}
	if data == "" {
		return nil
	}
	return tea.Raw(data)
}

// place is the text that stands for a picture, nil until the terminal has it.
func (v *kittyView) place(img image.Image, cols, rows int) []string {
	key := kittyKey{img, cols, rows}
	if id, ok := v.ids[key]; ok {
		return picture.Placeholder(id, cols, rows)
	}
	v.wanted = append(v.wanted, key)
	return nil
}

// encodeKitty prepares the next picture that was drawn without the terminal having
// it. Encoding takes milliseconds, so a command does it.
func (m *Model) encodeKitty() tea.Cmd {
	v := &m.picture.kitty
	if v.busy || len(v.wanted) == 0 {
		return nil
	}
	key := v.wanted[0]
	v.wanted = v.wanted[1:]
	if _, there := v.ids[key]; there {
		return nil
	}
	v.busy = true
	v.sent++
	id := picture.FirstID + v.sent
	return func() tea.Msg { return kittyMsg{key, picture.Transmit(id, key.picture, key.cols, key.rows)} }
}

// transmit hands an encoded picture to the terminal, and lets the oldest go.
func (m *Model) transmit(msg kittyMsg) tea.Cmd {
	v := &m.picture.kitty
	v.busy = false
	if msg.data == "" {
		return nil
	}
	if v.ids == nil {
		v.ids = map[kittyKey]uint32{}
	}
	v.ids[msg.key] = picture.FirstID + v.sent
	v.order = append(v.order, msg.key)
	data := msg.data
	if len(v.order) > keepKitty {
		data += picture.Delete(v.ids[v.order[0]])
		delete(v.ids, v.order[0])
		v.order = v.order[1:]
	}
	return tea.Raw(data)
}
