package datasets

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"a b/ü.png": "a b/ü.png", "": "", "esc\x1b[2J": `"esc\x1b[2J"`, "line\nfcnx: done": `"line\nfcnx: done"`,
		"not UTF-8 \xff": `"not UTF-8 \xff"`, "turned \u202egnp.exe": `"turned \u202egnp.exe"`, "quoted\"": `quoted"`,
	} {
		require.Equal(t, want, Printable(name))
	}
	require.Equal(t, `"a\n": x`, (&SampleError{Path: "a\n", Err: fmt.Errorf("x")}).Error())
	require.Equal(t, `sample "a\n": x`, (&SampleError{ID: "a\n", Err: fmt.Errorf("x")}).Error())
}

// Names of every kind are names; what is said of them is one printable line.
func TestHostileNames(t *testing.T) {
	good, bad := encodePNG(t, picture(4, 4)), []byte("none")
	mask := encodePNG(t, greyMask(4, 4, 0, 1))
	dir := write(t, map[string]any{"classes.txt": "a\nb\n"})
	names := []string{"new\nline", "esc\x1b[31m", "bell\a", "bytes\xff\xfe", "\u202ertl", " space ", "-dash", "%s%n", "back\\slash", strings.Repeat("n", 240)}
	for i, name := range names {
		image := good
		if i%2 == 1 {
			image = bad
		}
		for file, content := range map[string][]byte{"images/" + name + ".png": image, "masks/" + name + ".png": mask} {
			path := filepath.Join(dir, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, content, 0o666))
		}
	}
	src, err := Open("folder:"+dir, Train)
	require.NoError(t, err)
	said, summary := problems(t, src, true)
	require.Equal(t, len(names), summary.Samples)
	require.Equal(t, len(names)/2, summary.Bad)
	for _, line := range said {
		require.Equal(t, line, strings.ToValidUTF8(line, "?"))
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\x1b")
		require.NotContains(t, line, "\u202e")
	}
}

// Whatever stands where a file should, nothing is waited for.
func TestWhatIsNoFile(t *testing.T) {
	dir := write(t, map[string]any{"classes.txt": "a\nb\n", "images/dir.png/x": "", "elsewhere/out.png": "x"})
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "images/pipe.png"), 0o666))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(fd)
	t.Chdir(dir) // a socket's path is short
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: "images/socket.png"}))
	for name, to := range map[string]string{
		"loop.png": "loop.png", "gone.png": "nothing.png", "out.png": "/dev/zero", "up.png": "../../x.png", "dirs": "..",
	} {
		require.NoError(t, os.Symlink(to, "images/"+name))
	}
	for _, name := range []string{"pipe", "socket", "loop", "gone", "out", "up"} {
		require.NoError(t, os.MkdirAll("masks", 0o777))
		require.NoError(t, os.WriteFile("masks/"+name+".png", encodePNG(t, greyMask(4, 4, 0)), 0o666))
	}
	src, err := Open("folder:.", Train)
	require.NoError(t, err)
	got, _ := problems(t, src, false)
	const leadsOut = ": it leads out of the data set's directory, where nothing is read; open the directory that holds everything"
	require.ElementsMatch(t, []string{
		"images/pipe.png: a named pipe and no regular file", "images/socket.png: a socket and no regular file",
		"images/loop.png: too many levels of symbolic links", "images/gone.png: there is no such file",
		"images/out.png" + leadsOut, "images/up.png" + leadsOut, "images/dirs: a link to a directory, which is not followed",
		"images/dir.png/x: not a file that is read here (.png .jpg .jpeg .bmp .webp)",
	}, got)
}

// A file that became a pipe after it was looked at is opened all the same, and must not
// be waited for.
func TestAFileThatBecomesAPipe(t *testing.T) {
	dir := write(t, map[string]any{"a.png": picture(4, 4), "b.png": picture(4, 4)})
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	lies := func(string) (os.FileInfo, error) { return os.Stat(filepath.Join(dir, "a.png")) }
	_, err := openRegular(lies, os.OpenFile, pipe)
	require.EqualError(t, err, "a named pipe and no regular file")
	_, err = openRegular(lies, os.OpenFile, "/dev/zero")
	require.EqualError(t, err, "a device and no regular file")
}

