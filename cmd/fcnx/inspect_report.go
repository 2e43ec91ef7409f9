package main

import (
	"slices"
	"strconv"

	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
)

// inspectReport is what `inspect --json` prints (docs/inspect.md). Counts and bytes of
// layers are for one image.
type inspectReport struct {
	Source     string            `json:"source"` // "" where the flags described the network
	Step       *int64            `json:"step"`   // null where unknown
	Format     string            `json:"format"` // of a file of another program; else ""
	Origin     string            `json:"origin"` // what the weights were imported from; else ""
	Model      modelReport       `json:"model"`
	Parts      []string          `json:"parts"`      // null: a whole network
	Preprocess *preprocessReport `json:"preprocess"` // null where the file does not tell
	Classes    []string          `json:"classes"`    // null where nobody named them
	Height     int               `json:"height"`
	Width      int               `json:"width"`
	Batch      int               `json:"batch"`

	Parameters      int64 `json:"parameters"`
	MultiplyAdds    int64 `json:"multiply_adds"`
	ActivationBytes int64 `json:"activation_bytes"`

	Layers []layerReport `json:"layers"`
	Memory *memoryReport `json:"memory,omitempty"`
	Stats  []statsReport `json:"stats,omitempty"`

	foreign *foreignFile
}

type modelReport struct {
	Arch     string  `json:"arch"`
	Encoder  string  `json:"encoder"`
	Classes  int     `json:"classes"`
	Width    int     `json:"width"`
	Head     int     `json:"head"`
	Upsample string  `json:"upsample"`
	Geometry string  `json:"geometry"`
	Dropout  float64 `json:"dropout"`
	AtOnce   bool    `json:"at_once"`
}

type preprocessReport struct {
	Order string     `json:"order"`
	Scale float64    `json:"scale"`
	Mean  [3]float64 `json:"mean"`
	Std   [3]float64 `json:"std"`
}

type layerReport struct {
	Name         string        `json:"name"`
	Op           models.OpKind `json:"op"`
	Inputs       []string      `json:"inputs"`
	Height       int           `json:"height"`
	Width        int           `json:"width"`
	Channels     int           `json:"channels"`
	Kernel       int           `json:"kernel,omitempty"`
	Stride       int           `json:"stride,omitempty"` // the operation's own
	Pad          int           `json:"pad,omitempty"`
	Ceil         bool          `json:"ceil,omitempty"`
	Factor       float64       `json:"factor,omitempty"`
	Crop         *int          `json:"crop,omitempty"` // offset of a crop
	Parameters   int64         `json:"parameters"`
	MultiplyAdds int64         `json:"multiply_adds"`
	Bytes        int64         `json:"bytes"`
	Field        fieldReport   `json:"field"`
}

type fieldReport struct {
	Size   int     `json:"size"`
	Stride int     `json:"stride"`
	Centre float64 `json:"centre"`
}

type memoryReport struct {
	Backend      string        `json:"backend"`
	Devices      int           `json:"devices"` // that share the batch; figures are of each
	Batch        int           `json:"batch"`
	Height       int           `json:"height"`
	Width        int           `json:"width"`
	Evaluation   memoryFigures `json:"evaluation"`
	TrainingStep memoryFigures `json:"training_step"`
}

type memoryFigures struct {
	train.Memory
	Needed int64 `json:"needed"`
}

// statsReport is about the numbers of one variable that are finite; null where none is.
type statsReport struct {
	Variable  string       `json:"variable"`
	Shape     []int        `json:"shape"`
	Count     int64        `json:"count"`
	Min       *event.Float `json:"min"`
	Max       *event.Float `json:"max"`
	Mean      *event.Float `json:"mean"`
	Std       *event.Float `json:"std"`
	Zeros     float64      `json:"zeros"`      // share of all
	NotFinite int64        `json:"not_finite"` // NaN and Inf
}

func newInspectReport(n *network, t models.Trace, batch int) inspectReport {
	m, p := n.config.Network(), n.config.Preprocess
	r := inspectReport{
		Source: n.source,
		Model: modelReport{m.Arch, m.Encoder, m.Classes, m.Width, m.Head, m.Upsample, m.Geometry,
			m.Dropout, m.AtOnce},
		Parts: n.parts, Origin: n.origin, foreign: n.foreign,
		Height: t.Height, Width: t.Width, Batch: batch,
		Parameters: t.Parameters(), MultiplyAdds: t.MultiplyAdds(), ActivationBytes: t.Bytes(),
	}
	if n.parts != nil { // what comes behind them is open
		r.Model.Arch, r.Model.Classes, r.Model.Upsample, r.Model.AtOnce = "", 0, "", false
		if !slices.Contains(n.parts, models.PartHead) {
			r.Model.Head = 0
		}
	}
	if n.foreign != nil {
		r.Format = n.foreign.format
	}
	if n.foreign == nil || n.foreign.pixels != "" {
		r.Preprocess = &preprocessReport{p.Order, p.Scale, p.Mean, p.Std}
	}
	if step, err := strconv.ParseInt(n.step, 10, 64); err == nil {
		r.Step = &step
	}
	if n.named {
		r.Classes = classNames(n.classes)
	}
	for _, op := range t.Ops {
		l := layerReport{
			Name: op.Name, Op: op.Kind, Inputs: op.Inputs, Height: op.Height, Width: op.Width, Channels: op.Out,
			Kernel: op.Kernel, Stride: op.Stride, Pad: op.Pad, Ceil: op.Ceil, Factor: op.Factor,
			Parameters: op.Parameters, MultiplyAdds: op.MultiplyAdds, Bytes: op.Bytes,
			Field: fieldReport{op.Field.Size, op.Field.Stride, op.Field.Centre},
		}
		if op.Kind == models.OpCrop {
			l.Crop = &op.Offset
		}
		r.Layers = append(r.Layers, l)
	}
	return r
}
