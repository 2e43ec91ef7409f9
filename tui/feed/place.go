package feed

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fcnx/fcnx/train/event"
)

// Place is a place in a run, where a replay begins. The zero Place is the
// beginning.
type Place struct {
	kind  placeKind
	share float64       // of the file
	step  int64         // at least
	time  time.Duration // of the replay, at speed 1
}

type placeKind int

const (
	atBeginning placeKind = iota
	atShare
	atStep
	atTime
)

// ParsePlace reads "60%" of the file, "step:1200" or "1200", and "10m" of the time
// that the run's processes ran.
func ParsePlace(text string) (Place, error) {
	bad := func(why string) (Place, error) {
		return Place{}, fmt.Errorf("place %q %s; write 60%%, step:1200, 1200 or 10m", text, why)
	}
	trimmed := strings.TrimSpace(text)
	if number, ok := strings.CutSuffix(trimmed, "%"); ok {
		percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		switch {
		case err != nil:
			return bad("has no number before the %")
		case !(percent >= 0 && percent <= 100):
			return bad("is not between 0% and 100%")
		}
		return Place{kind: atShare, share: percent / 100}, nil
	}
	number, isStep := strings.CutPrefix(trimmed, "step:")
	step, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	switch {
	case err == nil && step < 0:
		return bad("is before the first step")
	case err == nil:
		return Place{kind: atStep, step: step}, nil
	case isStep:
		return bad("has no whole number behind step:")
	}
	d, err := time.ParseDuration(trimmed)
	switch {
	case err != nil:
		return bad("is no place in a run")
	case d < 0:
		return bad("is before the beginning")
	}
	return Place{kind: atTime, time: d}, nil
}

// String is what ParsePlace reads.
func (p Place) String() string {
	switch p.kind {
	case atShare:
		return strconv.FormatFloat(p.share*100, 'f', -1, 64) + "%"
	case atStep:
		return "step:" + strconv.FormatInt(p.step, 10)
	case atTime:
		return p.time.String()
	}
	return "0%"
}

// reached tells whether a record that ends at an offset of a file of some size, and
// comes at a time of the replay, is at the place or beyond it.
func (p Place) reached(rec event.Record, end, size int64, at time.Duration) bool {
	switch p.kind {
	case atShare:
		return end >= int64(math.Ceil(p.share*float64(size)))
	case atStep:
		step, ok := rec.(event.Step)
		return ok && step.Step >= p.step || p.step == 0
	case atTime:
		return at >= p.time
	}
	return true
}
