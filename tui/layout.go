package tui

// panel is a part of the screen that has a number, a frame and a title.
type panel int

// The panels, by the keys that focus them.
const (
	lossPanel panel = iota + 1
	scorePanel
	classPanel
	heatPanel
	picturePanel
	stepPanel
	ratePanel
	savedPanel
	logPanel
	panels = int(logPanel)
)

func (p panel) title() string {
	return [...]string{"", "Loss", "mIoU", "IoU by class", "Classes by evaluation", "Picture", "Step", "Learning rate", "Checkpoints", "Log"}[p]
}

// place is where a panel is drawn, in cells.
type place struct {
	panel      panel
	x, y, w, h int
}

// The smallest screens of each kind.
const (
	lineWidth, lineHeight  = 20, 5   // below: one line
	midWidth, midHeight    = 76, 20  // below: header and one panel
	bigWidth, bigHeight    = 108, 30 // the picture of the README
	hugeWidth, hugeHeight  = 170, 46 // every panel
	headerRows, footerRows = 2, 1
	smallestWithFooter     = 9
)

// arrange divides a screen of width x height, without header and footer, among
// panels. pictures says whether the run has any: without them the heat map of the
// classes stands in their place.
func arrange(width, height int, focus panel, zoomed, pictures bool) []place {
	shown := picturePanel
	if !pictures {
		shown = heatPanel
	}
	full := height + headerRows + footerRows // what the terminal has
	switch {
	case zoomed || width < midWidth || full < midHeight:
		return []place{{focus, 0, 0, width, height}}
	case width < bigWidth || full < bigHeight:
		left := width * 5 / 9
		top := (height + 1) / 2
		return []place{
			{lossPanel, 0, 0, left, top},
			{scorePanel, 0, top, left, height - top},
			{classPanel, left, 0, width - left, height},
		}
	case width < hugeWidth || full < hugeHeight:
		bottom := min(7, height/5)
		top := (height - bottom) / 2
		mid := height - bottom - top
		half := (width + 1) / 2
		narrow := width * 5 / 11
		return []place{
			{lossPanel, 0, 0, half, top},
			{scorePanel, half, 0, width - half, top},
			{classPanel, 0, top, narrow, mid},
			{shown, narrow, top, width - narrow, mid},
			{stepPanel, 0, top + mid, narrow, bottom},
			{logPanel, narrow, top + mid, width - narrow, bottom},
		}
	}
	third := width / 3
	bottom := min(11, height/4)
	top := (height - bottom) * 2 / 5
	mid := height - bottom - top
	quarter := width * 3 / 11
	places := []place{
		{lossPanel, 0, 0, third + third/4, top},
		{scorePanel, third + third/4, 0, third, top},
		{ratePanel, 2*third + third/4, 0, width - 2*third - third/4, top},
		{classPanel, 0, top, quarter, mid},
		{heatPanel, quarter, top, quarter, mid},
		{picturePanel, 2 * quarter, top, width - 2*quarter, mid},
		{stepPanel, 0, top + mid, third, bottom},
		{savedPanel, third, top + mid, third, bottom},
		{logPanel, 2 * third, top + mid, width - 2*third, bottom},
	}
	if !pictures {
		places[4].w = width - quarter
		places = append(places[:5], places[6:]...)
	}
	return places
}
