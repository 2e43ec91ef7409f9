package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
)

// locked is a run that a second process wants to write while the first one does.
var locked = fault{
	name: "a second process", injected: "the same command three times while the first process is frozen (SIGSTOP), which then goes on",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.ofEachKind("go"), func(t *try) error {
			p, err := t.reach(atStep(2, 10))
			if err != nil {
				return err
			}
			// Frozen, so that it holds the run for as long as they take.
			if err := p.signal(syscall.SIGSTOP); err != nil {
				return err
			}
			for range b.count(3, 1) {
				second, err := t.live()
				if err != nil {
					return err
				}
				if err := second.ends(codeFailure); err != nil {
					return err
				}
				if want := fmt.Sprintf("is being written by process %d", p.cmd.Process.Pid); !strings.Contains(second.said(), want) {
					return fmt.Errorf("it does not say that the run %s: %s", want, lastLine(second.said()))
				}
			}
			if err := p.signal(syscall.SIGCONT); err != nil {
				return err
			}
			if err := p.ends(codeDone); err != nil {
				return err
			}
			return t.verify()
		})
	},
}

// staleLock is the lock file of a process that is dead, whose number another one has
// now that lives.
var staleLock = fault{
	name: "lock of a dead process", injected: "kill -9, then a lock file that names a living process, nobody, or is garbled",
	attack: func(b *bench) outcome {
		return b.tries(b.count(4, 1), b.ofEachKind("go"), func(t *try) error {
			if err := t.stop(atStep(2, 10), ways[2].signal, codeKilled); err != nil {
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				return err
			}
			reused, err := json.Marshal(checkpoints.Holder{PID: os.Getpid(), Host: host, Since: time.Now()})
			if err != nil {
				return err
			}
			text := [][]byte{reused, nil, []byte("{\"pid\":"), make([]byte, 10_000)}[t.i%4]
			if err := os.WriteFile(filepath.Join(t.run(), "lock"), text, 0o644); err != nil {
				return err
			}
			return t.finish()
		})
	},
}
