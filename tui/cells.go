package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Everything on the screen is a list of lines, each exactly so many cells wide.

// fit cuts or fills a line to exactly width cells.
func fit(line string, width int) string {
	switch have := ansi.StringWidth(line); {
	case width <= 0:
		return ""
	case have > width:
		line = ansi.Truncate(line, width, "")
		return line + strings.Repeat(" ", width-ansi.StringWidth(line))
	default:
		return line + strings.Repeat(" ", width-have)
	}
}

// fitRight is fit with the text at the right edge.
func fitRight(line string, width int) string {
	if have := ansi.StringWidth(line); have < width {
		return strings.Repeat(" ", width-have) + line
	}
	return fit(line, width)
}

// ends puts one text at the left edge and one at the right; what does not fit is
// cut from the left one.
func ends(left, right string, width int) string {
	w := ansi.StringWidth(right)
	if w >= width {
		return fit(right, width)
	}
	return fit(left, width-w) + right
}

// block cuts or fills lines to exactly width x height cells.
func block(lines []string, width, height int) []string {
	out := make([]string, max(height, 0))
	for i := range out {
		if i < len(lines) {
			out[i] = fit(lines[i], width)
		} else {
			out[i] = strings.Repeat(" ", max(width, 0))
		}
	}
	return out
}

// beside joins blocks of one height from left to right.
func beside(blocks ...[]string) []string {
	if len(blocks) == 0 {
		return nil
	}
	out := make([]string, len(blocks[0]))
	for i := range out {
		for _, b := range blocks {
			out[i] += b[i]
		}
	}
	return out
}

// middle puts lines into the middle of a block.
func middle(lines []string, width, height int) []string {
	out := block(nil, width, height)
	top := max(0, (height-len(lines))/2)
	for i, line := range lines {
		if top+i < height {
			out[top+i] = fit(strings.Repeat(" ", max(0, (width-ansi.StringWidth(line))/2))+line, width)
		}
	}
	return out
}

// glyphs are the characters that are not letters. Terminals whose locale is not
// UTF-8 get the second set, of ASCII alone.
type glyphs struct {
	h, v, tl, tr, bl, br            string // of a frame
	dot, up, down, same, mark, star string
	bar                             string // between parts of a line
	ellipsis                        string
	arrow                           string
}

func newGlyphs(ascii bool) glyphs {
	if ascii {
		return glyphs{"-", "|", "+", "+", "+", "+", "*", "^", "v", "=", "o", "*", "|", "...", "v"}
	}
	return glyphs{"─", "│", "╭", "╮", "╰", "╯", "●", "▲", "▼", "─", "○", "★", "│", "…", "▾"}
}

// shorten leaves out what does not fit, word by word from the end; words stand two
// cells apart.
func (m *Model) shorten(text string, width int) string {
	for visible(text) > width {
		cut := strings.LastIndex(text, "  ")
		if cut < 0 {
			return ""
		}
		text = text[:cut] + "\x1b[m" // the end of whatever style it was cut out of
	}
	return text
}

// box draws a frame of width x height with a title at the left, a word at the
// right, and body inside.
func (m *Model) box(title, right string, body []string, width, height int, focused bool) []string {
	if width < 4 || height < 2 {
		return block(body, width, height)
	}
	g, edge := m.glyphs, m.styles.border
	name := m.styles.strong
	if focused {
		edge, name = m.styles.focus, m.styles.focus.Bold(true)
	}
	room := width - 4
	title = ansi.Truncate(title, room, g.ellipsis)
	left := ansi.StringWidth(title)
	right = m.shorten(right, room-left-3)
	rule := room - left - ansi.StringWidth(right)
	top := edge.Render(g.tl) + " " + name.Render(title) + " "
	if visible(right) > 0 {
		top += edge.Render(strings.Repeat(g.h, max(rule-2, 0))) + " " + right + " " + edge.Render(g.tr)
	} else {
		top += edge.Render(strings.Repeat(g.h, max(rule, 0)) + g.tr)
	}
	out := []string{fit(top, width)}
	side := edge.Render(g.v)
	for _, line := range block(body, width-4, height-2) {
		out = append(out, side+" "+line+" "+side)
	}
	return append(out, edge.Render(g.bl+strings.Repeat(g.h, width-2)+g.br))
}
