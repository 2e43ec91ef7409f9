package datasets

import (
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pair is an image and its mask, as paths below the data set's directory. A pair
// that the listing found to be broken stays in the list with its error, so that
// it is reported like any other.
type pair struct {
	id          string
	image, mask string
	broken      *SampleError
}

// pairs is the [Source] of every data set that is made of files.
type pairs struct {
	dir       string   // as the user wrote it
	root      *os.Root // names in lists and links cannot lead out of it
	list      []pair
	classes   []Class
	void      int // the label that means "ignore" beside 255; negative: none
	maxPixels int64
}

// openPairs opens the directory of a spec; the caller fills in list and classes.
func openPairs(spec Spec) (*pairs, error) {
	maxPixels, err := spec.intOption("max_pixels", DefaultMaxPixels, 1, 1<<40)
	if err != nil {
		return nil, err
	}
	root, err := openDirectory(spec.Path)
	if err != nil {
		return nil, err
	}
	return &pairs{dir: spec.Path, root: root, void: -1, maxPixels: maxPixels}, nil
}

func openDirectory(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	switch {
	case err == nil:
		return root, nil
	case strings.HasPrefix(dir, "~"):
		return nil, fmt.Errorf("%s: there is no such directory: shells leave ~ alone behind a colon; write $HOME instead", dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such directory", dir)
	}
	return nil, fmt.Errorf("%s: %w", dir, plainPathError(err))
}

// Len implements [Source].
func (s *pairs) Len() int { return len(s.list) }

// Classes implements [Source].
func (s *pairs) Classes() []Class { return s.classes }

// Size implements [Source]. It reads both headers, and so finds what can be found
// without decoding: files that are missing, no images or no masks, and sizes that
// differ.
func (s *pairs) Size(i int) (h, w int, err error) {
	img, mask, err := s.open(i)
	if err != nil {
		return 0, 0, err
	}
	defer img.file.Close()
	defer mask.file.Close()
	if err := mask.checkMaskHeader(); err != nil {
		return 0, 0, s.fail(i, s.list[i].mask, err)
	}
	return img.h, img.w, nil
}

// At implements [Source].
func (s *pairs) At(i int) (Sample, error) {
	img, mask, err := s.open(i)
	if err != nil {
		return Sample{}, err
	}
	defer img.file.Close()
	defer mask.file.Close()
	pixels, err := img.pixels()
	if err != nil {
		return Sample{}, s.fail(i, s.list[i].image, err)
	}
	label, err := mask.label(s.classes, s.void)
	if err != nil {
		return Sample{}, s.fail(i, s.list[i].mask, err)
	}
	return Sample{ID: s.list[i].id, Image: toNRGBA(pixels), Label: label}, nil
}

// open reads the headers of a pair and compares their sizes. The caller closes
// both files.
func (s *pairs) open(i int) (img, mask *encoded, err error) {
	p := s.list[i]
	if p.broken != nil {
		return nil, nil, p.broken
	}
	if img, err = s.openFile(p.image); err != nil {
		return nil, nil, s.fail(i, p.image, err)
	}
	if mask, err = s.openFile(p.mask); err != nil {
		img.file.Close()
		return nil, nil, s.fail(i, p.mask, err)
	}
	if img.h != mask.h || img.w != mask.w {
		img.file.Close()
		mask.file.Close()
		return nil, nil, s.fail(i, p.mask, fmt.Errorf("the mask is %dx%d (height x width), the image %s is %dx%d",
			mask.h, mask.w, p.image, img.h, img.w))
	}
	return img, mask, nil
}

func (s *pairs) openFile(name string) (*encoded, error) {
	return openEncoded(func() (*os.File, error) { return openRegular(s.root.Stat, s.root.Open, name) }, s.maxPixels)
}

// fail makes the error of sample i, about the file name below the directory.
func (s *pairs) fail(i int, name string, err error) *SampleError {
	return &SampleError{ID: s.list[i].id, Path: s.path(name), Err: err}
}

func (s *pairs) path(name string) string {
	return filepath.Join(s.dir, filepath.FromSlash(name))
}

// digest hashes what the list says and how long the files are.
func (s *pairs) digest(to hash.Hash) {
	for _, p := range s.list {
		fmt.Fprintf(to, "%q %d %d\n", p.id, s.fileSize(p.image), s.fileSize(p.mask))
	}
}

// fileSize is -1 for a file that is not there.
func (s *pairs) fileSize(name string) int64 {
	info, err := s.root.Stat(name)
	if err != nil {
		return -1
	}
	return info.Size()
}
