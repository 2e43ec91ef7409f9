package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Seg11Valid is the number of images on which the FCN paper's networks are compared:
// those of VOC2011's val list that SBD does not train on.
const Seg11Valid = 736

// seg11Name is what the authors call that list.
const seg11Name = "seg11valid.txt"

// Seg11 says where the user keeps what seg11valid is made from. All but VOC may be
// empty: they are then looked for at their usual places beside it.
type Seg11 struct {
	VOC string // directory with JPEGImages/, SegmentationClass/ and ImageSets/
	IDs string // a list of IDs, one a line
	SBD string // SBD's train.txt, the 8498 IDs of its training set
}

// List returns the IDs to score on, and says where they come from: the list that the
// user names, the authors' own where there is a copy of it, or VOC2011's val less
// SBD's train. A list of the user's may have any length; the other two must have
// [Seg11Valid] IDs, or it is an error that says what was found.
func (s Seg11) List() (ids []string, from string, err error) {
	if s.IDs != "" {
		ids, err := readIDs(s.IDs)
		return ids, s.IDs, err
	}
	own := filepath.Join(s.VOC, filepath.FromSlash(vocLists), seg11Name)
	switch ids, err := readIDs(own); {
	case err == nil && len(ids) != Seg11Valid:
		return nil, "", fmt.Errorf("%s has %d IDs, and seg11valid has %d; mend it, or name your list with --ids", own, len(ids), Seg11Valid)
	case err == nil:
		return ids, own, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}

	val, valPath, err := firstList(s.valLists())
	if err != nil {
		return nil, "", fmt.Errorf("VOC2011's val list was not found (%w); name the IDs with --ids", err)
	}
	train, trainPath, err := firstList(s.trainLists())
	if err != nil {
		return nil, "", fmt.Errorf("seg11valid is VOC2011's val less SBD's train, and SBD's train.txt was not found (%w); name it with --sbd, or the IDs with --ids", err)
	}
	ids = without(val, train)
	if len(ids) != Seg11Valid {
		return nil, "", fmt.Errorf("%s (%d IDs) less %s (%d) leaves %d, and seg11valid has %d: VOC2011's val list and SBD's train.txt are wanted, not VOC2012's; or name the IDs with --ids",
			valPath, len(val), trainPath, len(train), len(ids), Seg11Valid)
	}
	return ids, valPath + " less " + trainPath, nil
}

// valLists are the places of VOC2011's val list: VOC may be a newer year's.
func (s Seg11) valLists() []string {
	list := filepath.Join(filepath.FromSlash(vocLists), Val+".txt")
	return []string{filepath.Join(s.VOC, "..", "VOC2011", list), filepath.Join(s.VOC, list)}
}

// trainLists are the places of SBD's list, as its archive and torchvision unpack it.
func (s Seg11) trainLists() []string {
	if s.SBD != "" {
		return []string{s.SBD}
	}
	var places []string
	for _, base := range []string{s.VOC, filepath.Join(s.VOC, ".."), filepath.Join(s.VOC, "..", "..")} {
		for _, dir := range []string{"benchmark_RELEASE/dataset", "benchmark/dataset", "dataset", "sbd", "SBD"} {
			places = append(places, filepath.Join(base, filepath.FromSlash(dir), Train+".txt"))
		}
	}
	return places
}

// firstList reads the first list that is there.
func firstList(places []string) (ids []string, place string, err error) {
	for _, place := range places {
		ids, err := readIDs(place)
		if !errors.Is(err, fs.ErrNotExist) {
			return ids, place, err
		}
	}
	return nil, "", fmt.Errorf("it would be %s", places[0])
}

// without returns the IDs of all that are not among some, in their order.
func without(all, some []string) []string {
	drop := make(map[string]bool, len(some))
	for _, id := range some {
		drop[id] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return drop[id] })
}

// readIDs reads one ID a line.
func readIDs(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxListBytes {
		return nil, fmt.Errorf("%s is no list of IDs", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(string(text))
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: no names in it", path)
	}
	return ids, nil
}
