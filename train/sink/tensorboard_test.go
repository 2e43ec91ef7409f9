package sink

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// after is s seconds after noon.
func after(s float64) event.Head {
	return event.Head{Time: noon.Add(time.Duration(s * float64(time.Second)))}
}

func float(v float64) *event.Float { f := event.Float(v); return &f }

// eventFiles are the files below tb/, in the order in which TensorBoard reads them.
func eventFiles(t *testing.T, runDir string) []string {
	paths, err := filepath.Glob(filepath.Join(runDir, "tb", "*tfevents*"))
	require.NoError(t, err)
	slices.Sort(paths)
	return paths
}

func TestTensorBoardWritesWhatItIsTold(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "truth.png", 4, 2, color.NRGBA{R: 255, A: 255})
	writePair(t, dir, "result.png", 4, 3, color.NRGBA{G: 255, A: 128})
	tb, err := OpenTensorBoard(dir, noon)
	require.NoError(t, err)
	for _, r := range []event.Record{
		event.Started{Head: after(0), Steps: 10},
		event.Phase{Head: after(0.5), Name: event.PhaseTrain},
		event.Step{Head: after(1), Step: 1, Loss: 2.5, LR: 0.125, DataMS: 10, StepMS: 190, Images: 8},
		event.Step{Head: after(2.25), Step: 2, Loss: event.Float(math.NaN()), LR: 1e-10, GradNorm: float(3.5)},
		event.System{Head: after(3), Step: 2, CPUPercent: 196, RSS: 1 << 30, GPUs: []event.GPU{
			{Utilization: 97, Used: 1 << 34, Watts: 480, Celsius: 61}, {Utilization: 1, Used: 2}}},
		event.Eval{Head: after(4), Step: 2, Loss: 0.5, MeanIoU: 0.25, PixelAccuracy: 0.75, MeanAccuracy: 0.5, FwIoU: 0.625,
			ClassIoU: map[string]*event.Float{"sky": float(0.5), "road": float(0), "pole": nil, "bad\xff": float(1)}},
		event.Preview{Head: after(5), Step: 2, Images: []event.PreviewImage{{ID: "val/a", Truth: "truth.png", Result: "result.png"}}},
		event.Finished{Head: after(6), Step: 2},
	} {
		require.NoError(t, tb.Handle(r))
	}
	require.NoError(t, tb.Close())

	files := eventFiles(t, dir)
	require.Len(t, files, 1)
	require.Regexp(t, `^events\.out\.tfevents\.1772366400\..+\.0$`, filepath.Base(files[0]))
	golden(t, "tensorboard.golden", eventText(t, files[0]))
}

func golden(t *testing.T, name, got string) {
	path := filepath.Join("testdata", name)
	// The flag belongs to the tests of the other package here, which share this binary.
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// Every process has a file of its own, behind those before it whatever its clock says,
// and its first step is the one after the checkpoint.
func TestTensorBoardResumed(t *testing.T) {
	dir := t.TempDir()
	for i, test := range []struct {
		now  time.Time
		step int64
		want string
	}{
		{noon, 0, "step 0 session start"},
		{noon, 0, "step 0 session start"}, // in the same second, before the first checkpoint
		{noon.Add(-time.Hour), 20, "step 21 session start"},
		{noon.Add(time.Hour), 1, "step 2 session start"},
	} {
		tb, err := OpenTensorBoard(dir, test.now)
		require.NoError(t, err)
		require.NoError(t, tb.Handle(event.Started{Head: event.Head{Time: test.now}, Step: test.step, Resumed: test.step > 0}))
		require.NoError(t, tb.Close())
		files := eventFiles(t, dir)
		require.Len(t, files, i+1)
		require.Contains(t, eventText(t, files[i]), test.want, "the last file is the newest")
	}
}

// A pixel of the strip is a pixel of one of the four pictures.
func TestStrip(t *testing.T) {
	dir := t.TempDir()
	truth := writePair(t, dir, "truth.png", 6, 4, color.NRGBA{R: 10, A: 255})
	result := writePair(t, dir, "result.png", 6, 4, color.NRGBA{B: 200, A: 255})
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	p, err := readStrip(root, event.PreviewImage{Truth: "truth.png", Result: "result.png"})
	require.NoError(t, err)
	strip, err := png.Decode(bytes.NewReader(p.png))
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 12, 4), strip.Bounds())
	require.Equal(t, [2]int{4, 12}, [2]int{p.height, p.width})
	for y := range 4 {
		for x := range 12 {
			from, fromX := truth, x
			if x >= 6 {
				from, fromX = result, x-6
			}
			require.Equal(t, color.RGBAModel.Convert(from.At(fromX, y)), color.RGBAModel.Convert(strip.At(x, y)), "x %d y %d", x, y)
		}
	}
}

