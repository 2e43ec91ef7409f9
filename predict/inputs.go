package predict

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fcnx/fcnx/datasets"
)

// Input is one image to predict.
type Input struct {
	Path string
	// Name is what its outputs are called below the output directory, without
	// extension: "a/b" for a/b.png and a/b.npy.
	Name string
}

// Inputs finds the images that arguments name, in their order:
//
//	photo.jpg   a file; its outputs are called photo
//	photos      a directory: all images in it and below, by name; those of
//	            photos/a/b.jpg are called a/b
//	@list.txt   a path a line, as seen from the current directory; the outputs of
//	            a/b.jpg are called a/b, those of a path that leads elsewhere b
//
// Hidden files are passed over, and so is the output directory out where it lies in
// one of the directories. A file that is named twice counts once.
func Inputs(args []string, out string) ([]Input, error) {
	outInfo, _ := os.Stat(out) // nil where it does not exist yet
	var all []Input
	for _, arg := range args {
		inputs, err := expand(arg, outInfo)
		if err != nil {
			return nil, err
		}
		all = append(all, inputs...)
	}
	seen := map[Input]bool{}
	var once []Input
	for _, input := range all {
		if !seen[input] {
			seen[input] = true
			once = append(once, input)
		}
	}
	return once, nil
}

func expand(arg string, out fs.FileInfo) ([]Input, error) {
	if list, ok := strings.CutPrefix(arg, "@"); ok {
		return readList(list)
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file or directory", arg)
	case err != nil:
		return nil, err
	case info.IsDir():
		return walk(arg, out)
	}
	return []Input{{arg, stem(filepath.Base(arg))}}, nil
}

// walk lists the images of a directory. Links to files are followed, links to
// directories are not, so that a loop of them ends.
func walk(dir string, out fs.FileInfo) ([]Input, error) {
	var inputs []Input
	// The slash makes WalkDir enter a directory that is itself a link.
	err := filepath.WalkDir(dir+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && relative != "."
		if entry.IsDir() {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if hidden || out != nil && relative != "." && os.SameFile(info, out) {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || !datasets.IsImageName(path) {
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil
		}
		inputs = append(inputs, Input{filepath.Join(dir, relative), stem(filepath.ToSlash(relative))})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("%s: no images in it (.png .jpg .jpeg .bmp .webp)", dir)
	}
	return inputs, nil
}

func readList(list string) ([]Input, error) {
	file, err := os.Open(list)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var inputs []Input
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		path := strings.TrimRight(lines.Text(), "\r")
		if strings.TrimSpace(path) == "" {
			continue
		}
		name := filepath.Clean(path)
		if !filepath.IsLocal(name) {
			name = filepath.Base(name)
		}
		inputs = append(inputs, Input{path, stem(filepath.ToSlash(name))})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s is no list of paths, one a line: %w", list, err)
	}
	if len(inputs) == 0 {
		return nil, fmt.Errorf("%s: no path in it", list)
	}
	return inputs, nil
}

// stem is a name without its extension. A name that is nothing but an extension is
// kept: ".png" has to be called something.
func stem(name string) string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		return name[:len(name)-len(base)+dot]
	}
	return name
}

// Shard picks every of-th input, the one-th first: shards 1 to n of n are together
// the whole, each input in one of them.
func Shard(inputs []Input, one, of int) []Input {
	var part []Input
	for i := one - 1; i < len(inputs); i += of {
		part = append(part, inputs[i])
	}
	return part
}
