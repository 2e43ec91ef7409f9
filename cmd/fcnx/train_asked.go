package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// hearEvery is how often a run looks for what it is asked.
const hearEvery = 200 * time.Millisecond

// askedToStop is the cause of a context that a request ended.
type askedToStop struct{ by string }

func (e *askedToStop) Error() string { return "asked to stop by " + e.by }

// exit is that of SIGTERM: both ask for the same.
func (e *askedToStop) exit() int { return exitTerminated }

// requests is what people ask of the run of this process while it goes on, through its
// control file. A stop ends the run's context, as a signal does; it is heard in the
// middle of a compilation too. The rest waits for the loop, between two steps.
type requests struct {
	listener *control.Listener
	stop     context.CancelCauseFunc
	sinks    *trainSinks
	stderr   io.Writer // nobody waits for it

	mu    sync.Mutex
	queue []train.Request

	// These are hear's own, and close's after it.
	stopping func() bool
	over     bool   // the run has ended
	warned   string // the last warning

	quit, done chan struct{}
}

// hearRequests begins to listen. The context that it returns ends when somebody asks
// the run to stop.
func hearRequests(ctx context.Context, listener *control.Listener, sinks *trainSinks, stderr io.Writer) (context.Context, *requests) {
	ctx, stop := context.WithCancelCause(ctx)
	r := &requests{
		listener: listener, stop: stop, sinks: sinks, stderr: stderr,
		stopping: func() bool { return ctx.Err() != nil },
		quit:     make(chan struct{}), done: make(chan struct{}),
	}
	go r.hear()
	return ctx, r
}

func (r *requests) hear() {
	defer close(r.done)
	tick := time.NewTicker(hearEvery)
	defer tick.Stop()
	for {
		r.poll()
		select {
		case <-r.quit:
			return
		case <-tick.C:
		}
	}
}

// poll takes up what is new. What goes wrong ends nothing: a run does not depend on
// being spoken to. It is told in the records only, because a terminal that nobody
// reads would hold up the one who listens.
func (r *requests) poll() {
	asked, err := r.listener.Poll()
	for _, request := range asked {
		if request.Action == event.ActionStop {
			r.takeStop(request.By)
			continue
		}
		r.mu.Lock()
		r.queue = append(r.queue, train.Request{Action: request.Action, By: request.By})
		r.mu.Unlock()
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != r.warned {
		r.sinks.note(r.sinks.step.Load(), event.LevelWarning, text)
	}
	r.warned = text
}

func (r *requests) takeStop(by string) {
	switch {
	case r.over:
		r.tell(event.ActionStop, by, tooLate)
		return
	case r.stopping():
		r.tell(event.ActionStop, by, "it is stopping already")
		return
	}
	cause := &askedToStop{by}
	r.tell(event.ActionStop, by, "")
	fmt.Fprintf(r.stderr, "fcnx: %v: stopping in good order\n", cause)
	r.stop(cause)
}

func (r *requests) tell(action, by, text string) {
	r.sinks.emit(event.Action{Head: event.Head{Time: time.Now()}, Step: r.sinks.step.Load(), Name: action, By: by, Text: text})
}

// next is the Loop's.
func (r *requests) next() (train.Request, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return train.Request{}, false
	}
	request := r.queue[0]
	r.queue = r.queue[1:]
	return request, true
}

const tooLate = "not done: the run had ended"

// close ends the listening, and tells those who asked too late.
func (r *requests) close() {
	close(r.quit)
	<-r.done
	r.stop(nil)
	r.over = true
	r.poll()
	for {
		late, ok := r.next()
		if !ok {
			return
		}
		r.tell(late.Action, late.By, tooLate)
	}
}
