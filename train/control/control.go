// Package control is how a person asks something of a run that another process
// trains: [Ask] appends a request to the control file of the run directory, a
// [Listener] in the training process takes it up.
//
// A file works from every shell and host that sees the run directory, needs no port
// and no path short enough for a socket, and outlives the terminal that asked. What
// was asked before the listener began belongs to a process that is gone, and is
// passed over. The package knows nothing of what the requests mean.
package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Request is one line of the control file.
type Request struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"` // event.ActionSave, ...
	By     string    `json:"by"`     // who asks: "watch, process 4711 on host"
}

// MaxLine bounds one request, in bytes without the line's end.
const MaxLine = 4 << 10

// Path is the control file of the run in dir.
func Path(dir string) string { return filepath.Join(dir, "control.jsonl") }

// Ask appends a request to the control file of the run in dir, and makes the file
// where there is none. It does not tell whether anybody listens. The line is one
// write to a file that is open for appending, so that of two who ask at the same
// moment both are heard; not so on NFS from two hosts, which has no appending: there
// one may write over the other.
func Ask(dir string, r Request) error {
	if r.Action == "" {
		return errors.New("a request that asks for nothing; name an action")
	}
	line, err := encode(r)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: no run directory is there; name one, as in runs/NAME", dir)
	}
	f, err := os.OpenFile(Path(dir), os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o666)
	if errors.Is(err, syscall.ELOOP) {
		return fmt.Errorf("ask the run: %s is a link, which is not written to; remove it", Path(dir))
	}
	if err != nil {
		return fmt.Errorf("ask the run: %w%s", err, advice(err))
	}
	defer f.Close()
	info, err := regular(f)
	if err != nil {
		return err
	}
	if torn(f, info.Size()) {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return fmt.Errorf("ask the run: %w%s", err, advice(err))
	}
	return nil
}

// encode gives the line of a request, with its end.
func encode(r Request) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("ask the run: %w", err)
	}
	if b.Len()-1 > MaxLine {
		return nil, fmt.Errorf("a request of %d bytes: at most %d fit on a line", b.Len()-1, MaxLine)
	}
	return b.Bytes(), nil
}

// decode reads a line. It forgives what it does not know, but not a request that
// asks for nothing; what it returns can be shown on a terminal.
func decode(line []byte) (Request, error) {
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		return Request{}, err
	}
	r.Action, r.By = printable(r.Action), printable(r.By)
	if r.Action == "" {
		return Request{}, errors.New(`no "action"`)
	}
	if r.By == "" {
		r.By = "somebody"
	}
	return r, nil
}

// printable has no character that would move a cursor or change a colour.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.TrimSpace(text))
}

// torn tells whether a file of that size ends in half a line, which must not spoil
// the next one. A file that cannot be read is taken to be whole.
func torn(f *os.File, size int64) bool {
	last := make([]byte, 1)
	if size == 0 {
		return false
	}
	_, err := f.ReadAt(last, size-1)
	return err == nil && last[0] != '\n'
}

// regular refuses what is no file: a pipe would block whoever reads it.
func regular(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file; remove it", f.Name())
	}
	return info, err
}

// advice says what to do about an error of the file system, where there is something.
func advice(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "; ask as the user who trains it, on a host that may write there"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "; make room there, or signal the process that trains it"
	}
	return ""
}
