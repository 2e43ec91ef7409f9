package main

import (
	"fmt"
	"time"

	"github.com/fcnx/fcnx/monitor"
	"github.com/fcnx/fcnx/train/event"
)

// monitorEvery is the time between two records of the machine.
const monitorEvery = 2 * time.Second

// trainMonitor tells what a run uses of its machine; nil tells nothing.
type trainMonitor struct{ *monitor.Monitor }

// startMonitor begins to tell. A machine that says nothing of itself is no reason
// not to train.
func startMonitor(run *trainRun, sinks *trainSinks, warn func(string)) trainMonitor {
	failed := func(err error) { warn(fmt.Sprintf("what the run uses of the machine is not known: %v", err)) }
	m, err := monitor.Start(monitor.Config{
		Dir: run.Dir, Every: monitorEvery, Now: time.Now, Step: sinks.step.Load,
		Tell:   func(r event.System) { sinks.emit(r) },
		Failed: failed,
	})
	if err != nil {
		failed(err)
	}
	return trainMonitor{m}
}

func (m trainMonitor) stop() {
	if m.Monitor != nil {
		m.Stop()
	}
}
