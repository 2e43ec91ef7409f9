package tui

import (
	"fmt"
	"image"
	"image/color"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/train/score"
	"github.com/fcnx/fcnx/tui/picture"
)

// PictureReader reads one of a run's picture files, which hold two pictures each;
// dir is the run's directory and path is below it.
type PictureReader func(dir, path string) (left, right image.Image, err error)

// pictureView is which picture is looked at, and those that were read.
type pictureView struct {
	image   int // of the fixed samples
	back    int // evaluations before the newest
	read    map[pictureKey]*pair
	order   []pictureKey // of read, the oldest first
	loading bool
	kitty   kittyView
}

// pictureKey is a file as it was when it was told of: a resumed run writes some of
// them again.
type pictureKey struct {
	dir, path string
	told      time.Time
}

// pair is a file of pictures, or why it cannot be seen.
type pair struct {
	left, right image.Image
	err         error
}

// keepPictures bounds the files that are held in memory: a few hundred kilobytes
// each.
const keepPictures = 24

type pictureMsg struct {
	key  pictureKey
	pair pair
}

func (v *pictureView) arrived(msg pictureMsg) {
	if v.read == nil {
		v.read = map[pictureKey]*pair{}
	}
	v.loading = false
	v.read[msg.key] = &msg.pair
	v.order = append(v.order, msg.key)
	if len(v.order) > keepPictures {
		delete(v.read, v.order[0])
		v.order = v.order[1:]
	}
}

// move scrubs through samples (left, right) and evaluations (up is older).
func (v *pictureView) move(key string, previews []event.Preview) {
	if len(previews) == 0 {
		return
	}
	n := len(v.at(previews).Images)
	switch key {
	case "left":
		v.image = (v.image - 1 + n) % max(n, 1)
	case "right":
		v.image = (v.image + 1) % max(n, 1)
	case "up":
		v.back = min(v.back+1, len(previews)-1)
	case "down":
		v.back = max(v.back-1, 0)
	}
}

// at is the evaluation that is looked at.
func (v *pictureView) at(previews []event.Preview) event.Preview {
	return previews[len(previews)-1-min(v.back, len(previews)-1)]
}

// chosen is the sample that is looked at; false where there are no pictures.
func (v *pictureView) chosen(previews []event.Preview) (event.Preview, event.PreviewImage, bool) {
	if len(previews) == 0 {
		return event.Preview{}, event.PreviewImage{}, false
	}
	p := v.at(previews)
	if len(p.Images) == 0 {
		return p, event.PreviewImage{}, false
	}
	return p, p.Images[v.image%len(p.Images)], true
}

// wantPicture reads the next file that the picture panel is missing.
func (m *Model) wantPicture() tea.Cmd {
	if m.several() || m.picture.loading || m.options.Picture == nil {
		return nil
	}
	w := m.run()
	preview, img, ok := m.picture.chosen(w.history.Previews())
	dir := w.source.Dir()
	if !ok || dir == "" {
		return nil
	}
	for _, path := range []string{img.Truth, img.Result} {
		key := pictureKey{dir, path, preview.Time}
		if m.picture.read[key] != nil {
			continue
		}
		m.picture.loading = true
		return func() tea.Msg {
			left, right, err := m.options.Picture(dir, path)
			return pictureMsg{key, pair{left, right, err}}
		}
	}
	return nil
}

// pictures is image, truth, prediction and errors of one sample.
func (m *Model) pictures(width, height int) (title, right string, body []string) {
	w := m.run()
	m.picture.kitty.wanted = nil // of another drawing, at another size
	title = picturePanel.title()
	preview, img, ok := m.picture.chosen(w.history.Previews())
	if !ok {
		return title, "", middle([]string{m.styles.dim.Render("no pictures yet: they come with each evaluation")}, width, height)
	}
	title = fmt.Sprintf("Picture %d/%d", m.picture.image%len(preview.Images)+1, len(preview.Images))
	right = fmt.Sprintf("step %d  %s  %.1f%% wrong, %.0f%% of it at borders", preview.Step, wording.Printable(img.ID), 100*img.Errors, 100*img.Boundary)
	if img.Worst != "" {
		right += "  worst " + wording.Printable(img.Worst)
	}
	dir := w.source.Dir()
	truth, result := m.picture.read[pictureKey{dir, img.Truth, preview.Time}], m.picture.read[pictureKey{dir, img.Result, preview.Time}]
	if truth == nil || result == nil {
		return title, right, middle([]string{m.styles.dim.Render("reading")}, width, height)
	}
	for _, p := range []*pair{truth, result} {
		if p.err != nil {
			return title, right, middle(wrap(wording.Printable(p.err.Error()), width), width, height)
		}
	}
	four := []frame{
		{"image", truth.left, true}, {"truth", truth.right, false},
		{"prediction", result.left, false}, {"errors", result.right, false},
	}
	return title, right, m.gallery(four, width, height)
}

// frame is a picture with its caption. A photograph may be blurred to make it
// smaller, a picture of labels may not.
type frame struct {
	caption    string
	picture    image.Image
	photograph bool
}

// gallery puts four pictures side by side or two by two, whichever makes them larger.
func (m *Model) gallery(four []frame, width, height int) []string {
	const gap = 1
	size := four[0].picture.Bounds().Size()
	wide, tall := picture.Fit(size.X, size.Y, (width-3*gap)/4, height-1)
	wide2, tall2 := picture.Fit(size.X, size.Y, (width-gap)/2, height/2-1)
	perRow := 4
	if wide2*tall2 > wide*tall {
		perRow, wide, tall = 2, wide2, tall2
	}
	if wide < 2 || tall < 1 {
		return middle([]string{m.styles.dim.Render("too small for pictures: z")}, width, height)
	}
	var out []string
	for i := 0; i < len(four); i += perRow {
		var blocks [][]string
		for j, f := range four[i : i+perRow] {
			lines := append([]string{m.styles.dim.Render(fit(f.caption, wide))}, m.cells(f, wide, tall)...)
			if j > 0 {
				blocks = append(blocks, block(nil, gap, tall+1))
			}
			blocks = append(blocks, block(lines, wide, tall+1))
		}
		out = append(out, beside(blocks...)...)
	}
	return middle(out, width, height)
}

// cells draws one picture with what the terminal has: the Kitty protocol, half
// blocks in colour, or letters.
func (m *Model) cells(f frame, wide, tall int) []string {
	switch {
	case !m.color || m.ascii:
		if f.photograph {
			return picture.Shades(f.picture, wide, tall, m.styles.dark)
		}
		return picture.Letters(f.picture, wide, tall, m.letter)
	case m.picture.kitty.on:
		if lines := m.picture.kitty.place(f.picture, wide, tall); lines != nil {
			return lines
		}
	}
	if f.photograph {
		return picture.HalfBlocks(f.picture, wide, tall)
	}
	return picture.HalfBlocksNearest(f.picture, wide, tall)
}

// letter is the class of a colour as a letter: A for label 0. Errors have marks of
// their own.
func (m *Model) letter(c color.Color) byte {
	r, g, b, _ := c.RGBA()
	for i, mark := range []byte{'.', 'b', '#', ' '} {
		er, eg, eb, _ := score.Outcome(i).Color().RGBA()
		if er == r && eg == g && eb == b {
			return mark
		}
	}
	started, _ := m.run().history.Started()
	for i, hex := range started.Colors {
		cr, cg, cb, _ := lipgloss.Color(hex).RGBA()
		if cr>>8 == r>>8 && cg>>8 == g>>8 && cb>>8 == b>>8 {
			return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[i%62]
		}
	}
	return ' '
}
