package history

import (
	"math"
	"slices"

	"github.com/fcnx/fcnx/train/event"
)

const (
	splitSteps = 64  // what Split looks at
	paceSteps  = 256 // what Left looks at: a wait for data may come every hundred steps
)

// timing is where the time of one step went, in milliseconds.
type timing struct {
	data, device, read, tell float64
	images                   int
}

func (t timing) total() float64 { return t.data + t.device + t.read + t.tell }

func timingOf(rec event.Step) timing {
	read := plain(rec.ReadMS)
	return timing{data: plain(rec.DataMS), device: max(0, plain(rec.StepMS)-read), read: read, tell: plain(rec.TellMS), images: max(0, rec.Images)}
}

// plain is v where it is a time, and 0 where a file says nonsense, or what no clock
// can measure and no division should meet.
func plain(v float64) float64 {
	if 1e-9 < v && v < math.MaxFloat32 {
		return v
	}
	return 0
}

// recent are the newest steps of a process, in a circle.
type recent struct {
	ring []timing
	head int // of the oldest once the circle is full
}

func (r *recent) add(t timing) {
	if len(r.ring) < paceSteps {
		r.ring = append(r.ring, t)
		return
	}
	r.ring[r.head] = t
	r.head = (r.head + 1) % paceSteps
}

// newest returns at most n of them, the newest first.
func (r *recent) newest(n int) []timing {
	steps := make([]timing, 0, min(n, len(r.ring)))
	for i := range cap(steps) {
		steps = append(steps, r.ring[(r.head+len(r.ring)-1-i)%len(r.ring)])
	}
	return steps
}

// Split is where the time of a step goes: medians of the newest 64 steps of this
// process. It is zero before the first.
func (r *Run) Split() Split {
	steps := r.recent.newest(splitSteps)
	if len(steps) == 0 {
		return Split{}
	}
	middle := func(part func(timing) float64) float64 {
		values := make([]float64, len(steps))
		for i, t := range steps {
			values[i] = part(t)
		}
		return quantile(values, 0.5)
	}
	s := Split{
		Data:   middle(func(t timing) float64 { return t.data }),
		Device: middle(func(t timing) float64 { return t.device }),
		Read:   middle(func(t timing) float64 { return t.read }),
		Tell:   middle(func(t timing) float64 { return t.tell }),
	}
	s.Total = s.Data + s.Device + s.Read + s.Tell
	if s.Total > 0 {
		s.ImagesPerSecond = 1000 / s.Total * middle(func(t timing) float64 { return float64(t.images) })
	}
	return s
}

// DataWait is the share of the steps' time that the run waited for data, as
// [event.Waits] counts it.
func (r *Run) DataWait() (share float64, known bool) { return r.waits.Share() }

// quantile sorts values, of which there is at least one, and goes the share q of
// the way through them.
func quantile(values []float64, q float64) float64 {
	slices.Sort(values)
	at := q * float64(len(values)-1)
	i := int(at)
	if i+1 >= len(values) {
		return values[i]
	}
	return values[i] + (at-float64(i))*(values[i+1]-values[i])
}
