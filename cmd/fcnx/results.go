package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// results is standard output where that is a file. What a command prints it prints without
// looking back; half a table in a file, on a disk that is full, must not pass for a whole one.
type results struct {
	file *os.File // and no more of it than Write: nothing is to go past that
	mu   sync.Mutex
	err  error // of the first write that failed
}

// resultsTo watches out if it is a file, and not a terminal or a pipe.
func resultsTo(out io.Writer) (io.Writer, *results) {
	file, ok := out.(*os.File)
	if !ok {
		return out, nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return out, nil
	}
	r := &results{file: file}
	return r, r
}

func (r *results) Write(b []byte) (int, error) {
	n, err := r.file.Write(b)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.err == nil {
			r.err = err
		}
	}
	return n, err
}

// whole adds to the error of a command that its results are not whole.
func (r *results) whole(err error) error {
	if r == nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err == nil:
		return err
	case errors.Is(err, r.err):
		return writeError(err)
	}
	return errors.Join(err, writeError(fmt.Errorf("the results are not whole: %w", r.err)))
}