// What is not there any more, or something else, between the list and the reading.
func TestFilesThatChange(t *testing.T) {
	dir := write(t, map[string]any{
		"images/a.png": picture(4, 4), "images/b.png": picture(4, 4), "images/c.png": picture(4, 4), "images/d.png": picture(4, 4),
		"masks/a.png": greyMask(4, 4, 0, 1), "masks/b.png": greyMask(4, 4, 0, 1), "masks/c.png": greyMask(4, 4, 0, 1), "masks/d.png": greyMask(4, 4, 0, 1),
	})
	src := openTest(t, "folder:"+dir, Train)
	path := func(name string) string { return filepath.Join(dir, "images", name) }
	require.NoError(t, os.Remove(path("a.png")))
	require.NoError(t, os.Remove(path("b.png")))
	require.NoError(t, os.Mkdir(path("b.png"), 0o777))
	require.NoError(t, os.Truncate(path("c.png"), 40))
	require.NoError(t, os.WriteFile(path("d.png"), encodePNG(t, picture(9, 9)), 0o666))
	for i, want := range []string{
		path("a.png") + ": there is no such file",
		path("b.png") + ": a directory, where a file is expected",
		path("c.png") + ": broken PNG: the file ends too early",
		filepath.Join(dir, "masks/d.png") + ": the mask is 4x4 (height x width), the image images/d.png is 9x9",
	} {
		_, err := src.At(i)
		require.EqualError(t, err, want)
	}
}

// Headers that promise gigabytes cost the memory of a header: bytes are counted, since
// the test would pass on a large machine otherwise.
func TestHeadersCostNoMemory(t *testing.T) {
	wide := rawPNG(1, 1<<16, 8, 2, nil)
	for name, file := range map[string][]byte{
		"60 bytes that ask for 10 GB": pngHead(100_000, 100_000, 8, 2),
		"2^28 pixels in no byte":      pngHead(1<<14, 1<<14, 8, 6),
		"a row of 2^31":               pngHead(1, 1<<31-1, 1, 0),
		"WebP of 2^28":                append([]byte("RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 6)...),
		"wide and empty":              wide,
		"many segments":               append([]byte{0xff, 0xd8}, bytes.Repeat([]byte{0xff, 0xe1, 0xff, 0xff}, 1<<18)...),
		"many chunks":                 append(pngHead(4, 4, 8, 2), bytes.Repeat([]byte("\x00\x00\x00\x00tEXtabcd"), 1<<16)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = readBytes(file, DefaultMaxPixels) // whatever it says
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), name)
	}
}

// Decoders share the pixels that one may have, and give them back, however they end.
func TestDecodersShareABudget(t *testing.T) {
	good, mask := encodePNG(t, picture(8, 8)), encodePNG(t, greyMask(8, 8, 0, 1))
	files := map[string]any{"classes.txt": "a\nb\n"}
	for i := range 32 {
		files[fmt.Sprintf("images/%02d.png", i)], files[fmt.Sprintf("masks/%02d.png", i)] = good, mask
	}
	files["images/07.png"] = good[:len(good)-30]
	files["masks/08.png"] = encodePNG(t, greyMask(8, 8, 9))
	src := openTest(t, "folder:"+write(t, files)+"?max_pixels=64", Train).(*pairs)
	_, summary := problems(t, src, true) // on all cores; one has the whole budget
	require.Equal(t, 2, summary.Bad)
	require.True(t, src.decoding.pixels.TryAcquire(64), "all was given back")
	require.False(t, src.decoding.pixels.TryAcquire(1))

	synctest.Test(t, func(t *testing.T) {
		done := false
		go func() {
			_, err := src.At(0)
			require.NoError(t, err)
			done = true
		}()
		synctest.Wait()
		require.False(t, done, "decoded beyond the budget")
		src.decoding.pixels.Release(64)
		synctest.Wait()
		require.True(t, done)
	})
}

func TestExifOption(t *testing.T) {
	stored, upright := greyMask(8, 16, 0, 1), greyMask(16, 8, 0, 1)
	dir := write(t, map[string]any{
		"classes.txt": "a\nb\n", "images/a.jpg": turnedBy(t, 6), "images/b.jpg": turnedBy(t, 3), "images/c.jpg": turnedBy(t, 1),
		"masks/a.png": stored, "masks/b.png": stored, "masks/c.png": stored,
	})
	for option, doubtful := range map[string]int{"": 2, "?exif=ignore": 0} {
		src := openTest(t, "folder:"+dir+option, Train)
		for _, deep := range []bool{false, true} {
			said, summary := problems(t, src, deep)
			require.Empty(t, said)
			require.Equal(t, doubtful, summary.Doubtful)
		}
		s, err := src.At(0)
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 16, 8), s.Image.Rect)
	}
	said, _ := problems(t, openTest(t, "folder:"+dir+"?exif=apply", Train), false)
	require.Equal(t, []string{filepath.Join(dir, "masks/a.png") + ": the mask is 8x16 (height x width), the image images/a.jpg is 16x8, " +
		"turned by its EXIF orientation; the mask was drawn over it as it is stored: leave ?exif=apply out"}, said)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "masks/a.png"), encodePNG(t, upright), 0o666))
	said, _ = problems(t, openTest(t, "folder:"+dir, Train), false)
	require.Equal(t, []string{filepath.Join(dir, "masks/a.png") + ": the mask is 16x8 (height x width), the image images/a.jpg is 8x16; " +
		"its EXIF orientation is 6, and turned by that it fits: add ?exif=apply to the SPEC"}, said)
	src := openTest(t, "folder:"+dir+"?exif=apply", Train)
	said, summary := problems(t, src, true)
	require.Empty(t, said)
	require.Zero(t, summary.Doubtful)
	require.Equal(t, map[[2]int]int{{16, 8}: 1, {8, 16}: 2}, summary.Sizes)
	plain, err := ReadImage(filepath.Join(dir, "images/a.jpg"), DefaultMaxPixels)
	require.NoError(t, err)
	s, err := src.At(0)
	require.NoError(t, err)
	require.Equal(t, slowUpright(plain, 6), s.Image)

	_, err = Open("folder:"+dir+"?exif=yes", Train)
	require.ErrorContains(t, err, "exif=yes: apply turns images as their EXIF orientation says, ignore takes them as they are stored")
}

