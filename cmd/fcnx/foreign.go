package main

import (
	"fmt"
	"strings"

	"github.com/fcnx/fcnx/checkpoints/weights"
	"github.com/fcnx/fcnx/models"
	"github.com/fcnx/fcnx/train"
)

// foreignFile is what there is to say of a file of another program, for people.
type foreignFile struct {
	format   string // "torch.save's zip (.pth)"
	names    string // "torchvision's names"
	leftOut  int    // tensors that are no part of the network
	pixels   string // how it is known what it was trained with; empty: it is not
	pixelsBy string // its name, "torchvision"; may be empty
}

// newForeignFile says so of source. said are the keys that somebody has said.
func newForeignFile(source *weights.Source, said train.Origins) *foreignFile {
	f := &foreignFile{format: source.Format(), names: source.Family() + "'s names"}
	for _, row := range source.Rows() {
		if row.Variable == "" {
			f.leftOut++
		}
	}
	pixels := source.Pixels()
	f.pixels, f.pixelsBy = pixels.Why, pixels.Name
	for _, key := range []string{"order", "scale", "mean", "std"} {
		if _, ok := said["preprocess."+key]; ok {
			f.pixels, f.pixelsBy = "as was said", ""
		}
	}
	return f
}

// recognised is what the tensors of a file are that says nothing of itself. preprocess
// names what the weights were trained with, order what conv1_1 is to see; both may be
// empty. The file is the source's to close, unless there is an error.
func recognised(tensors weights.Tensors, preprocess, order string) (*weights.Source, error) {
	source, err := weights.Recognise(tensors)
	if err != nil {
		return nil, err
	}
	return source, settlePixels(source, preprocess, order)
}

// settlePixels says how the weights see an image, and turns their channels.
func settlePixels(source *weights.Source, preprocess, order string) error {
	if preprocess != "" {
		if err := source.SetPixels(preprocess); err != nil {
			return err
		}
	}
	switch pixels := source.Pixels(); {
	case order == "" || order == pixels.Order:
		return nil
	case pixels.Why == "":
		return usageError(fmt.Errorf("%s does not say in which order its channels are, so they cannot be turned to %s: say what it was trained with, one of %s",
			source.Path(), order, strings.Join(weights.PreprocessNames(), ", ")))
	}
	source.Reverse()
	return nil
}

// modelOf puts what the file tells of its network into a configuration. What it does not
// tell stays.
func modelOf(source *weights.Source, m train.ModelConfig) train.ModelConfig {
	k := source.Kind()
	m.Encoder, m.Width = k.Encoder, k.Width
	if k.Head > 0 {
		m.Head = k.Head
	}
	if k.Classes > 0 {
		m.Arch, m.Classes, m.Upsample = k.Arch, k.Classes, k.Upsample
		// The names of PyTorch and Chainer do not tell an at-once net.
		if source.Family() == "caffe" {
			m.AtOnce = k.AtOnce
		}
	}
	if geometry := source.Geometry(); geometry != "" {
		m.Geometry = geometry
	}
	return m
}

// partsOf lists the parts of a network that the file has; nil means all.
func partsOf(source *weights.Source) []string {
	switch k := source.Kind(); {
	case k.Classes > 0:
		return nil
	case k.Head > 0:
		return []string{models.PartEncoder, models.PartHead}
	}
	return []string{models.PartEncoder}
}

// foreignConfig is the configuration of a foreign network as far as it is known.
func foreignConfig(source *weights.Source, base train.Config) train.Config {
	base.Model = modelOf(source, base.Model)
	if pixels := source.Pixels(); pixels.Why != "" {
		base.Preprocess = train.PreprocessConfig(pixels.Preprocess)
	}
	return base
}

// sourceSummary is one line of what the file is: "torchvision's names, vgg16, width 64,
// head 4096".
func sourceSummary(source *weights.Source) string {
	k := source.Kind()
	parts := []string{source.Family() + "'s names", k.Encoder, fmt.Sprintf("width %d", k.Width)}
	if k.Head > 0 {
		parts = append(parts, fmt.Sprintf("head %d", k.Head))
	}
	if k.Classes > 0 {
		parts = append(parts, k.Arch, fmt.Sprintf("%d classes", k.Classes), k.Upsample+" upsampling")
	}
	if k.AtOnce {
		parts = append(parts, "at once")
	}
	if entry := source.Entry(); entry != "" {
		parts = append(parts, "its entry "+entry)
	}
	return strings.Join(parts, ", ")
}

// pixelLines are the [preprocess] section, as it can be put into a file.
func pixelLines(p train.PreprocessConfig) string {
	vector := func(v [3]float64) string {
		text := make([]string, len(v))
		for i, x := range v {
			text[i] = fmt.Sprint(x)
		}
		return strings.Join(text, ", ")
	}
	return fmt.Sprintf("[preprocess]\norder = %q\nscale = %v\nmean = [%s]\nstd = [%s]\n", p.Order, p.Scale, vector(p.Mean), vector(p.Std))
}

// pixelFlags are the same as flags.
func pixelFlags(p train.PreprocessConfig) string {
	vector := func(v [3]float64) string { return fmt.Sprintf("%v,%v,%v", v[0], v[1], v[2]) }
	return fmt.Sprintf("--set preprocess.order=%s --set preprocess.scale=%v --set preprocess.mean=%s --set preprocess.std=%s",
		p.Order, p.Scale, vector(p.Mean), vector(p.Std))
}
