package train

import (
	"fmt"
	"strconv"
	"strings"
)

// sideLimit is the longest side of an image that a configuration may ask for.
const sideLimit = 1 << 16

// ParseSize reads a size in pixels, height first: "192x256".
func ParseSize(text string) (h, w int, err error) {
	height, width, ok := strings.Cut(text, "x")
	h, errH := strconv.Atoi(height)
	w, errW := strconv.Atoi(width)
	if !ok || errH != nil || errW != nil || h < 1 || w < 1 || h > sideLimit || w > sideLimit {
		return 0, 0, fmt.Errorf("expected a size HxW in pixels, \"192x256\" say, found %s", describe(text))
	}
	return h, w, nil
}
