package datasets

import (
	"bytes"
	"fmt"
	"image/color"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxClasses leaves the label 255 to [Ignore].
const maxClasses = Ignore

// classesFile is read from the top of a data set's directory.
const classesFile = "classes.txt"

// ParseClasses reads classes.txt: the name of class i on line i, with a colour
// for masks and overlays behind it if one is wished ("traffic light #faaa1e").
// The last lines may be empty, but none between two names, since that would move
// every label behind it.
func ParseClasses(text []byte) ([]Class, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: not UTF-8 text", classesFile)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	lines := strings.Split(strings.TrimRightFunc(string(text), unicode.IsSpace), "\n")
	if len(lines) > maxClasses {
		return nil, fmt.Errorf("%s: %d lines, but there can be at most %d classes", classesFile, len(lines), maxClasses)
	}
	line := map[string]int{}
	classes := make([]Class, len(lines))
	for i, text := range lines {
		class, err := parseClass(strings.TrimSpace(text), VOCColor(uint8(i)))
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", classesFile, i+1, err)
		}
		if first, twice := line[class.Name]; twice {
			return nil, fmt.Errorf("%s:%d: class %q is on line %d already", classesFile, i+1, class.Name, first)
		}
		line[class.Name] = i + 1
		classes[i] = class
	}
	return classes, nil
}

func parseClass(text string, fallback color.RGBA) (Class, error) {
	class := Class{Name: text, Color: fallback}
	if at := strings.LastIndexByte(text, '#'); at >= 0 && (at == 0 || unicode.IsSpace(rune(text[at-1]))) {
		rgb, err := strconv.ParseUint(text[at+1:], 16, 32)
		if err != nil || len(text[at+1:]) != 6 {
			return Class{}, fmt.Errorf("%q is not a colour like #faaa1e", text[at:])
		}
		class.Name = strings.TrimSpace(text[:at])
		class.Color = color.RGBA{uint8(rgb >> 16), uint8(rgb >> 8), uint8(rgb), 255}
	}
	if class.Name == "" {
		return Class{}, fmt.Errorf("no class name; each line names the class of that label, from 0 on")
	}
	if strings.ContainsFunc(class.Name, unicode.IsControl) {
		return Class{}, fmt.Errorf("control character in the class name %q", class.Name)
	}
	return class, nil
}

// numberedClasses are for masks whose classes nobody has named.
func numberedClasses(n int) []Class {
	classes := make([]Class, n)
	for i := range classes {
		classes[i] = Class{Name: fmt.Sprintf("class%d", i), Color: VOCColor(uint8(i))}
	}
	return classes
}
