package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Loading a library runs its code. Of the libraries whose hashes fcnx knows it is known
// that this ends well; any other is loaded in a process of its own first, which may
// crash, hang or leave as it likes.

// trialWait is how long that may take. The hash was just checked, so that the file is in
// the file cache: the largest plugin takes a tenth of a second.
const trialWait = 20 * time.Second

// trialWord begins the answer of the process; what the library prints by itself is
// something else.
const trialWord = "fcnx-plugin-trial: "

// Try is all that such a process does: it loads the library at path and writes to w
// whether what it gives is an API that fcnx speaks.
func Try(path string, w io.Writer) error {
	verdict := "ok"
	if err := tryHere(path); err != nil {
		verdict = "no " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
	_, err := fmt.Fprintf(w, "\n%s%s\n", trialWord, verdict)
	return err
}

// tryUnknown loads the library of p in another process, unless its hash is a known one.
// A store that has no way to start one does it in this.
func (s *Store) tryUnknown(ctx context.Context, p Plugin, path string) error {
	switch {
	case p.SHA256 == cudaLibrary, slices.ContainsFunc(cpuWheels, func(w wheel) bool { return w.library == p.SHA256 }):
		return nil
	case s.Trial == nil:
		return tryHere(path)
	}
	return askTrial(ctx, trialWait, func(ctx context.Context) *exec.Cmd { return s.Trial(ctx, path) })
}

// askTrial runs such a process, for as long as wait.
func askTrial(ctx context.Context, wait time.Duration, start func(context.Context) *exec.Cmd) error {
	timed, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	cmd := start(timed)
	var out, said firstBytes
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Second
	// It ends with this process, whatever ends this one. The kernel goes by the thread
	// that starts it, which has to stay until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	err := cmd.Run()
	if cmd.Process != nil {
		_ = kill() // of what it has started: as a rule there is nothing
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case timed.Err() != nil:
		return fmt.Errorf("loading it does not come to an end within %v", wait)
	case errors.Is(err, exec.ErrWaitDelay):
		return errors.New("loading it starts processes that stay")
	}
	if err == nil {
		if err = trialAnswer(out.kept); !errors.Is(err, errNoAnswer) {
			return err
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(said.kept)), "\n")
	if line == "" {
		return fmt.Errorf("loading it ends the process that does (%w)", err)
	}
	return fmt.Errorf("loading it ends the process that does (%w): %.200q", err, line)
}

var errNoAnswer = errors.New("no answer")

// trialAnswer reads what [Try] wrote: nil where all is well. The last answer is its own,
// whatever the library printed before.
func trialAnswer(out []byte) error {
	at := bytes.LastIndex(out, []byte("\n"+trialWord))
	if at < 0 {
		return errNoAnswer
	}
	verdict, _, _ := strings.Cut(string(out[at+1+len(trialWord):]), "\n")
	reason, no := strings.CutPrefix(verdict, "no ")
	switch {
	case verdict == "ok":
		return nil
	case no:
		return errors.New(printable(reason))
	}
	return errNoAnswer
}

// printable is a reason without what would move a cursor or colour a terminal: the
// dynamic loader quotes names of the library.
func printable(reason string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, reason)
}

// firstBytes keeps the first 64 KiB that are written to it and drops the rest.
type firstBytes struct{ kept []byte }

func (f *firstBytes) Write(b []byte) (int, error) {
	f.kept = append(f.kept, b[:min(len(b), 64<<10-len(f.kept))]...)
	return len(b), nil
}
