package datasets

import (
	"encoding/binary"
	"fmt"
	"hash"
	"image/color"
	"math/rand/v2"
	"strconv"
	"strings"
)

// shapes is the data set that needs no files: pictures of a few simple things on
// textured backgrounds, drawn when they are asked for. Sample i of a split is a
// function of the options, the split and i.
type shapes struct {
	n       int
	h, w    int
	seed    int64
	split   string
	classes []Class
}

// shapesVersion goes into every seed and digest. Whoever changes a pixel of the
// drawing raises it, so that a resumed run notices.
const shapesVersion = 1

// shapeClasses has the background first; the others are in the order of the kinds
// in shapes_draw.go.
func shapeClasses() []Class {
	return []Class{
		{"background", color.RGBA{40, 40, 48, 255}},
		{"disc", color.RGBA{230, 80, 70, 255}},
		{"box", color.RGBA{240, 190, 60, 255}},
		{"triangle", color.RGBA{90, 190, 90, 255}},
		{"line", color.RGBA{70, 190, 210, 255}},
		{"ring", color.RGBA{90, 110, 230, 255}},
		{"cross", color.RGBA{200, 90, 200, 255}},
	}
}

func shapesSplits(Spec) ([]string, error) { return []string{Train, Val, Test}, nil }

// openShapes knows the options n (training samples), val_n (validation and test
// samples), size (HxW), seed, and classes (2 to 7, with the background).
func openShapes(spec Spec, split string) (Source, error) {
	s := &shapes{split: split, h: 96, w: 96, classes: shapeClasses()}
	trainN, err := spec.intOption("n", 2000, 1, 1<<31-1)
	if err != nil {
		return nil, err
	}
	valN, err := spec.intOption("val_n", 100, 1, 1<<31-1)
	if err != nil {
		return nil, err
	}
	s.n = int(valN)
	if split == Train {
		s.n = int(trainN)
	}
	if s.seed, err = spec.intOption("seed", 0, 0, 1<<62); err != nil {
		return nil, err
	}
	classes, err := spec.intOption("classes", int64(len(s.classes)), 2, int64(len(s.classes)))
	if err != nil {
		return nil, err
	}
	s.classes = s.classes[:classes]
	if size, ok := spec.Options["size"]; ok {
		if s.h, s.w, err = parseSize(size, 16, 4096); err != nil {
			return nil, &SpecError{spec.String(), err}
		}
	}
	return s, nil
}

// parseSize reads "HxW", each from lo to hi.
func parseSize(text string, lo, hi int) (h, w int, err error) {
	rows, columns, ok := strings.Cut(text, "x")
	h, errH := strconv.Atoi(rows)
	w, errW := strconv.Atoi(columns)
	if !ok || errH != nil || errW != nil || min(h, w) < lo || max(h, w) > hi {
		return 0, 0, fmt.Errorf("size=%s is not HEIGHTxWIDTH, like 96x128, each from %d to %d", text, lo, hi)
	}
	return h, w, nil
}

// Len implements [Source].
func (s *shapes) Len() int { return s.n }

// Classes implements [Source].
func (s *shapes) Classes() []Class { return s.classes }

// Size implements [Source].
func (s *shapes) Size(int) (h, w int, err error) { return s.h, s.w, nil }

// At implements [Source].
func (s *shapes) At(i int) (Sample, error) {
	c := newCanvas(s.h, s.w, s.random(i))
	c.drawScene(len(s.classes))
	return Sample{ID: fmt.Sprintf("%s-%06d", s.split, i), Image: c.image, Label: c.label}, nil
}

// random is the sample's own stream of chance. ChaCha8 keyed with everything that
// tells samples apart makes the streams of train and val unrelated, however alike
// their numbers are.
func (s *shapes) random(i int) *rand.Rand {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], uint64(s.seed))
	binary.LittleEndian.PutUint64(key[8:], uint64(i))
	copy(key[16:24], s.split)
	binary.LittleEndian.PutUint64(key[24:], shapesVersion)
	return rand.New(rand.NewChaCha8(key))
}

func (s *shapes) digest(to hash.Hash) {
	fmt.Fprintf(to, "shapes %d: %d %dx%d %d %s %d\n", shapesVersion, s.n, s.h, s.w, s.seed, s.split, len(s.classes))
}
