package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// numberedIDs writes n IDs from first on, one a line.
func numberedIDs(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "2007_%06d\n", first+i)
	}
	return b.String()
}

func TestSeg11(t *testing.T) {
	const lists = "VOC2012/ImageSets/Segmentation/"
	for _, c := range []struct {
		name  string
		files map[string]any
		ids   string // --ids
		first string
		count int
		from  string // below the directory
		err   string
	}{
		{name: "computed from the lists of VOC2011 and SBD", first: "2007_000375", count: 736,
			files: map[string]any{"VOC2011/ImageSets/Segmentation/val.txt": numberedIDs(0, 1111), lists + "val.txt": numberedIDs(0, 1449), "benchmark_RELEASE/dataset/train.txt": numberedIDs(-8123, 8498)},
			from:  "VOC2011/ImageSets/Segmentation/val.txt less DIR/benchmark_RELEASE/dataset/train.txt"},
		{name: "from VOC2011 itself", first: "2007_000375", count: 736,
			files: map[string]any{lists + "val.txt": numberedIDs(0, 1111), "VOC2012/sbd/train.txt": numberedIDs(-8123, 8498)},
			from:  "VOC2012/ImageSets/Segmentation/val.txt less DIR/VOC2012/sbd/train.txt"},
		{name: "the authors' list", first: "2007_000000", count: 736,
			files: map[string]any{lists + "seg11valid.txt": numberedIDs(0, 736)}, from: lists + "seg11valid.txt"},
		{name: "the user's list", ids: "mine.txt", first: "2007_000005", count: 2,
			files: map[string]any{"mine.txt": "2007_000005\r\n2007_000004\r\n"}, from: "mine.txt"},
		{name: "VOC2012's val list", files: map[string]any{lists + "val.txt": numberedIDs(0, 1449), "sbd/train.txt": numberedIDs(-8123, 8498)},
			err: "leaves 1074, and seg11valid has 736"},
		{name: "a cut list of the authors", files: map[string]any{lists + "seg11valid.txt": numberedIDs(0, 700)}, err: "has 700 IDs, and seg11valid has 736"},
		{name: "no SBD", files: map[string]any{lists + "val.txt": numberedIDs(0, 1111)}, err: "SBD's train.txt was not found"},
		{name: "nothing", files: map[string]any{lists + "train.txt": "x"}, err: "VOC2011's val list was not found"},
		{name: "an empty list", ids: "mine.txt", files: map[string]any{"mine.txt": " \n"}, err: "no names in it"},
		{name: "no list", ids: "mine.txt", files: map[string]any{"x": ""}, err: "mine.txt: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, c.files)
			s := Seg11{VOC: filepath.Join(dir, "VOC2012")}
			if c.ids != "" {
				s.IDs = filepath.Join(dir, c.ids)
			}
			ids, from, err := s.List()
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, ids, c.count)
			require.Equal(t, c.first, ids[0])
			require.Equal(t, filepath.Join(dir, strings.ReplaceAll(c.from, "DIR", dir)), from)
		})
	}
}

func TestOpenVOC(t *testing.T) {
	dir := write(t, vocFiles())
	src, err := OpenVOC(dir, []string{"2007_2", "2007_1", "2007_2"}, "mine.txt")
	require.NoError(t, err)
	require.Equal(t, []string{"2007_2", "2007_1", "2007_2"}, ids(src))
	require.Equal(t, greyMask(7, 4, 0, 15), at(t, src, 0).Label)
	_, err = src.At(2)
	require.ErrorContains(t, err, "mine.txt: line 3 names 2007_2, as line 1 does")
	_, err = OpenVOC(t.TempDir(), []string{"a"}, "mine.txt")
	require.ErrorContains(t, err, "there is no JPEGImages/")
}

func FuzzReadIDs(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("2007_000033\n2007_000042\r\n"))
	f.Add([]byte("\x00 ../.. \xff\u2028a"))
	path := filepath.Join(f.TempDir(), "list.txt")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o666))
		var ids []string
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 64}.Within(t, len(text), func() { ids, err = readIDs(path) })
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		require.Equal(t, strings.Fields(strings.Join(ids, "\n")), ids)
	})
}
