package sink

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// tensorBoardDir is where the event files are, below the run directory.
const tensorBoardDir = "tb"

// TensorBoard writes an event file for TensorBoard into tb/ of the run directory:
// scalars of steps, evaluations and the machine, and the pictures of previews.
//
// Each process of a run writes a file of its own, and begins it by saying where it
// goes on: TensorBoard then leaves out the steps that the process before it had done
// beyond its last checkpoint.
type TensorBoard struct {
	mu    sync.Mutex
	run   *os.Root
	out   appender
	shown pictured
}

// picturesEach is how many evaluations have pictures before their distance doubles.
const picturesEach = 20

// pictured chooses evaluations whose pictures are written: an event file cannot lose
// any again, and a long run must not fill the disk. These are the first 20, every
// second one of the next 40, every fourth one of the next 80, and so on: 200 of the
// first 20,460.
type pictured struct {
	seen, written, next int
}

// due tells whether the next evaluation is one of them.
func (p *pictured) due() bool {
	p.seen++
	return p.seen > p.next
}

// wrote counts the evaluation that due was asked of last.
func (p *pictured) wrote() {
	p.written++
	p.next = p.seen - 1 + 1<<(p.written/picturesEach)
}

// OpenTensorBoard makes the event file of a process that starts now.
func OpenTensorBoard(runDir string, now time.Time) (*TensorBoard, error) {
	root, err := os.OpenRoot(runDir)
	if err != nil {
		return nil, err
	}
	file, err := createEventFile(root, now)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("event file for TensorBoard: %w", err), root.Close())
	}
	t := &TensorBoard{run: root, out: appender{file: file}}
	if err := t.write(versionEvent(now), now, false); err != nil {
		return nil, errors.Join(err, file.Close(), root.Close())
	}
	return t, nil
}

// createEventFile gives the file a name behind all others: TensorBoard reads them in
// the order of their names, whatever the clock was set to between two processes.
func createEventFile(root *os.Root, now time.Time) (*os.File, error) {
	if err := root.Mkdir(tensorBoardDir, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	dir, err := root.Open(tensorBoardDir)
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return nil, err
	}
	second := now.Unix()
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, "events.out.tfevents."); ok {
			digits, _, _ := strings.Cut(rest, ".")
			if taken, err := strconv.ParseInt(digits, 10, 64); err == nil {
				second = max(second, taken+1)
			}
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.0", second, host, os.Getpid())
	return root.OpenFile(path.Join(tensorBoardDir, name), os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o644)
}

// Handle implements [Sink]. A picture that cannot be read is an error, and keeps
// nothing else away. On a full disk what is new is dropped once 1 MiB waits.
func (t *TensorBoard) Handle(r event.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out.file == nil {
		return ErrClosed
	}
	switch r := r.(type) {
	case event.Started:
		return t.write(startEvent(r), r.Time, false)
	case event.Step:
		return t.write(scalarEvent(r.Time, r.Step, stepScalars(r)), r.Time, true)
	case event.Eval:
		return t.write(scalarEvent(r.Time, r.Step, evalScalars(r)), r.Time, false)
	case event.System:
		return t.write(scalarEvent(r.Time, r.Step, systemScalars(r)), r.Time, false)
	case event.Preview:
		return t.preview(r)
	}
	return t.out.flush(r.At())
}

// write drops what finds no room.
func (t *TensorBoard) write(m message, at time.Time, wait bool) error {
	if err := t.out.room(at); err != nil {
		return err
	}
	return t.out.add(frame(m), at, wait)
}

// preview writes one picture a sample, at some of the evaluations.
func (t *TensorBoard) preview(r event.Preview) error {
	if !t.shown.due() {
		return nil
	}
	var errs []error
	for _, p := range r.Images {
		strip, err := readStrip(t.run, p)
		if err == nil {
			err = t.write(imageEvent(r.Time, r.Step, "preview/"+p.ID, strip), r.Time, false)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("picture of %s for TensorBoard: %w", p.ID, err))
		}
	}
	if len(errs) < len(r.Images) {
		t.shown.wrote()
	}
	return errors.Join(errs...)
}

// Close implements [Sink].
func (t *TensorBoard) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out.file == nil {
		return nil
	}
	return errors.Join(t.out.close(), t.run.Close())
}
