package main

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// The smallest window in which a dashboard is worth opening by itself.
const autoWidth, autoHeight = 60, 16

// terminal is what standard input and output are connected to, as far as a dashboard
// wants to know.
type terminal struct {
	in, out       *os.File
	environ       []string
	width, height int  // 0, 0: this is no terminal
	background    bool // a shell has put this process there: it must not read the terminal
}

// terminalOf looks at both ends. Anything that is not a terminal on both sides gets
// lines of text, never escape codes.
func terminalOf(in io.Reader, out io.Writer, environ []string) terminal {
	t := terminal{environ: environ}
	var inFile, outFile bool
	t.in, inFile = in.(*os.File)
	t.out, outFile = out.(*os.File)
	if inFile && outFile && term.IsTerminal(int(t.in.Fd())) && term.IsTerminal(int(t.out.Fd())) {
		if w, h, err := term.GetSize(int(t.out.Fd())); err == nil {
			t.width, t.height = w, h
		}
		if group, err := unix.IoctlGetInt(int(t.in.Fd()), unix.TIOCGPGRP); err == nil {
			t.background = group != unix.Getpgrp()
		}
	}
	return t
}

// interactive tells whether somebody sits there who can press a key.
func (t terminal) interactive() bool {
	kind := t.env("TERM")
	return t.width > 0 && kind != "" && kind != "dumb"
}

// auto tells whether a dashboard opens without being asked for: CI may fake a
// terminal, a small window has better uses, and `fcnx train &` is not to be stopped
// for reading keys.
func (t terminal) auto() bool {
	return t.interactive() && !t.background && t.env("CI") == "" && t.width >= autoWidth && t.height >= autoHeight
}

// env is the last value of a variable, as for a program that is started.
func (t terminal) env(name string) string {
	value := ""
	for _, pair := range t.environ {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v
		}
	}
	return value
}

// ascii tells whether the locale has only ASCII: braille and lines would be noise.
func (t terminal) ascii() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToUpper(t.env(name)); locale != "" {
			return !strings.Contains(locale, "UTF-8") && !strings.Contains(locale, "UTF8")
		}
	}
	return true
}

// profile is how many colours there are. NO_COLOR means none whatever its value
// (no-color.org); the library that draws would want it to be a boolean.
func (t terminal) profile() colorprofile.Profile {
	if t.env("NO_COLOR") != "" {
		return colorprofile.ASCII
	}
	return colorprofile.Detect(t.out, t.environ)
}
