package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"path/filepath"
)

// identified is a [Source] that can tell, without decoding, which pixels and labels it
// has: what is written to a hash is another where they may be others.
type identified interface{ identity(to hash.Hash) }

// identity names every file with its size and the time when it was last written to,
// and all that decides what becomes of it.
func (s *pairs) identity(to hash.Hash) {
	fmt.Fprintf(to, "files: exif %q, void %d, classes %d, pixels %d\n", s.exif, s.void, len(s.classes), s.maxPixels)
	for _, p := range s.list {
		fmt.Fprintf(to, "%q %q %s %q %s %v\n", p.id, p.image, s.fileStamp(p.image), p.mask, s.fileStamp(p.mask), p.broken)
	}
}

// fileStamp is "none" for a file that is not there.
func (s *pairs) fileStamp(name string) string {
	info, err := s.root.Stat(name)
	if err != nil {
		return "none"
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

func (s *shapes) identity(to hash.Hash) { s.digest(to) }

// packKey is what a pack of src must have been made from.
func packKey(src Source, resize extent) (key [32]byte, err error) {
	s, ok := src.(identified)
	if !ok {
		return key, errors.New("this kind of data cannot be packed: nobody could tell when it changes")
	}
	to := sha256.New()
	fmt.Fprintf(to, "pack %d: %d samples of %dx%d\n", packVersion, src.Len(), resize.h, resize.w)
	s.identity(to)
	return [32]byte(to.Sum(nil)), nil
}

// PackName is the name of the file that holds the pack of a split: one name for each
// directory, SPEC, split and size, whatever is in the files now, so that a pack which
// has grown stale is replaced and not kept beside the new one.
func PackName(spec, split string, height, width int) (string, error) {
	parsed, err := ParseSpec(spec)
	if err != nil {
		return "", err
	}
	if parsed.Path != "" {
		if parsed.Path, err = filepath.Abs(parsed.Path); err != nil {
			return "", err
		}
	}
	// A cap on pixels changes no image that is below it, and what it refuses is in the key.
	parsed.Options = maps.Clone(parsed.Options)
	delete(parsed.Options, optionMaxPixels)
	sum := sha256.Sum256([]byte(parsed.String()))
	size := ""
	if height > 0 {
		size = fmt.Sprintf("-%dx%d", height, width)
	}
	return fmt.Sprintf("%s-%s%s-%s.pack", parsed.Kind, split, size, hex.EncodeToString(sum[:6])), nil
}