func TestBadPicturesKeepNothingAway(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "run")
	require.NoError(t, os.Mkdir(dir, 0o755))
	writePair(t, dir, "good.png", 4, 2, color.NRGBA{A: 255})
	writePair(t, parent, "outside.png", 4, 2, color.NRGBA{A: 255})
	require.NoError(t, os.Symlink("../outside.png", filepath.Join(dir, "link.png")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text.png"), []byte("hello"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wide.png"), header(1<<20, 1<<20), 0o644))
	require.NoError(t, os.Truncate(writeFile(t, dir, "long.png"), stripFileLimit+1))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe.png"), 0o644))

	tb, err := OpenTensorBoard(dir, noon)
	require.NoError(t, err)
	for name, want := range map[string]string{
		"none.png":                         "no such file",
		"../outside.png":                   "escapes",
		filepath.Join(dir, "good.png"):     "escapes",
		"link.png":                         "escapes",
		"text.png":                         "text.png: no PNG that can be read: ",
		"wide.png":                         "wide.png: 1048576x1048576 (height x width): at most ",
		"long.png":                         "not a file of at most 16 MiB",
		"pipe.png":                         "not a file of at most 16 MiB",
		".":                                "not a file of at most 16 MiB",
		"":                                 "",
		strings.Repeat("long", 100) + "/x": "",
	} {
		for _, p := range []event.PreviewImage{{ID: "bad", Truth: "good.png", Result: name}, {ID: "bad", Truth: name, Result: "good.png"}} {
			tb.shown = pictured{} // each is the first one
			good := event.PreviewImage{ID: "good", Truth: "good.png", Result: "good.png"}
			err := tb.Handle(event.Preview{Head: after(1), Images: []event.PreviewImage{p, good}})
			require.ErrorContains(t, err, want, name)
			require.ErrorContains(t, err, "picture of bad for TensorBoard: ", name)
		}
	}
	require.NoError(t, tb.Handle(event.Step{Head: after(2), Step: 1}))
	require.NoError(t, tb.Close())
	text := eventText(t, eventFiles(t, dir)[0])
	require.Equal(t, 22, strings.Count(text, "preview/good"))
	require.NotContains(t, text, "preview/bad")
	require.Contains(t, text, "train/loss")
}

// What fails leaves whole frames behind, and nothing waits without bound.
func TestTensorBoardOnAFullDisk(t *testing.T) {
	disk := &smallDisk{room: 1000}
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	tb := &TensorBoard{run: root, out: appender{file: disk}}
	failed := 0
	for i := range int64(20_000) {
		head := after(float64(i))
		for _, r := range []event.Record{event.Step{Head: head, Step: i}, event.Eval{Head: head, Step: i}} {
			if err := tb.Handle(r); err != nil {
				require.ErrorIs(t, err, errFull)
				failed++
			}
		}
	}
	require.Greater(t, failed, 39_000)
	whole := readFrames(t, disk.content)
	require.NotEmpty(t, whole)
	require.Less(t, len(tb.out.pending), pendingLimit+1000)

	// Someone makes room.
	disk.room = 1 << 30
	require.NoError(t, tb.Handle(event.Step{Head: after(20_000), Step: 20_000}))
	require.NoError(t, tb.Close())
	frames := readFrames(t, disk.content)
	require.Equal(t, whole, frames[:len(whole)])
	last := eventLine(t, frames[len(frames)-1])
	require.Contains(t, last, "step 20000 ")
}

// Steps that follow one another closely share a write.
func TestTensorBoardBuffersSteps(t *testing.T) {
	dir := t.TempDir()
	tb, err := OpenTensorBoard(dir, noon)
	require.NoError(t, err)
	size := func() int64 {
		info, err := os.Stat(eventFiles(t, dir)[0])
		require.NoError(t, err)
		return info.Size()
	}
	require.NoError(t, tb.Handle(event.Step{Head: after(1), Step: 1}))
	first := size()
	require.NoError(t, tb.Handle(event.Step{Head: after(1.01), Step: 2}))
	require.NoError(t, tb.Handle(event.Step{Head: after(1.09), Step: 3}))
	require.Equal(t, first, size())
	require.NoError(t, tb.Handle(event.Phase{Head: after(1.095), Name: event.PhaseEval}))
	require.Greater(t, size(), first)
	require.NoError(t, tb.Close())
	require.Len(t, readFrames(t, readFile(t, eventFiles(t, dir)[0])), 4)
}

