package wording

import (
	"strings"
	"unicode"
)

// Printable makes one line of text, in valid UTF-8 and without a character that
// would move a cursor, change a colour or turn text around (U+202E, say). Lines are
// joined by "; ", other white space becomes a space, all else that cannot be
// printed U+FFFD.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r), r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
	if !strings.Contains(text, "\n") {
		return strings.TrimSpace(text)
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
