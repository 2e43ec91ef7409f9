package datasets

import (
	"bytes"
	"fmt"
)

// FormatClasses writes the text of a classes.txt. [ParseClasses] reads it back to the
// same classes, provided that their names came from there or are as plain: trimmed,
// all different, and without control characters.
//
// The colour of every class is written, so that a name which ends like a colour
// ("route #faaa1e") keeps its end.
func FormatClasses(classes []Class) []byte {
	var b bytes.Buffer
	for _, c := range classes {
		fmt.Fprintf(&b, "%s #%02x%02x%02x\n", c.Name, c.Color.R, c.Color.G, c.Color.B)
	}
	return b.Bytes()
}
