package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const dependenciesPage = "../../docs/dependencies.md"

// dependency is a module that something here is built from.
type dependency struct {
	version, licence string
	direct           bool            // a package of fcnx, or a test of one, imports it
	tests            bool            // only tests are built from it
	by               map[string]bool // the modules whose packages import it
}

// dependencies are the modules that everything here is built from on Linux, tests too.
func dependencies(t *testing.T) map[string]dependency {
	t.Helper()
	// Fixed, so that the page is one and the same whoever looks.
	for name, value := range map[string]string{"GOOS": "linux", "GOARCH": "amd64", "CGO_ENABLED": "1", "GOFLAGS": "-tags=nvml"} {
		t.Setenv(name, value)
	}
	const format = `{{.ImportPath}} {{with .Module}}{{.Path}} {{if .Main}}- -{{else}}{{.Version}} {{.Dir}}{{end}}{{else}}- - -{{end}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`
	built := map[string]bool{} // what fcnx itself is made of
	for _, path := range golist(t, "-deps", "./cmd/fcnx") {
		built[path] = true
	}
	type pkg struct {
		module, version, dir string
		imports              []string
	}
	packages := map[string]pkg{}
	for _, line := range golist(t, "-deps", "-test", "-f", format, "./...") {
		words := strings.Fields(line)
		// A package that is built once more for a test is "path [path.test]".
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasSuffix(w, ".test]") })
		packages[words[0]] = pkg{words[1], words[2], words[3], words[4:]}
	}
	found := map[string]dependency{}
	for path, p := range packages {
		if p.dir == "-" {
			continue
		}
		d, ok := found[p.module]
		if !ok {
			d = dependency{p.version, licenceOf(t, p.dir), false, true, map[string]bool{}}
		}
		d.tests = d.tests && !built[path]
		found[p.module] = d
	}
	for _, p := range packages {
		for _, imported := range p.imports {
			to, ok := packages[imported]
			d, foreign := found[to.module]
			switch {
			case !ok || !foreign || to.module == p.module:
			case p.module+"/" == module:
				d.direct = true
				found[to.module] = d
			default:
				d.by[p.module] = true
			}
		}
	}
	return found
}

// licenceOf reads which licence a module comes under.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "LICENSE*"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "%s has no licence", dir)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	words := strings.Join(strings.Fields(string(text)), " ")
	var names []string
	for _, l := range []struct{ name, says, not string }{
		{"Apache-2.0", "Apache License", ""},
		{"MIT", "Permission is hereby granted, free of charge", ""},
		{"BSD-3-Clause", "Neither the name", ""},
		{"BSD-2-Clause", "Redistributions in binary form must reproduce", "Neither the name"},
	} {
		if strings.Contains(words, l.says) && (l.not == "" || !strings.Contains(words, l.not)) {
			names = append(names, l.name)
		}
	}
	require.NotEmpty(t, names, "%s is of an unknown kind; is it one that fcnx may come with?", files[0])
	return strings.Join(names, " and ")
}

// The page names every module that fcnx is built from, its version and licence, and no
// other. Why one of fcnx's own choosing is there, a person has written; the table of what
// those bring along is written with -update.
func TestDependenciesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(dependenciesPage)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(text), "<!-- brought along -->\n")
	require.True(t, ok)
	_, tail, ok := strings.Cut(rest, "<!-- end -->\n")
	require.True(t, ok)

	chosen := map[string][]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\S+\.\S+/\S+) \| (\S+) \| ([^|]+) \| ([^|]+) \|`).FindAllStringSubmatch(head, -1) {
		chosen[row[1]] = row[2:]
	}
	all := dependencies(t)
	var table strings.Builder
	table.WriteString("| module | version | licence | brought by |\n| --- | --- | --- | --- |\n")
	for _, path := range slices.Sorted(maps.Keys(all)) {
		d := all[path]
		if d.direct {
			if row := chosen[path]; len(row) == 0 {
				t.Errorf("%s: no row for %s | %s | %s |, with what it is for and why", dependenciesPage, path, d.version, d.licence)
			} else if row[0] != d.version || row[1] != d.licence {
				t.Errorf("%s: %s is %s under %s, not %s under %s", dependenciesPage, path, d.version, d.licence, row[0], row[1])
			} else if d.tests != strings.HasPrefix(row[2], "tests: ") {
				t.Errorf("%s: %s: what only tests are built from begins with \"tests: \", and nothing else does", dependenciesPage, path)
			}
			delete(chosen, path)
			continue
		}
		by := strings.Join(slices.Sorted(maps.Keys(d.by)), ", ")
		if d.tests {
			by += " (tests alone)"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", path, d.version, d.licence, by)
	}
	for path := range chosen {
		t.Errorf("%s: nothing here is built from %s", dependenciesPage, path)
	}
	want := head + "<!-- brought along -->\n" + table.String() + "<!-- end -->\n" + tail
	if *update {
		require.NoError(t, os.WriteFile(dependenciesPage, []byte(want), 0o666))
		return
	}
	if want != string(text) {
		t.Errorf("%s: the second table is not up to date; go test ./cmd/fcnx -run Dependencies -update writes it anew", dependenciesPage)
	}
}

// What is fetched from PyPI stands there with version and hash.
func TestPythonPackagesAreDocumented(t *testing.T) {
	page, err := os.ReadFile(dependenciesPage)
	require.NoError(t, err)
	lock, err := os.ReadFile("../../device/cuda13.lock")
	require.NoError(t, err)
	pins, err := os.ReadFile("../../device/pins.go")
	require.NoError(t, err)
	packages := regexp.MustCompile(`(?m)^(\S+)==(\S+) --hash=sha256:([0-9a-f]{64})$`).FindAllStringSubmatch(string(lock), -1)
	packages = append(packages, regexp.MustCompile(`(?s)pkg: "(\S+)", version: "(\S+)",.*?sha256: +"([0-9a-f]{64})"`).FindAllStringSubmatch(string(pins), -1)...)
	require.Len(t, packages, 16)
	for _, p := range packages {
		require.Regexp(t, fmt.Sprintf(`(?m)^\| %s \| %s \| [^|]+ \| [^|]+ \| .%s. \|$`, regexp.QuoteMeta(p[1]), regexp.QuoteMeta(p[2]), p[3]), string(page))
	}
	for _, file := range []string{"../../bench/requirements.txt", "../../bench/parity/requirements.txt"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, p := range regexp.MustCompile(`(?m)^(\S+)==(\S+)$`).FindAllStringSubmatch(string(text), -1) {
			require.Regexp(t, fmt.Sprintf(`(?m)^\| %s \| %s \| [^|]+ \| [^|]+ \|`, regexp.QuoteMeta(p[1]), regexp.QuoteMeta(p[2])), string(page), file)
		}
	}
}
