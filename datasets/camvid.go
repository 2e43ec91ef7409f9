package datasets

import (
	"fmt"
	"image/color"
)

// camvidVoid is the label of pixels without a class.
const camvidVoid = 11

// camvidClasses are those of SegNet's version of CamVid, in the order of its
// masks, with the colours of its pictures.
//
// Source: Badrinarayanan, Kendall, Cipolla: SegNet (2015), and its tutorial.
func camvidClasses() []Class {
	return []Class{
		{"sky", color.RGBA{128, 128, 128, 255}},
		{"building", color.RGBA{128, 0, 0, 255}},
		{"pole", color.RGBA{192, 192, 128, 255}},
		{"road", color.RGBA{128, 64, 128, 255}},
		{"pavement", color.RGBA{60, 40, 222, 255}},
		{"tree", color.RGBA{128, 128, 0, 255}},
		{"signsymbol", color.RGBA{192, 128, 128, 255}},
		{"fence", color.RGBA{64, 64, 128, 255}},
		{"car", color.RGBA{64, 0, 128, 255}},
		{"pedestrian", color.RGBA{64, 64, 0, 255}},
		{"bicyclist", color.RGBA{0, 128, 192, 255}},
	}
}

// camvidSplits lists the splits of DIR that have both train/ and trainannot/.
func camvidSplits(spec Spec) ([]string, error) {
	root, err := openDirectory(spec.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var there []string
	for _, split := range []string{Train, Val, Test} {
		if isDir(root, split) && isDir(root, split+"annot") {
			there = append(there, split)
		}
	}
	if there == nil {
		return nil, fmt.Errorf("%s: not CamVid as in the SegNet tutorial, which has train/ and trainannot/, val/ and valannot/", spec.Path)
	}
	return there, nil
}

// openCamVid reads DIR/train and DIR/trainannot, and so on, as the SegNet tutorial
// lays them out: masks are PNG of 11 classes, where 11 is void.
func openCamVid(spec Spec, split string) (Source, error) {
	s, err := openPairs(spec)
	if err != nil {
		return nil, err
	}
	s.classes, s.void = camvidClasses(), camvidVoid
	text, missing, err := readText(s.root, classesFile, 64<<10)
	if err == nil && !missing {
		err = s.renameClasses(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Path, err)
	}
	return s, s.pairUp(split, split+"annot")
}

// renameClasses takes the names of classes.txt, and leaves the usual colours to
// those that it gives none.
func (s *pairs) renameClasses(text []byte) error {
	named, err := ParseClasses(text)
	if err != nil {
		return err
	}
	if len(named) != len(s.classes) {
		return fmt.Errorf("%s: %d names, but CamVid has %d classes; for other classes use folder:DIR", classesFile, len(named), len(s.classes))
	}
	for i, class := range named {
		s.classes[i].Name = class.Name
		if class.Color != VOCColor(uint8(i)) {
			s.classes[i].Color = class.Color
		}
	}
	return nil
}