// Lists name files of the data set, whatever is in them.
func TestHostileLists(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	dir := write(t, map[string]any{
		"JPEGImages/1.jpg": picture(4, 4), "SegmentationClass/1.png": greyMask(4, 4, 0, 1),
		"ImageSets/Segmentation/train.txt": "1\r\n../../etc/passwd\r\n/etc/passwd\n\n" + long + "\n\x00\n\x1b[2J\n1\n",
	})
	src := openTest(t, "voc:"+dir, Train)
	said, summary := problems(t, src, true)
	require.Equal(t, 7, summary.Samples)
	require.Equal(t, 6, summary.Bad)
	for i, want := range []string{"leads out of the data set's directory", "there is no such file", "file name too long", "invalid argument", "there is no such file", "line 8 names 1, as line 1 does"} {
		require.Contains(t, said[i], want)
		require.NotContains(t, said[i], "\x1b")
		require.NotContains(t, said[i], "\x00")
	}
}

func TestWalkIsBounded(t *testing.T) {
	deep := strings.Repeat("d/", maxNested+1)
	dir := write(t, map[string]any{"images/" + deep + "a.png": picture(4, 4), "masks/" + deep + "a.png": greyMask(4, 4, 0)})
	_, err := Open("folder:"+dir+"?classes=2", Train)
	require.ErrorContains(t, err, fmt.Sprintf("directories more than %d deep", maxNested))

	// A name that is there several times is complained of the same way each time, in
	// whatever order the disk tells of it.
	dir = write(t, map[string]any{"images/a.bmp": "", "images/a.jpg": "", "images/a.png": ""})
	src, err := openPairs(Spec{Kind: "folder", Path: dir})
	require.NoError(t, err)
	names := []string{"images/a.bmp", "images/a.jpg", "images/a.png"}
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		all := map[string]found{}
		for _, i := range order {
			src.put(all, "images", names[i])
		}
		require.Len(t, all, 1)
		require.Equal(t, "images/a.png", all["a"].name)
		require.EqualError(t, all["a"].err, filepath.Join(dir, "images/a.bmp")+" has the same name", "%v", order)
	}
}
