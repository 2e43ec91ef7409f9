// Package monitor samples what a process uses of its machine: processor, memory,
// disk and, where fcnx is built with the tag nvml, NVIDIA's devices.
package monitor

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/fcnx/fcnx/train/event"
)

// Config is what a [Monitor] needs. All of it.
type Config struct {
	Dir   string        // the disk that it is on is the one that may fill up
	Every time.Duration // between two samples
	Now   func() time.Time
	Step  func() int64 // steps done
	// Tell gets each sample, and Failed, once, the first error of a sample that could
	// not be had. Both are called from the monitor's own goroutine.
	Tell   func(event.System)
	Failed func(error)
}

// Monitor samples this process until it is stopped.
type Monitor struct {
	config  Config
	process *process.Process
	gpus    gpus
	stop    chan struct{}
	once    sync.Once
	done    sync.WaitGroup

	// The load is that of the time between two looks at the clocks.
	looked time.Time
	busy   float64 // seconds of processor time until then
}

// Start begins to sample. The first sample comes after the first interval, of which
// it tells the load. An error means that there will be none at all.
func Start(config Config) (*Monitor, error) {
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("looking at this process: %w", err)
	}
	m := &Monitor{config: config, process: self, stop: make(chan struct{})}
	if _, err := m.load(); err != nil {
		return nil, err
	}
	m.gpus = openGPUs()
	m.done.Go(m.run)
	return m, nil
}

// Stop returns when the last sample has been told. Only the first call does
// anything.
func (m *Monitor) Stop() {
	m.once.Do(func() {
		close(m.stop)
		m.done.Wait()
		m.gpus.close()
	})
}

func (m *Monitor) run() {
	ticker := time.NewTicker(m.config.Every)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
		}
		sample, err := m.sample()
		if err == nil {
			m.config.Tell(sample)
		} else if !failed {
			failed = true
			m.config.Failed(err)
		}
	}
}

func (m *Monitor) sample() (event.System, error) {
	load, err := m.load()
	if err != nil {
		return event.System{}, err
	}
	own, err := m.process.MemoryInfo()
	if err != nil {
		return event.System{}, fmt.Errorf("memory of this process: %w", err)
	}
	machine, err := mem.VirtualMemory()
	if err != nil {
		return event.System{}, fmt.Errorf("memory of this machine: %w", err)
	}
	usage, err := disk.Usage(m.config.Dir)
	if err != nil {
		return event.System{}, fmt.Errorf("space on the disk of %s: %w", m.config.Dir, err)
	}
	return event.System{
		Head: event.Head{Time: m.looked}, Step: m.config.Step(),
		CPUPercent: load, Cores: runtime.GOMAXPROCS(0), // it knows affinity and the limits of containers
		RSS: int64(own.RSS), Memory: int64(machine.Total), Free: int64(machine.Available), Disk: int64(usage.Free),
		GPUs: m.gpus.sample(),
	}, nil
}

// load is the processor time of this process since the last call, in percent of the
// time that went by: one core that was never idle is 100. The first call returns 0.
func (m *Monitor) load() (float64, error) {
	now := m.config.Now()
	times, err := m.process.Times()
	if err != nil {
		return 0, fmt.Errorf("processor time of this process: %w", err)
	}
	busy := times.User + times.System
	load := 0.0
	if passed := now.Sub(m.looked).Seconds(); !m.looked.IsZero() && passed > 0 {
		load = max(0, 100*(busy-m.busy)/passed)
	}
	m.looked, m.busy = now, busy
	return load, nil
}
