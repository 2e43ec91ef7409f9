package datasets

import (
	"context"
	"errors"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/checkpoints/storagetest"
)

// packable is a folder of five pairs in two sizes, of which one image is cut off.
func packable(t testing.TB) string {
	t.Helper()
	files := map[string]any{"classes.txt": "ground\ntree\n"}
	for _, name := range []string{"a", "b", "deep/c"} {
		files["images/"+name+".jpg"] = picture(37, 53)
		files["masks/"+name+".png"] = greyMask(37, 53, 0, 1, 255, 1)
	}
	files["images/d.png"], files["masks/d.png"] = picture(20, 30), palettedMask(20, 30, 1, 0)
	broken := encodeJPEG(t, picture(37, 53))
	files["images/e.jpg"], files["masks/e.png"] = broken[:len(broken)/2], greyMask(37, 53, 1)
	return write(t, files)
}

func openFolderOf(t testing.TB, dir string) Source {
	t.Helper()
	src, err := Open("folder:"+dir, Train)
	require.NoError(t, err)
	return src
}

// heardPack is a configuration whose words a test can look at.
type heardPack struct {
	PackConfig
	mu     sync.Mutex
	said   []string
	warned []string
}

func hearPack(path string) *heardPack {
	h := &heardPack{PackConfig: PackConfig{Path: path}}
	to := func(list *[]string) func(string) {
		return func(text string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			*list = append(*list, text)
		}
	}
	h.Say, h.Warn = to(&h.said), to(&h.warned)
	return h
}

func openPack(t testing.TB, src Source, cfg PackConfig) *Pack {
	t.Helper()
	p, err := OpenPack(t.Context(), src, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// Whatever is made of the samples, they are those of the files; so are the errors.
func TestPackGivesTheSamePixels(t *testing.T) {
	src := openFolderOf(t, packable(t))
	for name, cfg := range map[string]LoaderConfig{
		"as they are": {Batch: 2, Multiple: 1, Seed: 3, Shuffle: true, Augment: FlipLR()},
		"resized":     {Batch: 2, Fixed: Resize(24, 40), Height: 24, Width: 40, Seed: 3, Shuffle: true, Augment: Chain(FlipLR(), ColorJitter(0.3))},
		"cropped":     {Batch: 2, Height: 32, Width: 32, Seed: 3, Shuffle: true, Augment: Chain(ScaleJitter(0.5, 2), Crop(32, 32, grey128))},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.SkipBad = true
			heard := hearPack(filepath.Join(t.TempDir(), "new", "x.pack"))
			if cfg.Fixed != nil {
				heard.PackConfig.Height, heard.PackConfig.Width = cfg.Height, cfg.Width
			}
			for _, made := range []bool{true, false} {
				p := openPack(t, src, heard.PackConfig)
				require.Equal(t, made, p.Made)
				require.Equal(t, 1, p.Bad)
				require.Equal(t, src.Classes(), p.Classes())
				want, got := take(t, newTestLoader(t, src, cfg), 0, 7), take(t, newTestLoader(t, p, cfg), 0, 7)
				require.Equal(t, want, got)

				scored := cfg
				scored.Augment, scored.Shuffle = nil, false
				if scored.Fixed == nil {
					scored.Height, scored.Width = 0, 0
				}
				requireSamePass(t, src, p, scored)
			}
			require.Empty(t, heard.warned)
			require.Len(t, heard.said, 1)
			entries, err := os.ReadDir(filepath.Dir(heard.Path))
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing unfinished is left")
		})
	}
}

func requireSamePass(t *testing.T, a, b Source, cfg LoaderConfig) {
	t.Helper()
	var all [2][]*Batch
	for i, src := range []Source{a, b} {
		e, err := NewEvaluation(t.Context(), src, cfg)
		require.NoError(t, err)
		for batch, err := range e.Pass(t.Context()) {
			require.NoError(t, err)
			all[i] = append(all[i], batch)
		}
	}
	require.Equal(t, all[0], all[1])
}

// unlabelledShapes have no label, and say who they are.
type unlabelledShapes struct{ Source }

func (u unlabelledShapes) At(i int) (Sample, error) {
	s, err := u.Source.At(i)
	s.Label = nil
	return s, err
}

func (unlabelledShapes) identity(hash.Hash) {}

