package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

func visible(s string) int { return ansi.StringWidth(s) }

// wrap breaks a sentence into lines of at most width cells.
func wrap(text string, width int) []string {
	if width < 1 {
		return nil
	}
	return strings.Split(ansi.Wordwrap(text, width, ""), "\n")
}

// clock is 00:03:41, with days in front where there are any.
func clock(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%dd %02d:%02d:%02d", days, s/3600%24, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// plural is "1 step", "2 steps".
func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
