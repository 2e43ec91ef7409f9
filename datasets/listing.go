package datasets

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

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
	for id, file := range images {
		p := pair{id: id, image: file.name}
		switch mask, ok := masks[id]; {
		case file.err != nil:
			p.broken = &SampleError{id, s.path(file.name), file.err}
		case !ok:
			p.broken = &SampleError{id, s.path(p.image), fmt.Errorf("no mask for this image; it would be %s", Printable(s.path(path.Join(maskDir, id+".png"))))}
		case mask.err != nil:
			p.broken = &SampleError{id, s.path(mask.name), mask.err}
		default:
			p.mask = mask.name
		}
		s.list = append(s.list, p)
	}
	for id, file := range masks {
		if _, ok := images[id]; ok {
			continue
		}
		if file.err == nil {
			file.err = fmt.Errorf("no image for this mask in %s", s.path(imageDir))
		}
		s.list = append(s.list, pair{id: id, broken: &SampleError{id, s.path(file.name), file.err}})
	}
	slices.SortFunc(s.list, func(a, b pair) int { return strings.Compare(a.id, b.id) })
	return nil
}

// found is the file that a directory has under one name without extension.
type found struct {
	name  string // its path below the data set's directory
	err   error  // why it cannot be used
	first string // the first by their names of those that there are; its own where it is alone
}

// maxListed bounds the files of a directory, and with them the memory of a list: about
// half a kilobyte a file. Millions of files belong into several data sets.
const maxListed = 10_000_000

// maxNested bounds how deep directories are searched; each level is opened by way of
// all those above it.
const maxNested = 64

// walk finds the image files below a directory, by their path in it without the
// extension. Hidden files and those that file managers leave behind are passed
// over. Links to files are followed, within the data set's directory; links to
// directories are not, so that a loop of them ends.
func (s *pairs) walk(dir string) (map[string]found, error) {
	all := map[string]found{}
	listed := 0
	for left := []string{dir}; len(left) > 0; {
		next := left[len(left)-1]
		left = left[:len(left)-1]
		err := s.entries(next, func(entry fs.DirEntry) error {
			if listed++; listed > maxListed {
				return fmt.Errorf("more than %d files; make several data sets of them", maxListed)
			}
			name, base := next+"/"+entry.Name(), entry.Name()
			switch {
			case strings.HasPrefix(base, "."), base == "Thumbs.db", base == "desktop.ini":
				return nil
			case entry.IsDir() && strings.Count(name, "/")-strings.Count(dir, "/") > maxNested:
				return fmt.Errorf("directories more than %d deep", maxNested)
			case entry.IsDir():
				left = append(left, name)
				return nil
			}
			s.put(all, dir, name)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// entries calls see for what is in a directory, in the order of the disk: to sort a
// million names of which the half is passed over would double the memory.
func (s *pairs) entries(dir string, see func(fs.DirEntry) error) error {
	fail := func(err error) error { return fmt.Errorf("%s: %w", Printable(s.path(dir)), plainPathError(err)) }
	open, err := s.root.Open(dir)
	if err != nil {
		return fail(err)
	}
	defer open.Close()
	for {
		some, err := open.ReadDir(1024)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fail(err)
		}
		for _, entry := range some {
			if err := see(entry); err != nil {
				return fail(err)
			}
		}
	}
}

// put puts the file name, which is somewhere below dir, into all.
func (s *pairs) put(all map[string]found, dir, name string) {
	file := found{name: name, first: name}
	id := strings.TrimPrefix(name, dir+"/")
	if info, err := s.root.Stat(name); err != nil {
		file.err = plainPathError(err)
	} else if info.IsDir() {
		file.err = errors.New("a link to a directory, which is not followed")
	} else {
		file.err = mustBeRegular(info)
	}
	// A file of another kind keeps its extension, and so is no part of a pair.
	if extension := path.Ext(id); slices.Contains(imageExtensions, strings.ToLower(extension)) {
		id = strings.TrimSuffix(id, extension)
	} else if file.err == nil {
		file.err = fmt.Errorf("not a file that is read here (%s)", strings.Join(imageExtensions, " "))
	}
	// Of several with one name it is the last that is complained of, and the first that
	// is named: the order of the disk must not show.
	if other, twice := all[id]; twice {
		first := min(file.first, other.first)
		if other.name > file.name {
			file = other
		}
		file.first, file.err = first, fmt.Errorf("%s has the same name", Printable(s.path(first)))
	}
	all[id] = file
}

// isDir tells whether there is a directory of that name.
func isDir(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// readText reads a short text file of the data set. A file that is not there is
// missing, and no error.
func readText(root *os.Root, name string, limit int64) (text []byte, missing bool, err error) {
	file, err := openRegular(root.Stat, root.OpenFile, name)
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
