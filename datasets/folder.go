package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	folderImages = "images"
	folderMasks  = "masks"
)

// folderLayout tells whether a folder is flat, with images/ and masks/ in it, or
// has those two in each of train/, val/ and test/, and which of these.
func folderLayout(root *os.Root, dir string) (flat bool, splits []string, err error) {
	flat = isDir(root, folderImages)
	for _, split := range []string{Train, Val, Test} {
		if isDir(root, path.Join(split, folderImages)) {
			splits = append(splits, split)
		}
	}
	switch {
	case flat && splits != nil:
		err = fmt.Errorf("%s: has both images/ and %s/images/; keep one of the two layouts", dir, splits[0])
	case !flat && splits == nil:
		err = fmt.Errorf("%s: no images/ and masks/ there, nor train/images/ and train/masks/%s", dir, otherLayout(root, dir))
	}
	for _, place := range places(flat, splits) {
		if err == nil && !isDir(root, path.Join(place, folderMasks)) {
			err = fmt.Errorf("%s: no masks/ beside images/", path.Join(dir, place))
		}
	}
	return flat, splits, err
}

// otherLayout is a hint when a directory has the layout of another kind.
func otherLayout(root *os.Root, dir string) string {
	switch {
	case isDir(root, "trainannot"):
		return fmt.Sprintf("; did you mean camvid:%s?", dir)
	case isDir(root, vocImages):
		return fmt.Sprintf("; did you mean voc:%s?", dir)
	}
	return ""
}

// places are the directories that hold images/ and masks/.
func places(flat bool, splits []string) []string {
	if flat {
		return []string{"."}
	}
	return splits
}

// holdOut is the share of train that ?val= makes the val split; 0: none.
func holdOut(spec Spec) (float64, error) {
	text, ok := spec.Options["val"]
	if !ok {
		return 0, nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(share) || share <= 0 || share >= 1 {
		return 0, &SpecError{spec.String(), fmt.Errorf("val=%s is not a share of the images between 0 and 1, like 0.1", text)}
	}
	return share, nil
}

func folderSplits(spec Spec) ([]string, error) {
	root, err := openDirectory(spec.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	flat, splits, err := folderLayout(root, spec.Path)
	if err != nil {
		return nil, err
	}
	share, err := holdOut(spec)
	if err != nil {
		return nil, err
	}
	if flat {
		splits = []string{Train}
	}
	if share == 0 {
		return splits, nil
	}
	problem := ""
	switch {
	case slices.Contains(splits, Val):
		problem = "a val split"
	case !slices.Contains(splits, Train):
		problem = "no train split"
	}
	if problem != "" {
		return nil, &SpecError{spec.String(), fmt.Errorf("val=%s holds out a part of train, but there is %s; leave the option out", spec.Options["val"], problem)}
	}
	return slices.Insert(splits, 1, Val), nil
}

// openFolder reads images/ and masks/ below DIR or DIR/split: pairs with the same
// name but for the extension, in subdirectories too. The names of the classes are
// in DIR/classes.txt; without it, and without ?classes=N, every mask of every
// split is read to find the highest label.
func openFolder(spec Spec, split string) (Source, error) {
	s, err := openPairs(spec)
	if err != nil {
		return nil, err
	}
	share, err := holdOut(spec)
	if err != nil {
		return nil, err
	}
	flat, splits, err := folderLayout(s.root, s.dir)
	if err != nil {
		return nil, err
	}
	if err := s.findClasses(spec, places(flat, splits)); err != nil {
		return nil, err
	}
	place := split
	switch {
	case flat:
		place = "."
	case split == Val && share > 0:
		place = Train
	}
	if err := s.pairUp(path.Join(place, folderImages), path.Join(place, folderMasks)); err != nil {
		return nil, err
	}
	if share == 0 || split == Test {
		return s, nil
	}
	all := len(s.list)
	s.list = slices.DeleteFunc(s.list, func(p pair) bool { return heldOut(p.id, share) != (split == Val) })
	if len(s.list) == 0 && all > 0 {
		return nil, fmt.Errorf("%s: a hold-out of %g leaves nothing of %d images for %s; choose another share", s.dir, share, all, split)
	}
	return s, nil
}

// heldOut draws a number between 0 and 1 from the ID alone, so that a sample
// stays on its side when others are added or the directory moves.
func heldOut(id string, share float64) bool {
	sum := sha256.Sum256([]byte(id))
	return float64(binary.BigEndian.Uint64(sum[:]))/(1<<64) < share
}

// findClasses takes the classes from classes.txt, from ?classes=N, or from the
// masks in the given directories.
func (s *pairs) findClasses(spec Spec, places []string) error {
	number, err := spec.intOption("classes", 0, 1, maxClasses)
	if err != nil {
		return err
	}
	text, missing, err := readText(s.root, classesFile, 64<<10)
	if err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	switch {
	case !missing && number > 0:
		return &SpecError{spec.String(), fmt.Errorf("classes=%d, but %s says what the classes are; leave the option out", number, s.path(classesFile))}
	case !missing:
		if s.classes, err = ParseClasses(text); err != nil {
			return fmt.Errorf("%s: %w", s.dir, err)
		}
		return nil
	case number > 0:
		s.classes = numberedClasses(int(number))
		return nil
	}
	return s.findClassesInMasks(places)
}

// findClassesInMasks takes as many classes as the highest label asks for. Masks
// that cannot be read are passed over here: they are errors of their samples.
func (s *pairs) findClassesInMasks(places []string) error {
	var mu sync.Mutex
	var seen [256]bool
	broken := 0
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, place := range places {
		masks, err := s.walk(path.Join(place, folderMasks))
		if err != nil {
			return err
		}
		for _, f := range masks {
			group.Go(func() error {
				labels, err := s.labelsIn(f)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					broken++
				}
				for v, there := range labels {
					seen[v] = seen[v] || there
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	classes := 0
	for v := range Ignore {
		if seen[v] {
			classes = v + 1
		}
	}
	switch {
	case classes < 2 && broken == 0 && seen[Ignore]:
		return fmt.Errorf("%s: the masks hold the label 0 and 255 only, and 255 is ignored: write 1 where the object is (0 background, 1 object)", s.dir)
	case classes == 0 && broken == 0:
		return fmt.Errorf("%s: there are no masks", s.dir)
	case classes < 2 && broken == 0:
		return fmt.Errorf("%s: the masks hold no label but 0, and there is nothing to learn; with %s or ?classes=N they are not searched", s.dir, classesFile)
	}
	s.classes = numberedClasses(classes)
	return nil
}

// labelsIn tells which labels are in one mask.
func (s *pairs) labelsIn(f found) (labels [256]bool, err error) {
	if f.err != nil {
		return labels, f.err
	}
	mask, err := s.openFile(f.name)
	if err != nil {
		return labels, err
	}
	defer mask.file.Close()
	if err := mask.checkMaskHeader(); err != nil {
		return labels, err
	}
	err = s.decoding.Decode(mask.h, mask.w, func() error {
		img, err := mask.pixels()
		if err != nil {
			return err
		}
		label, err := indices(img, mask.head.depth())
		if err != nil {
			return err
		}
		for _, v := range label.Pix {
			labels[v] = true
		}
		return nil
	})
	return labels, err
}
