package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxLine bounds one encoded record, in bytes without the line's end. A reader
// need not hold more.
const MaxLine = 1 << 20

// Unknown is a record of a kind that this version does not know. It keeps the
// whole object, so that what passes records on loses nothing.
type Unknown struct {
	Head
	Kind Kind
	Raw  []byte // the JSON object
}

// EventKind implements [Record].
func (u Unknown) EventKind() Kind { return u.Kind }

// Marshal encodes r as one line of JSON that begins {"kind":"...","time":...
// and has no line end.
func Marshal(r Record) ([]byte, error) {
	if r == nil {
		return nil, errors.New("no record")
	}
	var b bytes.Buffer
	if u, ok := r.(Unknown); ok {
		if err := json.Compact(&b, u.Raw); err != nil {
			return nil, fmt.Errorf("%s record: %w", u.Kind, err)
		}
		return limited(u.Kind, b.Bytes())
	}
	fmt.Fprintf(&b, `{"kind":%q,`, r.EventKind())
	prefix := b.Len()
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // notes say "->" and "<"
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("%s record: %w", r.EventKind(), err)
	}
	// The record's own opening brace has become our comma.
	line := b.Bytes()
	copy(line[prefix:], line[prefix+1:])
	return limited(r.EventKind(), line[:len(line)-len("{\n")])
}

func limited(kind Kind, line []byte) ([]byte, error) {
	if len(line) > MaxLine {
		return nil, fmt.Errorf("%s record of %d bytes: at most %d fit on a line", kind, len(line), MaxLine)
	}
	return line, nil
}

// decoders holds every kind but those that are yet to come.
var decoders = map[Kind]func([]byte) (Record, error){
	KindStarted:  decode[Started],
	KindPhase:    decode[Phase],
	KindCompiled: decode[Compiled],
	KindStep:     decode[Step],
	KindEval:     decode[Eval],
	KindSaved:    decode[Saved],
	KindNote:     decode[Note],
	KindSystem:   decode[System],
	KindPreview:  decode[Preview],
	KindAction:   decode[Action],
	KindFinished: decode[Finished],
}

// Unmarshal decodes one line. Fields that it does not know are ignored and a kind
// that it does not know gives [Unknown]: a newer writer does not blind an older
// reader. Fields that are missing are zero, but for kind and time.
func Unmarshal(line []byte) (Record, error) {
	line = bytes.TrimSpace(line)
	if len(line) > MaxLine {
		return nil, fmt.Errorf("%d bytes, where a record has at most %d", len(line), MaxLine)
	}
	if step, ok := decodeStep(line); ok {
		return step, nil
	}
	return unmarshal(line)
}

// unmarshal is Unmarshal without the short way.
func unmarshal(line []byte) (Record, error) {
	var head struct {
		Kind *Kind      `json:"kind"`
		Time *time.Time `json:"time"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, plainly(err)
	}
	switch {
	case head.Kind == nil || *head.Kind == "":
		return nil, errors.New(`no "kind"`)
	case head.Time == nil:
		return nil, errors.New(`no "time"`)
	}
	if decode := decoders[*head.Kind]; decode != nil {
		return decode(line)
	}
	return Unknown{Head{*head.Time}, *head.Kind, bytes.Clone(line)}, nil
}

func decode[T Record](line []byte) (Record, error) {
	var r T
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("%s record: %w", r.EventKind(), plainly(err))
	}
	return r, nil
}

// plainly says what encoding/json says without naming Go types.
func plainly(err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &mismatch) && mismatch.Field == "":
		return fmt.Errorf("a JSON %s, where a record is an object", mismatch.Value)
	case errors.As(err, &mismatch):
		return fmt.Errorf("%q does not hold a %s", mismatch.Field, mismatch.Value)
	}
	return err
}
