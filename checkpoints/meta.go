package checkpoints

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Schema is the version of meta.json and of what stands beside it. It rises with
// every change of either.
const Schema = 1

// Meta is what a run needs besides its variables to go on as if it had never
// stopped, and what it must compare to know that it may.
type Meta struct {
	Schema int `json:"schema"` // set by Save
	// Step is the number of updates done, Cursor the number of samples drawn.
	// Epoch is Cursor over the samples in an epoch, for people.
	Step   int64   `json:"step"`
	Epoch  float64 `json:"epoch"`
	Cursor int64   `json:"cursor"`
	Seed   uint64  `json:"seed"`
	// Evaluated is the step of the last evaluation; 0 before the first. A run that
	// was stopped between a step and its evaluation owes that one.
	Evaluated int64 `json:"evaluated_step"`
	// LRScale is what the learning rate of the schedule is multiplied by, because
	// people asked for less while the run went on, or because it went back after it had
	// diverged. Absent, as 0, it means 1.
	LRScale float64 `json:"lr_scale,omitempty"`
	// Retries counts how often the run went back to a checkpoint because it had diverged.
	Retries int `json:"retries,omitempty"`
	// Stage is what the variables are of in a run of several stages; nil in a run of one.
	Stage *Stage `json:"stage,omitempty"`
	// Config and Dataset are digests of config.toml and of the data set's index.
	Config  string `json:"config_sha256"`
	Dataset string `json:"dataset_digest"`
	// Versions of fcnx and of what computes, by name.
	Versions map[string]string `json:"versions"`
	Plugin   Plugin            `json:"plugin"`
	// Best is the best evaluation so far; nil before the first.
	Best *Best     `json:"best,omitempty"`
	Time time.Time `json:"time"`
	// Variables is the file beside; set by Save.
	Variables Variables `json:"variables"`
}

// Stage is a part of a run with a network of its own.
type Stage struct {
	Index int    `json:"index"` // from 1
	Name  string `json:"name"`  // for people
	// From is the step that the stage before ended with; 0 in the first.
	From int64 `json:"from_step"`
}

// Plugin is the PJRT plugin that computed the variables.
type Plugin struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Best is the evaluation with the highest mean IoU, a fraction of one.
type Best struct {
	Step    int64   `json:"step"`
	MeanIoU float64 `json:"mean_iou"`
}

// Variables is the size and the hash, in hexadecimal, of variables.safetensors.
type Variables struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// check refuses what Save must not write and what a reader must not believe.
func (m *Meta) check() error {
	switch {
	case m.Step < 0 || m.Step > maxStep:
		return fmt.Errorf("step %d is out of range", m.Step)
	case m.Evaluated < 0 || m.Evaluated > m.Step:
		return fmt.Errorf("the evaluated step %d is not one of the steps up to %d", m.Evaluated, m.Step)
	case m.Cursor < 0:
		return fmt.Errorf("cursor %d is negative", m.Cursor)
	case !finite(m.Epoch):
		return fmt.Errorf("epoch %g is not a number", m.Epoch)
	case !(m.LRScale >= 0 && m.LRScale <= 1):
		return fmt.Errorf("the scale of the learning rate is %g, and not above 0 and at most 1", m.LRScale)
	case m.Retries < 0:
		return fmt.Errorf("it went back %d times, and not 0 or more", m.Retries)
	case m.Stage != nil && m.Stage.Index < 1:
		return fmt.Errorf("stage %d is none: they count from 1", m.Stage.Index)
	case m.Stage != nil && (m.Stage.From < 0 || m.Stage.From > m.Step):
		return fmt.Errorf("its stage begins after step %d, and not after one of the steps up to %d", m.Stage.From, m.Step)
	case m.Time.IsZero():
		return errors.New("it has no time")
	case m.Best != nil && (m.Best.Step < 0 || m.Best.Step > m.Step):
		return fmt.Errorf("the best step %d is not one of the steps up to %d", m.Best.Step, m.Step)
	case m.Best != nil && !finite(m.Best.MeanIoU):
		return fmt.Errorf("the best mean IoU %g is not a number", m.Best.MeanIoU)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// metaFile is meta.json. Its last field is the hash of all bytes before that
// field, so that a flipped bit in a cursor is found like one in the variables.
type metaFile struct {
	Meta
	SHA256 string `json:"sha256"`
}

// The end of meta.json, whose length does not depend on the hash in it.
const (
	metaTail       = "  \"sha256\": \"%064x\"\n}\n"
	metaTailLength = len(metaTail) - len("%064x") + 2*sha256.Size
)

func encodeMeta(m Meta) ([]byte, error) {
	text, err := json.MarshalIndent(metaFile{m, fmt.Sprintf("%064x", 0)}, "", "  ")
	if err != nil {
		return nil, err
	}
	return seal(text[:len(text)+len("\n")-metaTailLength]), nil
}

// seal ends meta.json with the hash of what comes before its end.
func seal(text []byte) []byte { return fmt.Appendf(bytes.Clone(text), metaTail, sha256.Sum256(text)) }

func decodeMeta(text []byte) (Meta, error) {
	// The schema comes first: another one may have other fields and another hash.
	var version struct {
		Schema int `json:"schema"`
	}
	switch err := json.Unmarshal(text, &version); {
	case err != nil:
		return Meta{}, fmt.Errorf("it is not JSON: %w", err)
	case version.Schema > Schema:
		return Meta{}, fmt.Errorf("it has schema %d, from a newer fcnx than this one, which reads schema %d", version.Schema, Schema)
	case version.Schema < Schema:
		return Meta{}, fmt.Errorf("it has schema %d, and this fcnx reads schema %d", version.Schema, Schema)
	}
	start := len(text) - metaTailLength
	if start < 0 || !bytes.Equal(text, seal(text[:start])) {
		return Meta{}, errors.New("its sha256 does not match its content")
	}
	var m metaFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return Meta{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Meta{}, errors.New("something follows its end")
	}
	if hash, err := hex.DecodeString(m.Variables.SHA256); err != nil || len(hash) != sha256.Size {
		return Meta{}, fmt.Errorf("variables.sha256 is %.80q", m.Variables.SHA256)
	}
	return m.Meta, m.check()
}
