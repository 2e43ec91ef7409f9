package event

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// decodeStep is the short way for the lines that a file has by the million: steps
// exactly as Marshal writes them. Of any other line it says that it is not ok, and
// the general way decides.
func decodeStep(line []byte) (step Step, ok bool) {
	s := scanner{rest: line, ok: true}
	if !s.has(`{"kind":"step","time":"`) {
		return step, false
	}
	step.Time = s.time()
	s.expect(`,"step":`)
	step.Step = s.integer()
	s.expect(`,"epoch":`)
	step.Epoch = s.float()
	s.expect(`,"loss":`)
	step.Loss = s.anyFloat()
	s.expect(`,"lr":`)
	step.LR = s.float()
	s.expect(`,"data_ms":`)
	step.DataMS = s.float()
	s.expect(`,"step_ms":`)
	step.StepMS = s.float()
	if s.has(`,"read_ms":`) {
		step.ReadMS = s.float()
	}
	if s.has(`,"tell_ms":`) {
		step.TellMS = s.float()
	}
	s.expect(`,"images":`)
	images := s.integer()
	step.Images = int(images)
	skipped := int64(0)
	if s.has(`,"skipped":`) {
		skipped = s.integer()
		step.Skipped = int(skipped)
	}
	if s.has(`,"grad_norm":`) {
		norm := s.anyFloat()
		step.GradNorm = &norm
	}
	s.expect(`}`)
	return step, s.ok && len(s.rest) == 0 && int64(step.Images) == images && int64(step.Skipped) == skipped
}

// scanner takes a line apart from the left. Once something was not as expected,
// it is not ok any more, whatever follows.
type scanner struct {
	rest []byte
	ok   bool
}

func (s *scanner) has(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scanner) expect(text string) { s.ok = s.has(text) && s.ok }

// time takes a time and the quote behind it.
func (s *scanner) time() (t time.Time) {
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.ok = false
		return t
	}
	if err := t.UnmarshalText(s.rest[:end]); err != nil {
		s.ok = false
	}
	s.rest = s.rest[end+1:]
	return t
}

func (s *scanner) integer() int64 {
	digits, isInteger := s.number()
	v, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || !isInteger {
		s.ok = false
	}
	return v
}

func (s *scanner) float() float64 {
	digits, _ := s.number()
	v, err := strconv.ParseFloat(string(digits), 64)
	if err != nil {
		s.ok = false
	}
	return v
}

// anyFloat takes what [Float] writes.
func (s *scanner) anyFloat() Float {
	switch {
	case s.has(`"NaN"`):
		return Float(math.NaN())
	case s.has(`"+Inf"`):
		return Float(math.Inf(1))
	case s.has(`"-Inf"`):
		return Float(math.Inf(-1))
	}
	return Float(s.float())
}

// number takes a number of JSON, which is stricter than strconv: no plus sign, no
// zeros in front, digits on both sides of the point.
func (s *scanner) number() (digits []byte, isInteger bool) {
	line, i := s.rest, 0
	if i < len(line) && line[i] == '-' {
		i++
	}
	from := i
	i = s.digits(i)
	s.ok = s.ok && (line[from] != '0' || i == from+1) // ok: there is a digit
	isInteger = true
	if i < len(line) && line[i] == '.' {
		isInteger = false
		i = s.digits(i + 1)
	}
	if i < len(line) && (line[i] == 'e' || line[i] == 'E') {
		isInteger = false
		i++
		if i < len(line) && (line[i] == '+' || line[i] == '-') {
			i++
		}
		i = s.digits(i)
	}
	digits, s.rest = s.rest[:i], s.rest[i:]
	return digits, isInteger
}

// digits goes from an index to the end of the digits there; at least one is needed.
func (s *scanner) digits(i int) int {
	from := i
	for i < len(s.rest) && '0' <= s.rest[i] && s.rest[i] <= '9' {
		i++
	}
	s.ok = s.ok && i > from
	return i
}
