package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// The table stands between these lines of the page; what is written around them stays.
const (
	tableBegin = "<!-- make torture writes from here -->\n"
	tableEnd   = "<!-- to here -->\n"
)

// report is what a page has of a run of attacks.
type report struct {
	machine string
	when    time.Time
	took    time.Duration
	seed    uint64
	rows    []row
}

// writeTable puts a report in its place on a page.
func writeTable(path string, r report) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(page, []byte(tableBegin))
	_, after, ends := bytes.Cut(rest, []byte(tableEnd))
	if !begins || !ends {
		return fmt.Errorf("%s has no place for the table: no lines %q and %q", path, tableBegin, tableEnd)
	}
	text := string(before) + tableBegin + r.text() + tableEnd + string(after)
	return os.WriteFile(path, []byte(text), 0o644)
}

func (r report) text() string {
	var b strings.Builder
	tries, lost := 0, 0
	for _, row := range r.rows {
		tries += row.tries
		lost += row.lost
	}
	fmt.Fprintf(&b, "%s; %s; seed %d; %.0f minutes; %d tries, %d lost.\n\n", r.machine, r.when.UTC().Format(time.DateOnly), r.seed, r.took.Minutes(), tries, lost)
	b.WriteString("| fault | injected by | tries | lost | time to recover: median, longest | seen |\n| --- | --- | ---: | ---: | --- | --- |\n")
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %s |\n", row.name, row.injected, row.tries, row.lost, row.recovery(), row.seen)
	}
	return b.String()
}

// machine describes the one that this runs on.
func machine() string {
	text := fmt.Sprintf("%d cores, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text += " " + strings.TrimSpace(string(release))
	}
	return text
}
