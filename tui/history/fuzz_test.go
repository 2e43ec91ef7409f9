package history_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/history"
)

// odd makes records of bytes: those that no writer would write too.
type odd struct{ rest []byte }

func (o *odd) byte() byte {
	if len(o.rest) == 0 {
		return 0
	}
	b := o.rest[0]
	o.rest = o.rest[1:]
	return b
}

func (o *odd) int() int64 {
	switch b := o.byte(); b {
	case 250:
		return math.MinInt64
	case 251:
		return math.MaxInt64
	case 252:
		var raw [8]byte
		o.rest = o.rest[copy(raw[:], o.rest):]
		return int64(binary.LittleEndian.Uint64(raw[:]))
	default:
		return int64(int8(b))
	}
}

func (o *odd) float() float64 {
	switch b := o.byte(); b {
	case 250:
		return math.NaN()
	case 251:
		return math.Inf(1)
	case 252:
		return math.Inf(-1)
	case 253:
		return math.MaxFloat64
	case 254:
		return math.Float64frombits(uint64(o.int()))
	default:
		return float64(int8(b)) / 4
	}
}

func (o *odd) head() event.Head {
	switch b := o.byte(); b {
	case 250:
		return event.Head{}
	case 251:
		return event.Head{Time: time.Unix(o.int(), o.int())}
	default:
		return at(float64(b))
	}
}

func (o *odd) text() string {
	texts := []string{"", "load", "compile", "train", "eval", "save", "done", "\x1b[2J\xff\n", "failed"}
	return texts[int(o.byte())%len(texts)]
}

func (o *odd) record() event.Record {
	h := o.head()
	switch o.byte() % 13 {
	case 0:
		return event.Started{Head: h, Step: o.int(), Steps: o.int(), Resumed: o.byte()%2 == 0, EvalEvery: o.float(), SaveEvery: o.int(), Warmup: o.int(),
			LoadSeconds: o.float(), Val: int(o.int()), Batch: int(o.int()), Params: o.int(), Classes: []string{o.text(), o.text()}}
	case 1, 2:
		return event.Phase{Head: h, Name: o.text(), Step: o.int(), Detail: o.text()}
	case 3, 4, 5:
		norm := event.Float(o.float())
		return event.Step{Head: h, Step: o.int(), Epoch: o.float(), Loss: event.Float(o.float()), LR: o.float(), DataMS: o.float(), StepMS: o.float(),
			ReadMS: o.float(), TellMS: o.float(), Images: int(o.int()), GradNorm: &norm}
	case 6:
		return event.Eval{Head: h, Step: o.int(), MeanIoU: event.Float(o.float()), Seconds: o.float(), Best: o.byte()%2 == 0}
	case 7:
		return event.Saved{Head: h, Step: o.int(), Path: o.text(), Seconds: o.float(), Best: o.byte()%2 == 0}
	case 8:
		return event.Preview{Head: h, Step: o.int(), Images: []event.PreviewImage{{ID: o.text()}}}
	case 9:
		return event.Finished{Head: h, Step: o.int(), Reason: o.text(), Seconds: o.float(), Error: o.text()}
	case 11:
		return event.Compiled{Head: h, Step: o.int(), What: o.text(), Seconds: o.float(), Memory: &event.CompiledMemory{Arguments: o.int(), Temporaries: o.int()}}
	case 10:
		return event.Action{Head: h, Name: o.text(), By: o.text(), Text: o.text()}
	default:
		return event.Note{Head: h, Level: o.text(), Text: o.text()}
	}
}

// FuzzAdd gives a history records as they may be decoded from any file, and such
// as no file can hold.
func FuzzAdd(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("\x01\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x02\x03\x01\x01\x01"))
	f.Add([]byte("\x01\x00\x05\xfb\x00\x01\x01\x01\x02\x03\xfa\x01\x01\x01\x02\xfb\x03\xfc12345678\x01"))
	f.Add([]byte(`{"kind":"started","time":"2026-03-01T12:00:00Z","step":-5,"steps":9,"eval_every":1e-300,"classes":["a"]}
{"kind":"step","time":"0001-01-01T00:00:00Z","step":9223372036854775807,"loss":"NaN"}
{"kind":"eval","time":"9999-01-01T00:00:00Z","step":3,"class_iou":{"a":null,"b":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var records []event.Record
		for line := range bytes.Lines(data) {
			if rec, err := event.Unmarshal(line); err == nil {
				records = append(records, rec)
			}
		}
		for o := (&odd{data}); len(o.rest) > 0; {
			records = append(records, o.record())
		}
		r := history.New()
		for i, rec := range records {
			r.Add(rec)
			if len(data)%5 == 0 && i%7 == 3 {
				r.Lose(rec.At())
			}
			look(t, r, rec.At())
		}
		for _, line := range r.Log() {
			requirePrintable(t, line)
		}
	})
}

// look asks a history for everything, and whether it fits together.
func look(t *testing.T, r *history.Run, now time.Time) {
	t.Helper()
	if left, ok := r.Left(now); ok {
		require.True(t, 0 <= left.Min && left.Min <= left.Max, "%v", left)
	}
	require.GreaterOrEqual(t, r.Elapsed(now), time.Duration(0))
	for _, phase := range r.Phases(now) {
		require.Positive(t, phase.Seconds)
	}
	if best, ok := r.Best(); ok {
		for _, e := range r.Evals() {
			require.False(t, e.MeanIoU > best.MeanIoU)
		}
	}
	for i, e := range r.Evals() {
		require.True(t, i == 0 || r.Evals()[i-1].Step < e.Step)
	}
	split := r.Split()
	require.False(t, math.IsNaN(split.Total+split.ImagesPerSecond) || math.IsInf(split.Total+split.ImagesPerSecond, 0), "%+v", split)
	for _, s := range []*history.Series{r.Loss(), r.Rate(), r.Speed(), r.GradNorm()} {
		first, last, ok := s.Bounds()
		require.True(t, first <= last || !ok)
		for _, c := range s.Columns(first, last, 7) {
			require.True(t, c.N == 0 || c.Min <= c.Mean && c.Mean <= c.Max, "%+v", c)
		}
		require.Len(t, s.Smooth(first, last, 3, 0.5), 3)
	}
	r.State()
	r.Current()
	r.Versions()
}
