package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fcnx/fcnx/datasets"
)

// classesName is the file of a run directory that names its classes, as in a data
// set of the kind folder.
const classesName = "classes.txt"

func classNames(classes []datasets.Class) []string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = c.Name
	}
	return names
}

// numbered are the classes of a network that does not say what they are called.
func numbered(n int) []datasets.Class {
	classes := make([]datasets.Class, n)
	for i := range classes {
		classes[i] = datasets.Class{Name: fmt.Sprintf("class%d", i), Color: datasets.VOCColor(uint8(i))}
	}
	return classes
}

// sameClasses is an error, with both lists, unless data has the network's classes.
// Data may name fewer than the network: the last ones are then never true.
func sameClasses(network, data []datasets.Class, spec string) error {
	ours, theirs := classNames(network), classNames(data)
	if len(theirs) <= len(ours) && slices.Equal(ours[:len(theirs)], theirs) {
		return nil
	}
	return fmt.Errorf("the classes of %s are not those of the network\n  data     %s\n  network  %s",
		spec, listed(theirs), listed(ours))
}

// listed shows so many names that a line can hold.
func listed(names []string) string {
	const shown = 24
	text := strings.Join(names[:min(len(names), shown)], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%d: %s", len(names), text)
}
