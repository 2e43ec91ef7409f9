package datasets

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
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

// imageExtensions are the files that count as images and masks; what is in them
// is told by their first bytes.
var imageExtensions = []string{".png", ".jpg", ".jpeg", ".bmp", ".webp"}

// pairUp lists the images below imageDir and their masks below maskDir, which
// have the same name but for the extension, sorted by that name. What fits no
// pair is in the list too, broken.
func (s *pairs) pairUp(imageDir, maskDir string) error {
	images, err := s.walk(imageDir)
	if err != nil {
		return err
	}
	masks, err := s.walk(maskDir)
	if err != nil {
		return err
	}
	for id, found := range images {
		p := pair{id: id, image: found.names[0]}
		switch mask, ok := masks[id]; {
		case found.err != nil:
			p.broken = &SampleError{id, s.path(p.image), found.err}
		case !ok:
			p.broken = &SampleError{id, s.path(p.image), fmt.Errorf("no mask for this image; it would be %s", s.path(path.Join(maskDir, id+".png")))}
		case mask.err != nil:
			p.broken = &SampleError{id, s.path(mask.names[0]), mask.err}
		default:
			p.mask = mask.names[0]
		}
		s.list = append(s.list, p)
	}
	for id, found := range masks {
		if _, ok := images[id]; ok {
			continue
		}
		if found.err == nil {
			found.err = fmt.Errorf("no image for this mask in %s", s.path(imageDir))
		}
		s.list = append(s.list, pair{id: id, broken: &SampleError{id, s.path(found.names[0]), found.err}})
	}
	slices.SortFunc(s.list, func(a, b pair) int { return strings.Compare(a.id, b.id) })
	return nil
}

// found is what a directory has under one name without extension.
type found struct {
	names []string // paths below the data set's directory
	err   error
}

// walk finds the image files below a directory, by their path in it without the
// extension. Hidden files and those that file managers leave behind are passed
// over. Links to files are followed, within the data set's directory; links to
// directories are not, so that a loop of them ends.
func (s *pairs) walk(dir string) (map[string]found, error) {
	all := map[string]found{}
	err := fs.WalkDir(s.root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", s.path(name), plainPathError(err))
		}
		base := entry.Name()
		switch {
		case name == dir:
			return nil
		case strings.HasPrefix(base, ".") && entry.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(base, "."), base == "Thumbs.db", base == "desktop.ini", entry.IsDir():
			return nil
		}
		extension := path.Ext(name)
		id := strings.TrimPrefix(strings.TrimSuffix(name, extension), dir+"/")
		f := all[id]
		f.names = append(f.names, name)
		switch info, err := s.root.Stat(name); {
		case err != nil:
			f.err = plainPathError(err)
		case info.IsDir():
			f.err = errors.New("a link to a directory, which is not followed")
		case !info.Mode().IsRegular():
			f.err = errors.New("not a regular file")
		case !slices.Contains(imageExtensions, strings.ToLower(extension)):
			f.err = fmt.Errorf("not a file that is read here (%s)", strings.Join(imageExtensions, " "))
		case len(f.names) > 1:
			f.err = fmt.Errorf("%s has the same name", s.path(f.names[0]))
		}
		all[id] = f
		return nil
	})
	return all, err
}

// isDir tells whether there is a directory of that name.
func isDir(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// readText reads a short text file of the data set. A file that is not there is
// missing, and no error.
func readText(root *os.Root, name string, limit int64) (text []byte, missing bool, err error) {
	file, err := openRegular(root.Stat, root.Open, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true, nil
	}
	if err == nil {
		defer file.Close()
		text, err = io.ReadAll(io.LimitReader(file, limit+1))
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", name, plainPathError(err))
	}
	if int64(len(text)) > limit {
		return nil, false, fmt.Errorf("%s: more than %d bytes; that is no list of names", name, limit)
	}
	return text, false, nil
}
