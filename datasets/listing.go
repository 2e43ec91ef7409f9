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
			p.broken = &SampleError{id, s.path(p.image), fmt.Errorf("no mask for this image; it would be %s", s.path(path.Join(maskDir, id+".png")))}
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
	name string // its path below the data set's directory
	err  error  // why it cannot be used
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
		file := found{name: name}
		id := strings.TrimPrefix(name, dir+"/")
		switch info, err := s.root.Stat(name); {
		case err != nil:
			file.err = plainPathError(err)
		case info.IsDir():
			file.err = errors.New("a link to a directory, which is not followed")
		case !info.Mode().IsRegular():
			file.err = errors.New("not a regular file")
		}
		// A file of another kind keeps its extension, and so is no part of a pair.
		if extension := path.Ext(id); slices.Contains(imageExtensions, strings.ToLower(extension)) {
			id = strings.TrimSuffix(id, extension)
		} else if file.err == nil {
			file.err = fmt.Errorf("not a file that is read here (%s)", strings.Join(imageExtensions, " "))
		}
		if other, twice := all[id]; twice {
			file.err = fmt.Errorf("%s has the same name", s.path(other.name))
		}
		all[id] = file
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
