package wording_test

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event/wording"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"straße 東京":                  "straße 東京",
		"one\ntwo\x1b[2J\tthree\r\n": "one; two\ufffd[2J three",
		"one\r\n\n \ntwo":            "one; two",
		"\n \n":                      "",
		" a\u00a0b\u2028c ":          "a b c",
		"right\u202eleft":            "right\ufffdleft",
		"\u009b2J\a":                 "\ufffd2J\ufffd",
		"\xff\xc3(":                  "\ufffd\ufffd(",
		"\ufffd\u200b\ufeff":         "\ufffd\ufffd\ufffd",
	} {
		require.Equal(t, want, wording.Printable(text), "%q", text)
	}
}

func FuzzPrintable(f *testing.F) {
	memtest.Cap(f)
	f.Add("one\ntwo\x1b[2J\tthree\r\u202e\n")
	f.Add("\xff\xc3(\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		line := wording.Printable(text)
		require.True(t, utf8.ValidString(line))
		for _, r := range line {
			require.True(t, unicode.IsPrint(r), "%q", line)
		}
		require.Equal(t, line, wording.Printable(line), "once is enough")
	})
}