func TestOpenTensorBoardSaysWhatIsInItsWay(t *testing.T) {
	_, err := OpenTensorBoard(filepath.Join(t.TempDir(), "none"), noon)
	require.ErrorIs(t, err, os.ErrNotExist)
	dir := t.TempDir()
	writeFile(t, dir, "tb")
	_, err = OpenTensorBoard(dir, noon)
	require.ErrorContains(t, err, "event file for TensorBoard: ")
}

// The checksum is the one of the format: those of "123456789" and of zeros are known
// from its specification (RFC 3720, B.4).
func TestMaskedCRC(t *testing.T) {
	mask := func(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }
	require.Equal(t, mask(0xe3069283), maskedCRC([]byte("123456789")))
	require.Equal(t, mask(0x8a9136aa), maskedCRC(make([]byte, 32)))
	require.Equal(t, mask(slowCRC([]byte("TensorBoard"))), maskedCRC([]byte("TensorBoard")))
}

// Whatever the files of a preview hold, what comes of them is a picture or an error.
func FuzzStrip(f *testing.F) {
	memtest.Cap(f)
	var b bytes.Buffer
	require.NoError(f, png.Encode(&b, image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})))
	f.Add(b.Bytes(), b.Bytes())
	f.Add(b.Bytes()[:40], []byte{})
	f.Add(header(1<<12, 1<<12+1), header(1, 1))
	f.Fuzz(func(t *testing.T, truth, result []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), truth, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), result, 0o644))
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer root.Close()
		var p picture
		// Two pictures of as many pixels as are read, of up to 8 bytes each, and one beside the other.
		memtest.Bound{Any: 32 * stripPixelLimit, PerByte: 1 << 10}.Within(t, len(truth)+len(result), func() {
			p, err = readStrip(root, event.PreviewImage{Truth: "a", Result: "b"})
		})
		if err != nil {
			return
		}
		config, err := png.DecodeConfig(bytes.NewReader(p.png))
		require.NoError(t, err)
		require.Equal(t, [2]int{p.height, p.width}, [2]int{config.Height, config.Width})
	})
}

// header is the beginning of a PNG of a size.
func header(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := binary.BigEndian.AppendUint32(nil, 13)
	chunk = append(chunk, "IHDR"...)
	chunk = binary.BigEndian.AppendUint32(chunk, w)
	chunk = binary.BigEndian.AppendUint32(chunk, h)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	b = append(b, chunk...)
	return binary.BigEndian.AppendUint32(b, ieee(chunk[4:]))
}

// writePair writes a picture whose left half is of a colour and whose right half is
// a gradient.
func writePair(t *testing.T, dir, name string, w, h int, left color.NRGBA) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, left)
			if x >= w/2 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 77, 255})
			}
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644))
	return img
}

func writeFile(t *testing.T, dir, name string) string {
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	return path
}

func readFile(t *testing.T, path string) []byte {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// eventText is a file of events, one a line.
func eventText(t *testing.T, path string) string {
	var b strings.Builder
	for _, data := range readFrames(t, readFile(t, path)) {
		fmt.Fprintln(&b, eventLine(t, data))
	}
	return b.String()
}

// Pictures are the rarer the longer the run is, and the first ones are all there.
func TestTensorBoardHasPicturesOfSomeEvaluations(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "a.png", 4, 2, color.NRGBA{R: 255, A: 255})
	tb, err := OpenTensorBoard(dir, noon)
	require.NoError(t, err)
	for step := range int64(70) {
		require.NoError(t, tb.Handle(event.Preview{Head: after(float64(step)), Step: step, Images: []event.PreviewImage{{ID: "a", Truth: "a.png", Result: "a.png"}}}))
	}
	require.NoError(t, tb.Close())
	var got []int64
	step := int64(-1)
	for line := range strings.Lines(eventText(t, eventFiles(t, dir)[0])) {
		if _, rest, ok := strings.Cut(line, " step "); ok {
			_, err := fmt.Sscan(rest, &step)
			require.NoError(t, err)
		}
		if strings.Contains(line, "preview/a") {
			got = append(got, step)
		}
	}
	var want []int64
	for step := range int64(70) {
		if step < 20 || step < 60 && step%2 == 1 || step >= 60 && (step-63)%4 == 0 {
			want = append(want, step)
		}
	}
	require.Equal(t, want, got)

	var p pictured
	for range 20_000 {
		if p.due() {
			p.wrote()
		}
	}
	require.LessOrEqual(t, p.written, 200)
	require.Greater(t, p.written, 190)
}