func TestPackOfWhatHasNoFilesAndNoLabels(t *testing.T) {
	drawn, err := Open("shapes?n=5&size=32x48", Train)
	require.NoError(t, err)
	for _, src := range []Source{drawn, unlabelledShapes{drawn}} {
		p := openPack(t, src, PackConfig{Path: filepath.Join(t.TempDir(), "x.pack")})
		for i := range src.Len() {
			want, err := src.At(i)
			require.NoError(t, err)
			got, err := p.At(i)
			require.NoError(t, err)
			require.Equal(t, want, got)
			h, w, err := p.Size(i)
			require.NoError(t, err)
			require.Equal(t, [2]int{32, 48}, [2]int{h, w})
		}
	}
	_, err = OpenPack(t.Context(), sourceOf(extent{3, 3}), PackConfig{Path: filepath.Join(t.TempDir(), "x.pack")})
	require.ErrorContains(t, err, "cannot be packed")
}

// A pack that is not what it should be is named and made anew, and never used.
func TestUselessPackIsMadeAnew(t *testing.T) {
	flip := func(at int) func(*testing.T, string, string) {
		return func(t *testing.T, _, path string) {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			data[(at+len(data))%len(data)] ^= 4
			require.NoError(t, os.WriteFile(path, data, 0o666))
		}
	}
	cut := func(bytes int64) func(*testing.T, string, string) {
		return func(t *testing.T, _, path string) { require.NoError(t, os.Truncate(path, bytes)) }
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, data, path string)
		want  string
	}{
		"empty":                {cut(0), "it is cut off"},
		"cut off in the head":  {cut(100), "it is cut off"},
		"cut off behind it":    {cut(128), "it is cut off, or too long"},
		"cut off in the index": {func(t *testing.T, d, p string) { cut(size(t, p)-1)(t, d, p) }, "it is cut off, or too long"},
		"grown":                {func(t *testing.T, d, p string) { cut(size(t, p)+40)(t, d, p) }, "it is cut off, or too long"},
		"another version":      {flip(8), "another version of fcnx made it"},
		"a bit of the head":    {flip(40), "its header is damaged"},
		"a bit of its hash":    {flip(127), "its header is damaged"},
		"a bit of the index":   {flip(-3), "its index is damaged"},
		"a new image": {func(t *testing.T, data, _ string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "images", "b.jpg"), encodeJPEG(t, picture(37, 53)), 0o666))
			require.NoError(t, os.Chtimes(filepath.Join(data, "images", "b.jpg"), time.Time{}, time.Unix(1e9, 1)))
		}, "the data has changed since it was made"},
		"a new mask": {func(t *testing.T, data, _ string) {
			require.NoError(t, os.Chtimes(filepath.Join(data, "masks", "a.png"), time.Time{}, time.Unix(1e9, 1)))
		}, "the data has changed since it was made"},
		"a pair more": {func(t *testing.T, data, _ string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "images", "z.jpg"), encodeJPEG(t, picture(9, 9)), 0o666))
			require.NoError(t, os.WriteFile(filepath.Join(data, "masks", "z.png"), encodePNG(t, greyMask(9, 9, 1)), 0o666))
		}, "the data has changed since it was made"},
		"a class more": {func(t *testing.T, data, _ string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "classes.txt"), []byte("a\nb\nc\n"), 0o666))
		}, "the data has changed since it was made"},
	} {
		t.Run(name, func(t *testing.T) {
			data := packable(t)
			heard := hearPack(filepath.Join(t.TempDir(), "x.pack"))
			require.NoError(t, openPack(t, openFolderOf(t, data), heard.PackConfig).Close())
			c.spoil(t, data, heard.Path)
			src := openFolderOf(t, data)
			p := openPack(t, src, heard.PackConfig)
			require.True(t, p.Made)
			require.Len(t, heard.warned, 1)
			require.Contains(t, heard.warned[0], c.want)
			require.Contains(t, heard.warned[0], heard.Path)
			cfg := LoaderConfig{Batch: 2, Multiple: 1, SkipBad: true}
			require.Equal(t, take(t, newTestLoader(t, src, cfg), 0, 4), take(t, newTestLoader(t, p, cfg), 0, 4))
			require.False(t, openPack(t, src, heard.PackConfig).Made)
		})
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// A record that is damaged is noticed when it is read: its sample comes from its files,
// and the next start makes a good pack.
func TestDamagedRecordIsNotUsed(t *testing.T) {
	src := openFolderOf(t, packable(t))
	want, err := src.At(1)
	require.NoError(t, err)
	for name, spoil := range map[string]func(f *os.File, e packEntry) error{
		"a bit": func(f *os.File, e packEntry) error {
			_, err := f.WriteAt([]byte{want.Image.Pix[0] ^ 1}, e.offset)
			return err
		},
		"cut off while it is open": func(f *os.File, e packEntry) error { return f.Truncate(e.offset + 10) },
		"a hole":                   func(f *os.File, e packEntry) error { return errors.Join(f.Truncate(e.offset), f.Truncate(1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			heard := hearPack(filepath.Join(t.TempDir(), "x.pack"))
			p := openPack(t, src, heard.PackConfig)
			f, err := os.OpenFile(heard.Path, os.O_WRONLY, 0)
			require.NoError(t, err)
			require.NoError(t, errors.Join(spoil(f, p.entries[1]), f.Close()))
			for range 3 {
				got, err := p.At(1)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			require.Len(t, heard.warned, 1)
			require.Contains(t, heard.warned[0], "is damaged at sample 1")
			require.NoFileExists(t, heard.Path)
			again := openPack(t, src, heard.PackConfig)
			require.True(t, again.Made)
			got, err := again.At(1)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

// Who asks for it finds that before a sample is asked for.
func TestCheckedPackIsMadeAnew(t *testing.T) {
	src := openFolderOf(t, packable(t))
	heard := hearPack(filepath.Join(t.TempDir(), "x.pack"))
	heard.Check = true
	p := openPack(t, src, heard.PackConfig)
	require.False(t, openPack(t, src, heard.PackConfig).Made)
	f, err := os.OpenFile(heard.Path, os.O_WRONLY, 0)
	require.NoError(t, err)
	first := make([]byte, 1)
	_, err = p.file.ReadAt(first, p.entries[1].offset)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{first[0] ^ 1}, p.entries[1].offset)
	require.NoError(t, errors.Join(err, f.Close()))

	again := openPack(t, src, heard.PackConfig)
	require.True(t, again.Made)
	require.Equal(t, p.Bad, again.Bad)
	require.Len(t, heard.warned, 1)
	require.Contains(t, heard.warned[0], "made anew: it is damaged at sample 1: its checksum is wrong")
	require.False(t, openPack(t, src, heard.PackConfig).Made)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = OpenPack(ended, src, heard.PackConfig)
	require.ErrorIs(t, err, context.Canceled)
}

// A pack whose checksums are right may still be of a stranger.
func TestLabelBeyondTheClassesIsNotUsed(t *testing.T) {
	src := openFolderOf(t, packable(t))
	heard := hearPack(filepath.Join(t.TempDir(), "x.pack"))
	p := openPack(t, src, heard.PackConfig)
	sample, err := src.At(0)
	require.NoError(t, err)
	want := sample.clone()
	sample.Label.Pix[5] = 2
	r := newRecord(sample)
	f, err := os.OpenFile(heard.Path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(r.bytes, p.entries[0].offset)
	require.NoError(t, errors.Join(err, f.Close()))
	p.entries[0].sum = r.entry.sum
	got, err := p.At(0)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Contains(t, heard.warned[0], "label 2, where there are 2 classes")
}

// What is no pack is not written over, nor waited for.
func TestPackLeavesOtherThingsAlone(t *testing.T) {
	src := openFolderOf(t, packable(t))
	for name, c := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"a file":             {func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("diary", 99)), 0o666) }, "that is no pack"},
		"a directory":        {func(p string) error { return os.Mkdir(p, 0o777) }, "a directory, where a file is expected"},
		"a pipe":             {func(p string) error { return unix.Mkfifo(p, 0o666) }, "a named pipe"},
		"a link for the new": {func(p string) error { return os.Symlink("/dev/null", p+packTmp) }, "too many levels of symbolic links"},
		"a pipe for the new": {func(p string) error { return unix.Mkfifo(p+packTmp, 0o666) }, "a named pipe"},
		"a file for a parent": {func(p string) error {
			return errors.Join(os.Remove(filepath.Dir(p)), os.WriteFile(filepath.Dir(p), nil, 0o666))
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "packs", "x.pack")
			require.NoError(t, os.Mkdir(filepath.Dir(path), 0o777))
			require.NoError(t, c.put(path))
			_, err := OpenPack(t.Context(), src, PackConfig{Path: path})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

// Of several that want the same pack one makes it, and what a killed process left
// behind is in nobody's way.
func TestPackIsMadeByOne(t *testing.T) {
	src := openFolderOf(t, packable(t))
	path := filepath.Join(t.TempDir(), "x.pack")
	require.NoError(t, os.WriteFile(path+packTmp, []byte(strings.Repeat("left over", 1e5)), 0o666))
	packs := make([]*Pack, 8)
	errs := make([]error, len(packs))
	var running sync.WaitGroup
	for i := range packs {
		running.Go(func() { packs[i], errs[i] = OpenPack(t.Context(), src, PackConfig{Path: path}) })
	}
	running.Wait()
	made := 0
	for i, p := range packs {
		require.NoError(t, errs[i])
		_, err := p.At(0)
		require.NoError(t, err)
		if p.Made {
			made++
		}
		require.NoError(t, p.Close())
	}
	require.Equal(t, 1, made)
	require.NoFileExists(t, path+packTmp)
}

func TestPackThatIsStoppedLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	src, err := Open("shapes?n=1000&size=64x64", Train)
	require.NoError(t, err)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = OpenPack(ctx, src, PackConfig{Path: filepath.Join(dir, "x.pack"), Say: func(string) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// One that waits for another process can be stopped too.
func TestPackThatWaitsCanBeStopped(t *testing.T) {
	src := openFolderOf(t, packable(t))
	path := filepath.Join(t.TempDir(), "x.pack")
	other, err := os.Create(path + packTmp)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, flock(other))
	ctx, cancel := context.WithCancel(t.Context())
	heard := hearPack(path)
	heard.Say = func(text string) { heard.said = append(heard.said, text); cancel() }
	_, err = OpenPack(ctx, src, heard.PackConfig)
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, heard.said[0], "another process is making the pack "+path)
	require.FileExists(t, path+packTmp, "it is the other's")
}

func TestPackOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	src, err := Open("shapes?n=16&size=64x64", Train)
	require.NoError(t, err)
	for name, options := range map[string]string{"foreseen": "size=128k", "too late": "size=1m,nr_inodes=2"} {
		t.Run(name, func(t *testing.T) {
			root := storagetest.Tmpfs(t, options)
			if name == "too late" {
				require.NoError(t, os.Mkdir(filepath.Join(root, "last"), 0o777))
			}
			_, err := OpenPack(t.Context(), src, PackConfig{Path: filepath.Join(root, "x.pack")})
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.ErrorContains(t, err, "make room")
			require.NoFileExists(t, filepath.Join(root, "x.pack"))
			require.NoFileExists(t, filepath.Join(root, "x.pack"+packTmp))
		})
	}
}

// Where nothing can be written a pack that is there is used, and one that is missing is
// an error that says what to do.
func TestPackInAReadOnlyDirectory(t *testing.T) {
	if !storagetest.WithoutPrivileges(t) {
		return
	}
	src, err := Open("shapes?n=4&size=32x32", Train)
	require.NoError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "x.pack")
	openPack(t, src, PackConfig{Path: path})
	require.NoError(t, os.Chmod(dir, 0o500)) // #nosec G302 -- a directory
	t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o700)) })
	require.False(t, openPack(t, src, PackConfig{Path: path}).Made)
	_, err = OpenPack(t.Context(), src, PackConfig{Path: filepath.Join(dir, "y.pack")})
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, "fcnx data pack")
}

func TestPackName(t *testing.T) {
	name := func(spec, split string, h, w int) string {
		t.Helper()
		text, err := PackName(spec, split, h, w)
		require.NoError(t, err)
		return text
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	base := name("camvid:data", Train, 0, 0)
	require.Regexp(t, `^camvid-train-[0-9a-f]{12}\.pack$`, base)
	require.Equal(t, base, name("camvid:./data/", Train, 0, 0))
	require.Equal(t, base, name("camvid:"+here+"/data", Train, 0, 0))
	require.Equal(t, base, name("camvid:data?max_pixels=77", Train, 0, 0))
	require.Regexp(t, `^camvid-train-192x256-`, name("camvid:data", Train, 192, 256))
	for _, other := range []string{name("camvid:data", Val, 0, 0), name("camvid:other", Train, 0, 0), name("camvid:data?exif=apply", Train, 0, 0)} {
		require.NotEqual(t, base, other)
	}
}
