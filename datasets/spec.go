package datasets

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The names of splits.
const (
	Train = "train"
	Val   = "val"
	Test  = "test"
)

// optionMaxPixels is the key of the largest image that is decoded.
const optionMaxPixels = "max_pixels"

// MaxMaxPixels is the highest cap on pixels that can be given.
const MaxMaxPixels = 1 << 40

// Spec names a data set on the command line and in a configuration, as
// kind:path?key=value&key=value. Nothing is escaped: a path cannot hold a
// question mark, nor a value an ampersand.
type Spec struct {
	Kind    string
	Path    string            // a directory; empty for a kind without files
	Options map[string]string // nil when there are none
}

// SpecError says that the text of a spec is wrong, whatever is on the disk.
type SpecError struct {
	Spec string
	Err  error
}

func (e *SpecError) Error() string { return fmt.Sprintf("data %q: %v", e.Spec, e.Err) }
func (e *SpecError) Unwrap() error { return e.Err }

// kind is a row of the table of data sets.
type kind struct {
	name    string
	path    bool     // it lives in a directory
	options []string // the keys that it knows
	// splits lists those that are there, in the order train, val, test.
	splits func(Spec) ([]string, error)
	// open is called with a split that splits has listed.
	open func(spec Spec, split string) (Source, error)
}

func kinds() []kind {
	return []kind{
		{"shapes", false, []string{"n", "val_n", "size", "seed", "classes"}, shapesSplits, openShapes},
		{"folder", true, []string{"val", "classes", optionMaxPixels, "exif"}, folderSplits, openFolder},
		{"camvid", true, []string{optionMaxPixels, "exif"}, camvidSplits, openCamVid},
		{"voc", true, []string{"train", "val", optionMaxPixels, "exif"}, vocSplits, openVOC},
	}
}

// ParseSpec reads kind:path?key=value&key=value. It knows every kind and every
// key, but looks at no file and at no value. Its error is a [*SpecError].
func ParseSpec(text string) (Spec, error) {
	fail := func(format string, args ...any) (Spec, error) {
		return Spec{}, &SpecError{text, fmt.Errorf(format, args...)}
	}
	place, query, hasQuery := strings.Cut(text, "?")
	name, path, _ := strings.Cut(place, ":")
	k, ok := findKind(name)
	switch {
	case ok:
	case !strings.Contains(place, ":") && strings.ContainsAny(place, `/\.`):
		return fail("that is a path, and the kind of data is missing; write folder:%s where images/ and masks/ are (the kinds are %s)", place, strings.Join(kindNames(), ", "))
	default:
		return fail("there is no kind of data %q%s; the kinds are %s", name, didYouMean(name, kindNames()), strings.Join(kindNames(), ", "))
	}
	switch {
	case k.path && path == "":
		return fail("the directory is missing; write %s:DIR", name)
	case !k.path && path != "":
		return fail("%s takes no path; write %s, or %s?key=value", name, name, name)
	case !k.path && strings.Contains(place, ":"):
		return fail("%s takes no path; leave the colon out", name)
	}
	spec := Spec{Kind: name, Path: path}
	if !hasQuery {
		return spec, nil
	}
	spec.Options = map[string]string{}
	for _, option := range strings.Split(query, "&") {
		key, value, found := strings.Cut(option, "=")
		if !slices.Contains(k.options, key) {
			return fail("%s has no option %q%s; it has %s", name, key, didYouMean(key, k.options), strings.Join(k.options, ", "))
		}
		if !found || value == "" {
			return fail("option %s has no value; write %s=VALUE", key, key)
		}
		if _, twice := spec.Options[key]; twice {
			return fail("option %s is there twice", key)
		}
		spec.Options[key] = value
	}
	return spec, nil
}

// String gives the text that [ParseSpec] reads back as s, its keys sorted.
func (s Spec) String() string {
	text := s.Kind
	if s.Path != "" {
		text += ":" + s.Path
	}
	separator := "?"
	for _, key := range slices.Sorted(maps.Keys(s.Options)) {
		text += separator + key + "=" + s.Options[key]
		separator = "&"
	}
	return text
}

// Open opens one split ("train", "val" or "test") of the data set that spec
// names. It lists files and reads class names, but decodes nothing more than it
// must: a broken sample is the error of its own At and Size, so that [Check] can
// name every one of them. A wrong spec is a [*SpecError].
func Open(spec, split string) (Source, error) {
	parsed, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	if all := []string{Train, Val, Test}; !slices.Contains(all, split) {
		return nil, fmt.Errorf("there is no split %q%s; the splits are train, val and test", split, didYouMean(split, all))
	}
	k, _ := findKind(parsed.Kind)
	there, err := k.splits(parsed)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(there, split) {
		hint := ""
		if parsed.Kind == "folder" && split == Val {
			hint = "; add ?val=0.1 to hold out a tenth of train, the same files each time"
		}
		return nil, fmt.Errorf("%s has no %s split, only %s%s", parsed, split, strings.Join(there, ", "), hint)
	}
	return k.open(parsed, split)
}

// Splits lists the splits that a data set has, in the order train, val, test.
func Splits(spec string) ([]string, error) {
	parsed, err := ParseSpec(spec)
	if err != nil {
		return nil, err
	}
	k, _ := findKind(parsed.Kind)
	return k.splits(parsed)
}

// CapPixels is the SPEC with the largest image that is decoded, in pixels. What the SPEC
// says of that itself stays, and so does a SPEC without files. Its error is a
// [*SpecError].
func CapPixels(spec string, pixels int64) (string, error) {
	parsed, err := ParseSpec(spec)
	if err != nil {
		return "", err
	}
	k, _ := findKind(parsed.Kind)
	if _, said := parsed.Options[optionMaxPixels]; said || pixels == DefaultMaxPixels || !slices.Contains(k.options, optionMaxPixels) {
		return spec, nil
	}
	options := maps.Clone(parsed.Options)
	if options == nil {
		options = map[string]string{}
	}
	options[optionMaxPixels] = strconv.FormatInt(pixels, 10)
	parsed.Options = options
	return parsed.String(), nil
}

func findKind(name string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

func kindNames() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// intOption reads a whole number between lo and hi; a missing option is fallback.
func (s Spec) intOption(key string, fallback, lo, hi int64) (int64, error) {
	text, ok := s.Options[key]
	if !ok {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, &SpecError{s.String(), fmt.Errorf("%s=%s is not a whole number from %d to %d", key, text, lo, hi)}
	}
	return n, nil
}

// didYouMean is ` (did you mean "..."?)` when one of the words is near enough to be
// what was meant, and nothing otherwise.
func didYouMean(word string, words []string) string {
	best, distance := "", len(word)/2+1
	for _, candidate := range words {
		if d := editDistance(word, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is Levenshtein's: the letters to insert, delete or replace to
// turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
