package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// clockBack is a clock that jumps back by a year while nobody runs: all times on disk
// are then in the future. Go reads the clock without a system call, so it cannot be set
// for one process. Within a process fcnx measures with the monotonic clock, and the
// tests of train/sink set the clock of records back.
var clockBack = fault{
	name: "clock jumps back a year", injected: "all times in and of the files put a year ahead after a stop; then fcnx stop, and --resume",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.longRun("go"), func(t *try) error {
			if err := t.stopAnyhow(atStep(2, 10)); err != nil {
				return err
			}
			if err := yearAhead(t.run()); err != nil {
				return err
			}
			if err := t.stopByAsking(); err != nil {
				return err
			}
			return t.finish()
		})
	},
}

// yearAhead adds a year to all times in and of the files of a run.
func yearAhead(dir string) error {
	stamp := regexp.MustCompile(`"(time|since)": ?"(\d{4})-`)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			ahead := stamp.ReplaceAllFunc(text, func(found []byte) []byte {
				at := len(found) - len("2026-")
				year, _ := strconv.Atoi(string(found[at : at+4]))
				return append(found[:at:at], strconv.Itoa(year+1)+"-"...)
			})
			if filepath.Base(path) == metaName {
				if ahead, err = rehash(ahead); err != nil {
					return err
				}
			}
			if string(ahead) != string(text) {
				if err := os.WriteFile(path, ahead, 0o644); err != nil {
					return err
				}
			}
		}
		later := time.Now().AddDate(1, 0, 0)
		return os.Chtimes(path, later, later)
	})
}
