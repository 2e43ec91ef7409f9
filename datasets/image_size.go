package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ImageSize reads height and width of the image file at path from its header. A file
// that [ReadImage] would refuse before it decodes pixels is refused here too.
func ImageSize(path string, maxPixels int64) (h, w int, err error) {
	e, err := openEncoded(func() (*os.File, error) { return openRegular(os.Stat, os.OpenFile, path) }, maxPixels)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", Printable(path), err)
	}
	return e.h, e.w, e.file.Close()
}

// IsImageName tells whether a file is called like the images that [ReadImage] knows.
func IsImageName(name string) bool {
	return slices.Contains(imageExtensions, strings.ToLower(filepath.Ext(name)))
}
