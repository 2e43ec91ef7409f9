package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fcnx/fcnx/train"
)

// isFrame is the command of the scripts that holds a text to what a terminal without
// colours and UTF-8 can show: so many lines, each at most so wide, of bytes from 32 to
// 126.
//
//	frame FILE HxW
func isFrame(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: frame FILE HxW")
	}
	height, width, err := train.ParseSize(args[1])
	ts.Check(err)
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	if len(lines) != height {
		ts.Fatalf("%d lines, not %d", len(lines), height)
	}
	for i, line := range lines {
		if len(line) > width {
			ts.Fatalf("line %d is %d wide: %s", i+1, len(line), line)
		}
		for _, b := range []byte(line) {
			if b < 32 || b > 126 {
				ts.Fatalf("line %d has byte %d: %q", i+1, b, line)
			}
		}
	}
}

// isJSON is the command of the scripts that reads a line of JSON. A value is compared
// as it is written there:
//
//	json FILE LINE KEY=REGEXP...
func isJSON(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: json FILE LINE KEY=REGEXP...")
	}
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if n < 1 || n > len(lines) {
		ts.Fatalf("line %d of %d", n, len(lines))
	}
	var values map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(lines[n-1]), &values))
	for _, arg := range args[2:] {
		key, want, _ := strings.Cut(arg, "=")
		got, there := values[key]
		if !there {
			ts.Fatalf("no %q in %s", key, lines[n-1])
		}
		if !regexp.MustCompile(`^(?:` + want + `)$`).Match(got) {
			ts.Fatalf("%s is %s, not %s", key, got, want)
		}
	}
}

// isSVG is the command of the scripts that reads a picture as a browser would:
//
//	svg FILE
func isSVG(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 1 {
		ts.Fatalf("usage: svg FILE")
	}
	d := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	depth, roots, texts := 0, 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
				if token.Name.Local != "svg" || token.Name.Space != "http://www.w3.org/2000/svg" {
					ts.Fatalf("the root is %v", token.Name)
				}
			}
			if token.Name.Local == "text" {
				texts++
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if roots != 1 || texts == 0 {
		ts.Fatalf("%d roots, %d texts", roots, texts)
	}
}
