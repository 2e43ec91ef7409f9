package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const (
	vocImages = "JPEGImages"
	vocMasks  = "SegmentationClass"
	vocLists  = "ImageSets/Segmentation"

	maxListBytes = 64 << 20
)

// vocNames are the classes of PASCAL VOC in label order.
//
// Source: Everingham et al., The PASCAL Visual Object Classes Challenge 2012.
const vocNames = "background aeroplane bicycle bird boat bottle bus car cat chair cow " +
	"diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor"

func vocClasses() []Class {
	var classes []Class
	for i, name := range strings.Fields(vocNames) {
		classes = append(classes, Class{name, VOCColor(uint8(i))})
	}
	return classes
}

// vocList names the list of a split below ImageSets/Segmentation.
func vocList(spec Spec, split string) (string, error) {
	list := split
	if name, ok := spec.Options[split]; ok {
		list = name
	}
	name := path.Join(vocLists, list+".txt")
	if !fs.ValidPath(name) || strings.Contains(list, "/") {
		return "", &SpecError{spec.String(), fmt.Errorf("%s=%s is no name of a list in %s", split, list, vocLists)}
	}
	return name, nil
}

// vocSplits lists the splits that have a list. The masks of most test sets were
// never published: test counts where the first of its masks is there.
func vocSplits(spec Spec) ([]string, error) {
	root, err := openDirectory(spec.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if !isDir(root, vocImages) {
		hint := ""
		for _, below := range []string{"VOC2012", "VOCdevkit/VOC2012"} {
			if isDir(root, path.Join(below, vocImages)) {
				hint = fmt.Sprintf("; did you mean voc:%s?", path.Join(spec.Path, below))
			}
		}
		return nil, fmt.Errorf("%s: not VOC2012, which has %s/, %s/ and %s/%s", spec.Path, vocImages, vocMasks, vocLists, hint)
	}
	var there []string
	for _, split := range []string{Train, Val, Test} {
		list, err := vocList(spec, split)
		if err != nil {
			return nil, err
		}
		text, missing, err := readText(root, list, maxListBytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Path, err)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		_, err = root.Stat(path.Join(vocMasks, strings.TrimSpace(first)+".png"))
		if !missing && (split != Test || err == nil) {
			there = append(there, split)
		} else if missing && spec.Options[split] != "" {
			return nil, fmt.Errorf("%s: %s=%s needs the list %s, which is not there", spec.Path, split, spec.Options[split], list)
		}
	}
	if there == nil {
		return nil, fmt.Errorf("%s: no train.txt or val.txt in %s", spec.Path, vocLists)
	}
	return there, nil
}

// openVOC reads the layout of VOC2012: ImageSets/Segmentation/train.txt names the
// files of JPEGImages and SegmentationClass. ?train=trainval takes another list
// for training, ?val=seg11valid for scoring. Masks are paletted PNG of 21 classes;
// 255 is the border of objects.
func openVOC(spec Spec, split string) (Source, error) {
	s, err := openPairs(spec)
	if err != nil {
		return nil, err
	}
	s.classes = vocClasses()
	list, err := vocList(spec, split)
	if err != nil {
		return nil, err
	}
	text, missing, err := readText(s.root, list, maxListBytes)
	if missing {
		err = fmt.Errorf("%s: %w", list, errors.New("there is no such file"))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Path, err)
	}
	s.list = parseVOCList(s.path(list), string(text))
	if len(s.list) == 0 {
		return nil, fmt.Errorf("%s: no names in it", s.path(list))
	}
	return s, nil
}

// OpenVOC opens those samples of a directory in VOC's layout that ids names, in that
// order. from is where the list comes from, for messages.
func OpenVOC(dir string, ids []string, from string) (Source, error) {
	s, err := openPairs(Spec{Kind: "voc", Path: dir})
	if err != nil {
		return nil, err
	}
	if !isDir(s.root, vocImages) {
		return nil, fmt.Errorf("%s: not VOC's layout: there is no %s/", dir, vocImages)
	}
	s.classes = vocClasses()
	s.list = parseVOCList(from, strings.Join(ids, "\n"))
	return s, nil
}

// parseVOCList reads one ID a line. Whether the files are there shows when they are
// opened.
func parseVOCList(list, text string) []pair {
	line := map[string]int{}
	var all []pair
	for i, id := range strings.Split(text, "\n") {
		id = strings.TrimSpace(id)
		if id == "" {
			continue
		}
		p := pair{id: id, image: path.Join(vocImages, id+".jpg"), mask: path.Join(vocMasks, id+".png")}
		if first, twice := line[id]; twice {
			p.broken = &SampleError{id, list, fmt.Errorf("line %d names %s, as line %d does", i+1, id, first)}
		} else {
			line[id] = i + 1
		}
		all = append(all, p)
	}
	return all
}
