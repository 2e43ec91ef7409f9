package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// hangs is how long a process may take before it counts as one that never ends. It is
// far more than any of them needs on a busy machine.
const hangs = 3 * time.Minute

// codes of processes. What a signal ends has 128 and its number, as in a shell.
const (
	codeDone       = 0
	codeFailure    = 1
	codeBadData    = 4
	codeInterrupt  = 130
	codeKilled     = 137
	codeTerminated = 143
	// codeUnwritable is that of a run that cannot be written.
	codeUnwritable = 6
)

// process is a running fcnx.
type process struct {
	cmd    *exec.Cmd
	begin  time.Time
	done   chan struct{} // closed when it has ended
	code   int           // then its exit code
	took   time.Duration // and how long it ran
	stderr string        // the file of it
	events *follower     // what it says of its run
}

// start starts fcnx in the directory of the try.
func (t *try) start(args ...string) (*process, error) {
	p := &process{done: make(chan struct{}), stderr: filepath.Join(t.dir, fmt.Sprintf("stderr-%d.txt", len(t.started)+1))}
	out, err := os.Create(p.stderr)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if p.events, err = follow(filepath.Join(t.run(), "events.jsonl")); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(t.ctx, t.fcnx, args...)
	p.cmd.Dir = t.dir
	p.cmd.Env = append(os.Environ(), t.env...)
	p.cmd.Stderr = out
	// It dies with the thread that starts it: nobody else would end, or thaw, one that is
	// attacked. Go ends no thread, but for that of mounted.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	t.asUser(p.cmd)
	p.begin = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, p.events.close())
	}
	go func() {
		err := p.cmd.Wait()
		p.took = time.Since(p.begin)
		p.code = exitCode(err)
		close(p.done)
	}()
	t.started = append(t.started, p)
	return p, nil
}

// endAll kills what a try has left running, as one whose attack failed does.
func (t *try) endAll() {
	for _, p := range t.started {
		if !p.over() {
			_ = p.signal(syscall.SIGKILL) // also ends what is frozen
			<-p.done
		}
		p.events.close()
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return codeDone
	case !errors.As(err, &exit):
		return -1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// ends waits for the end, which must come with one of these exit codes and without a
// stack trace.
func (p *process) ends(codes ...int) error {
	limit := time.NewTimer(hangs)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		// Its stacks, for whoever has to find out why.
		_ = p.signal(syscall.SIGQUIT)
		select {
		case <-p.done:
		case <-time.After(5 * time.Second):
			_ = p.signal(syscall.SIGKILL)
			<-p.done
		}
		return fmt.Errorf("it hangs: no end after %v (%s)", hangs, p.stderr)
	}
	said := p.said()
	if strings.Contains(said, "goroutine ") || strings.Contains(said, "panic: ") {
		return fmt.Errorf("it ended with a stack trace (%s)", p.stderr)
	}
	if !slices.Contains(codes, p.code) {
		return fmt.Errorf("exit code %d, not one of %v: %s", p.code, codes, lastLine(said))
	}
	return nil
}

// said is its standard error so far.
func (p *process) said() string {
	text, err := os.ReadFile(p.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func lastLine(text string) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return all[len(all)-1]
}

// live starts the run, or goes on with it: the same command every time, as a job says
// that may be started over and over.
func (t *try) live(more ...string) (*process, error) {
	return t.start(append([]string{"train", "--config", "run.toml", "--name", "run", "--resume", "--ui", "none"}, more...)...)
}
