package main

import (
	"errors"
	"fmt"
	"image"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/predict"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/score"
)

const (
	// previewDir is where pictures are, below the run directory.
	previewDir = "preview"
	// previewLimit is of how many evaluations the pictures are kept.
	previewLimit = 200
)

// previewer keeps small pictures of a few validation samples, the same at each
// evaluation of a run and of those that go on with it. It implements
// [train.Previewer]. Drawing happens while an evaluation goes on, so that what is
// held meanwhile is small pictures and no masks of any size.
type previewer struct {
	run    *trainRun
	warn   func(string)
	warned bool
	shown  []*previewSample
	by     map[int]*previewSample // their index in the validation set
	// results are the names of the files that Preview writes, with the step in them.
	results *regexp.Regexp
}

// previewSample is one of them.
type previewSample struct {
	told event.PreviewImage // its ID and Truth are the same at each evaluation
	name string             // in the names of its files
	// result is the picture of the evaluation at hand; nil: not drawn.
	result *image.RGBA
}

// openPreviews chooses count samples, spread evenly over those of the validation set
// that have labels, and draws their truth. It returns nil where nothing is to be
// shown.
func openPreviews(run *trainRun, count int, warn func(string)) train.Previewer {
	p := &previewer{run: run, warn: warn, by: map[int]*previewSample{}, results: regexp.MustCompile(`^step-(\d{12,})-\d+\.png$`)}
	places := evenly(run.data.samples.Len(), count)
	if len(places) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Join(run.Dir, previewDir), 0o777); err != nil {
		p.fail(err)
		return nil
	}
	places = append(places, run.data.samples.Len())
	for i, place := range places[:len(places)-1] {
		// One without labels is replaced by one behind it.
		for index := place; index < places[i+1]; index++ {
			s, truth, err := p.open(index)
			if err != nil {
				p.fail(err)
				continue
			}
			if s == nil {
				continue
			}
			// Where one picture finds no place none will, and to look for a sample whose
			// does would mean to decode the whole set.
			if err := p.write(s.told.Truth, truth); err != nil {
				p.fail(err)
				return nil
			}
			p.shown, p.by[index] = append(p.shown, s), s
			break
		}
	}
	if len(p.shown) == 0 {
		return nil
	}
	return p
}

// evenly are k indices below n, the first and the last among them; all where there
// are fewer than k.
func evenly(n, k int) []int {
	k = min(n, k)
	if k == 1 {
		return []int{0}
	}
	var places []int
	for i := range k {
		places = append(places, i*(n-1)/(k-1))
	}
	return places
}

// open draws the truth of a sample; nil where it has none. A sample's files are
// named by its index, because an ID can hold anything.
func (p *previewer) open(index int) (*previewSample, *image.RGBA, error) {
	sample, err := p.run.data.samples.At(index)
	if err != nil || sample.Label == nil || isUnlabelled(pixelsOf(sample.Label)) {
		return nil, nil, err
	}
	name := fmt.Sprint(index)
	s := &previewSample{name: name, told: event.PreviewImage{ID: sample.ID, Truth: path.Join(previewDir, name+".png")}}
	return s, predict.PreviewTruth(sample.Image, sample.Label, p.run.data.classes), nil
}

// Wants implements [train.Watcher].
func (p *previewer) Wants(b *datasets.Batch) bool {
	for _, index := range b.Indices {
		if p.by[index] != nil {
			return true
		}
	}
	return false
}

// See implements [train.Watcher].
func (p *previewer) See(b *datasets.Batch, masks []uint8) {
	for i, index := range b.Indices {
		if s := p.by[index]; s != nil {
			if err := s.see(maskOf(b, b.Labels, i), maskOf(b, masks, i), p.run.data.classes); err != nil {
				p.fail(err)
			}
		}
	}
}

// see measures at full size, and draws.
func (s *previewSample) see(truth, prediction *image.Gray, classes []datasets.Class) error {
	s.result = nil
	size := truth.Rect.Size()
	labels, taken := pixelsOf(truth), pixelsOf(prediction)
	outcomes, err := score.Errors(labels, taken, size.Y, size.X)
	if err != nil {
		return err
	}
	confusion := score.New(len(classes))
	if err := confusion.Observe(labels, taken); err != nil {
		return err
	}
	s.told.Errors, s.told.Boundary, s.told.Worst = outcomes.Share(), outcomes.BorderShare(), ""
	if worst, ok := confusion.Worst(); ok {
		s.told.Worst = classes[worst].Name
	}
	s.result = predict.PreviewResult(prediction, outcomes, classes)
	return nil
}

// Preview implements [train.Previewer].
func (p *previewer) Preview(step int64) (event.Preview, bool) {
	var record event.Preview
	for _, s := range p.shown {
		if s.result == nil {
			continue
		}
		told := s.told
		told.Result = path.Join(previewDir, fmt.Sprintf("step-%012d-%s.png", step, s.name))
		err := p.write(told.Result, s.result)
		s.result = nil
		if err != nil {
			p.fail(err)
			continue
		}
		record.Images = append(record.Images, told)
	}
	if err := p.thin(); err != nil {
		p.fail(err)
	}
	return record, len(record.Images) > 0
}

// thin removes results where there are more than previewLimit: of the older half
// every other evaluation's, so that what is left is the denser the newer it is and
// the first one stays.
func (p *previewer) thin() error {
	entries, err := os.ReadDir(filepath.Join(p.run.Dir, previewDir))
	if err != nil {
		return err
	}
	var steps []string // in order, as the names are
	files := map[string][]string{}
	for _, e := range entries {
		name := p.results.FindStringSubmatch(e.Name())
		if name == nil {
			continue
		}
		if files[name[1]] == nil {
			steps = append(steps, name[1])
		}
		files[name[1]] = append(files[name[1]], e.Name())
	}
	if len(steps) <= previewLimit {
		return nil
	}
	var errs []error
	for i := 1; i < len(steps)/2; i += 2 {
		for _, name := range files[steps[i]] {
			errs = append(errs, os.Remove(filepath.Join(p.run.Dir, previewDir, name)))
		}
	}
	return errors.Join(errs...)
}

// write puts a picture at a path below the run directory.
func (p *previewer) write(name string, picture *image.RGBA) error {
	return predict.WritePreview(filepath.Join(p.run.Dir, filepath.FromSlash(name)), picture)
}

// fail warns, once: what keeps one picture away keeps most of them away.
func (p *previewer) fail(err error) {
	if !p.warned {
		p.warned = true
		p.warn(fmt.Sprintf("pictures of the validation set are missing, the run goes on without them: %v", err))
	}
}

// pixelsOf is what a mask holds, row by row without gaps.
func pixelsOf(mask *image.Gray) []uint8 {
	size := mask.Rect.Size()
	pixels := make([]uint8, 0, size.X*size.Y)
	for y := range size.Y {
		pixels = append(pixels, mask.Pix[y*mask.Stride:][:size.X]...)
	}
	return pixels
}

func isUnlabelled(labels []uint8) bool {
	for _, label := range labels {
		if label != datasets.Ignore {
			return false
		}
	}
	return true
}
