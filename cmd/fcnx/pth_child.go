package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/checkpoints/weights/pth"
)

// A .pth file is a program in a small language, and comes from anywhere. Its reader
// executes nothing of it and bounds what it allocates; should that be wrong somewhere,
// it is wrong in a process of its own, which can read this one file, has little memory
// and little time, and answers with a list of names and places.

// pthVariable is how a process knows that it is to read an index: the number of the
// file descriptor of the file.
const pthVariable = "FCNX_PTH_FD"

// What reading an index may take. A file of 528 MB needs some milliseconds.
const (
	pthMemory = 1 << 30 // bytes; 0.4 GiB is the most that a hostile file was seen to take
	pthCPU    = 20      // seconds
	pthWait   = 30 * time.Second
	pthReply  = 32 << 20 // bytes
)

// indexInChild reads indexes of .pth files in a process each.
func indexInChild(ctx context.Context) pth.Indexer {
	return func(f *os.File) (pth.Index, error) {
		self, err := os.Executable()
		if err != nil {
			return pth.Index{}, err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, pthWait, fmt.Errorf("reading its index took longer than %v: it is no usual state dict", pthWait))
		defer cancel()
		cmd := exec.CommandContext(ctx, self) // #nosec G204 -- this program itself
		cmd.Args = []string{"fcnx"}
		// No tokens, no proxies, no plugins; and not the restart of useHugePages.
		cmd.Env = []string{
			pthVariable + "=3", tunables + "=", "HOME=/", "GOTRACEBACK=none", "GOMAXPROCS=2",
			"GOMEMLIMIT=" + strconv.Itoa(pthMemory/2),
		}
		return askForIndex(ctx, cmd, f)
	}
}

// indexReply is what the child writes to its standard output.
type indexReply struct {
	Index *pth.Index `json:"index,omitempty"`
	Error string     `json:"error,omitempty"`
}

// askForIndex runs the child, which is told nothing but the file. Its errors go on
// after the file's name.
func askForIndex(ctx context.Context, cmd *exec.Cmd, f *os.File) (pth.Index, error) {
	stdout, stderr := &capped{most: pthReply}, &capped{most: 4 << 10}
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	said, _, _ := strings.Cut(strings.TrimSpace(stderr.kept.String()), "\n")
	switch {
	case ctx.Err() != nil:
		return pth.Index{}, context.Cause(ctx)
	case stdout.isOver:
		return pth.Index{}, fmt.Errorf("its index would have more than %d bytes: it is no usual state dict", pthReply)
	case err != nil && strings.Contains(said, "out of memory"):
		return pth.Index{}, fmt.Errorf("reading its index took more than %d MiB: it is no usual state dict", pthMemory>>20)
	case err != nil:
		return pth.Index{}, fmt.Errorf("the process that was to read its index ended with %w: %.200q; is the file to be trusted?", err, said)
	}
	var reply indexReply
	err = json.Unmarshal(stdout.kept.Bytes(), &reply)
	switch {
	case err != nil:
		return pth.Index{}, fmt.Errorf("the process that was to read its index gave none: %w", err)
	case reply.Error != "":
		return pth.Index{}, errors.New(reply.Error)
	case reply.Index == nil:
		return pth.Index{}, errors.New("the process that was to read its index gave none")
	}
	return *reply.Index, nil
}

// capped keeps the first bytes that are written to it. It has no other method than
// Write that copying could prefer, as the buffer itself would.
type capped struct {
	kept   bytes.Buffer
	most   int
	isOver bool
}

func (c *capped) Write(b []byte) (int, error) {
	n := min(len(b), c.most-c.kept.Len())
	c.kept.Write(b[:n])
	if n < len(b) {
		c.isOver = true
		return n, io.ErrShortWrite // whoever goes on writing gets SIGPIPE
	}
	return n, nil
}

// isIndexReader tells whether another process started this one to read an index.
func isIndexReader() bool { return os.Getenv(pthVariable) != "" }

// readIndex is all that such a process does. Its exit code is not 0 where it could not
// even answer.
func readIndex(stdout io.Writer) int {
	if err := limitProcess(pthMemory, pthCPU); err != nil {
		return exitFailure
	}
	reply := indexReply{}
	index, err := indexOfDescriptor(os.Getenv(pthVariable))
	if err != nil {
		reply.Error = err.Error()
	} else {
		reply.Index = &index
	}
	if err := json.NewEncoder(stdout).Encode(reply); err != nil {
		return exitFailure
	}
	return exitDone
}

func indexOfDescriptor(number string) (pth.Index, error) {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return pth.Index{}, fmt.Errorf("%s: %w", pthVariable, err)
	}
	f := os.NewFile(uintptr(fd), "the file")
	if f == nil {
		return pth.Index{}, fmt.Errorf("%s is no open file descriptor", pthVariable)
	}
	return pth.InProcess(f)
}

// limitProcess bounds this process for good: memory in bytes, CPU time in seconds, and
// no file that is not open yet. Address space is left alone, because Go reserves much
// of it; what counts is what can be written to.
func limitProcess(memory, cpu uint64) error {
	for _, l := range []struct {
		what  int
		limit uint64
	}{{unix.RLIMIT_DATA, memory}, {unix.RLIMIT_CPU, cpu}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 0}} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return err
		}
	}
	return nil
}
