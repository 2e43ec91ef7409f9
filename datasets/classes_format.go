package datasets

import (
	"bytes"
	"fmt"
)

// FormatClasses writes the text of a classes.txt, which [ParseClasses] reads back to
// the same classes.
//
// The colour of every class is written, so that a name which ends like a colour
// ("route #faaa1e") keeps its end. A name that would not come back as it is (with a
// line break, say, or there twice) is an error.
func FormatClasses(classes []Class) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range classes {
		fmt.Fprintf(&b, "%s #%02x%02x%02x\n", c.Name, c.Color.R, c.Color.G, c.Color.B)
	}
	back, err := ParseClasses(b.Bytes())
	if err != nil {
		return nil, err
	}
	for i, c := range classes {
		if i >= len(back) || back[i].Name != c.Name {
			return nil, fmt.Errorf("%s: the name of class %d, %q, would not be read back as it is", classesFile, i, c.Name)
		}
	}
	return b.Bytes(), nil
}
