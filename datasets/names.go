package datasets

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable is the name of a file for a message: as it is, or quoted as in Go where it
// holds what would move a cursor, colour a terminal, turn text around (U+202E) or begin
// a line that looks like a message of its own, or is no UTF-8.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}
