package datasets

import (
	"bytes"
	"fmt"
	"strings"
)

// FormatClasses writes the text of a classes.txt that [ParseClasses] reads back to
// the same names and colours.
//
// The colour of every class is written, so that a name which ends like a colour
// ("route #faaa1e") keeps its end. A name with a line break, or none, has no place in
// such a file and is an error.
func FormatClasses(classes []Class) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range classes {
		fmt.Fprintf(&b, "%s #%02x%02x%02x\n", c.Name, c.Color.R, c.Color.G, c.Color.B)
	}
	back, err := ParseClasses(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("class names: %w", err)
	}
	for i, c := range classes {
		if i >= len(back) || back[i].Name != c.Name {
			return nil, fmt.Errorf("class %d: the name %q cannot be written to %s", i, strings.TrimSpace(c.Name), classesFile)
		}
	}
	return b.Bytes(), nil
}
