package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// asciiOnly keeps what came from elsewhere, names and messages, from putting a
// character above 126 on a screen that has none. Every cell stays where it is.
func asciiOnly(lines []string) []string {
	for i, line := range lines {
		if strings.IndexFunc(line, aboveASCII) < 0 {
			continue
		}
		var b strings.Builder
		state := byte(ansi.NormalState)
		for len(line) > 0 {
			seq, width, n, next := ansi.DecodeSequence(line, state, nil)
			if strings.IndexFunc(seq, aboveASCII) >= 0 {
				seq = strings.Repeat("?", width)
			}
			b.WriteString(seq)
			line, state = line[n:], next
		}
		lines[i] = b.String()
	}
	return lines
}

func aboveASCII(r rune) bool { return r > 126 }
