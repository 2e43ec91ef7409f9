package tui

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// styles are all looks of the dashboard. One colour means one thing on every
// panel: train, val, best, falling, ignored. The hues are those of Okabe and Ito
// ("Color Universal Design", 2008), which people with any kind of colour vision tell
// apart, made lighter for dark screens and darker for light ones.
type styles struct {
	dark bool

	text, dim, faint lipgloss.Style // what is said, what explains it, what holds it together
	strong           lipgloss.Style
	border, focus    lipgloss.Style // of panels

	train, trainBand lipgloss.Style
	val              lipgloss.Style
	best             lipgloss.Style
	fall, rise       lipgloss.Style
	alarm            lipgloss.Style // NaN, failures
	warn             lipgloss.Style
	key              lipgloss.Style // in help and footer
	selected         lipgloss.Style

	phases [6]lipgloss.Style // load, compile, warm-up, train, eval, save
	split  [4]lipgloss.Style // data, device, read, tell
	runs   []lipgloss.Style  // of several runs on one chart
}

func newStyles(dark bool) styles {
	pick := func(onDark, onLight string) lipgloss.Style {
		if dark {
			return lipgloss.NewStyle().Foreground(lipgloss.Color(onDark))
		}
		return lipgloss.NewStyle().Foreground(lipgloss.Color(onLight))
	}
	blue := pick("#56b4e9", "#0067a3")
	orange := pick("#f0a830", "#a35d00")
	green := pick("#2fc99a", "#00734f")
	vermillion := pick("#ff7a45", "#b83d00")
	purple := pick("#d895bf", "#8f3f76")
	yellow := pick("#f0e442", "#7a6f00")
	grey := pick("#9a9a9a", "#5c5c5c")
	faint := pick("#5a5a5a", "#a8a8a8")
	plain := lipgloss.NewStyle()
	return styles{
		dark: dark,
		text: plain, dim: grey, faint: faint, strong: plain.Bold(true),
		border: faint, focus: blue,
		train: blue, trainBand: pick("#2f6486", "#9cc7e0"), val: orange, best: green,
		fall: vermillion, rise: green, alarm: vermillion.Bold(true), warn: orange,
		key: plain.Bold(true), selected: plain.Reverse(true),
		phases: [6]lipgloss.Style{grey, purple, yellow, blue, orange, green},
		split:  [4]lipgloss.Style{orange, blue, purple, yellow},
		runs:   []lipgloss.Style{blue, orange, green, purple, vermillion, yellow, grey},
	}
}

// classColor is the data set's own colour of a class, lifted where the background
// would swallow it.
func (s styles) classColor(hex string) lipgloss.Style {
	c := lipgloss.Color(hex)
	r, g, b, _ := c.RGBA()
	luminance := (299*(r>>8) + 587*(g>>8) + 114*(b>>8)) / 1000
	switch {
	case s.dark && luminance < 60:
		c = mix(c, 255, 0.45)
	case !s.dark && luminance > 190:
		c = mix(c, 0, 0.45)
	}
	return lipgloss.NewStyle().Foreground(c)
}

// mix moves a colour towards a grey level.
func mix(c color.Color, level uint8, share float64) color.Color {
	r, g, b, _ := c.RGBA()
	blend := func(v uint32) uint8 { return uint8(float64(v>>8)*(1-share) + float64(level)*share) }
	return color.RGBA{blend(r), blend(g), blend(b), 255}
}
