package caffe

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
	"github.com/fcnx/fcnx/memtest"
)

// readBytes opens and reads a whole file, which may ask for little more than the
// window and a few times the file.
func readBytes(t *testing.T, b []byte) (f *File, tensors map[string][]byte, err error) {
	t.Helper()
	used := memtest.Allocated(func() {
		if f, err = open(b); err == nil {
			tensors, err = readertest.ReadAll(f)
		}
	})
	require.Less(t, used, int64(2<<20+16*len(b)))
	if err != nil {
		require.ErrorContains(t, err, "x.caffemodel: ")
	}
	return f, tensors, err
}

// ends are the places in b where a field of the network ends.
func ends(t *testing.T, b []byte) []int {
	t.Helper()
	var list []int
	for n := 0; n < len(b); {
		_, _, k := protowire.ConsumeField(b[n:])
		require.Positive(t, k)
		n += k
		list = append(list, n)
	}
	return list
}

// The format marks no end: a file that was cut between two layers is a file, with the
// tensors of those before, and any other cut is an error.
func TestCutOff(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.caffemodel"))
	require.NoError(t, err)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b := readertest.Testdata(t, filepath.Base(path))
			whole := len(b)
			f, all, err := readBytes(t, b)
			require.NoError(t, err)
			require.NotEmpty(t, f.Infos())
			boundaries := ends(t, b)
			step := 1
			if whole > 1000 {
				step = whole / 100
			}
			cuts := slices.Clone(boundaries[:len(boundaries)-1])
			for n := 0; n < whole; n += step {
				cuts = append(cuts, n)
			}
			for _, n := range cuts {
				_, got, err := readBytes(t, b[:n])
				if err == nil {
					require.Contains(t, boundaries, n)
					require.Less(t, n, whole)
					for name, values := range got {
						require.Equal(t, all[name], values, name)
					}
				}
			}
		})
	}
}

// Without a checksum a changed number is a number. What opens still has the sizes that
// its shapes want, and what does not says which file it is.
func TestFlippedBits(t *testing.T) {
	for _, name := range []string{"tiny.caffemodel", "tiny_double.caffemodel", "tiny_unpacked.caffemodel", "tiny_diff.caffemodel"} {
		t.Run(name, func(t *testing.T) {
			b := readertest.Testdata(t, name)
			refused := 0
			for i := range 8 * len(b) {
				flipped := bytes.Clone(b)
				flipped[i/8] ^= 1 << (i % 8)
				f, got, err := readBytes(t, flipped)
				if err != nil {
					refused++
					continue
				}
				for _, info := range f.Infos() {
					size, err := info.Size()
					require.NoError(t, err)
					require.Len(t, got[info.Name], int(size), "bit %d", i)
				}
			}
			require.Greater(t, refused, len(b), "an eighth of all bits, at least, is structure")
		})
	}
}

// The messages of the tests are put together by hand, right or wrong.
type message []byte

func (m message) varint(number protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), v)
}

func (m message) bytes(number protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, number, protowire.BytesType), b)
}

func (m message) text(number protowire.Number, s string) message { return m.bytes(number, []byte(s)) }

func (m message) float(number protowire.Number, v float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, number, protowire.Fixed32Type), math.Float32bits(v))
}

func dims(list ...int64) []byte {
	var packed []byte
	for _, d := range list {
		packed = protowire.AppendVarint(packed, uint64(d))
	}
	return message{}.bytes(shapeDim, packed)
}

// layerOf is a convolution with one blob, and netOf a network of layers.
func layerOf(blob message) message {
	return message{}.text(v2Layer.name, "a").text(v2Layer.kind, "Convolution").bytes(v2Layer.blobs, blob)
}

func netOf(layers ...message) message {
	m := message{}.text(1, "net")
	for _, l := range layers {
		m = m.bytes(netLayers, l)
	}
	return m
}

func TestHostileFiles(t *testing.T) {
	two := message{}.bytes(blobShape, dims(2)).bytes(blobData, make([]byte, 8))
	for _, c := range []struct {
		name string
		file message
		want string
	}{
		{"no layers", message{}.text(1, "a net without layers"), "it has no layers"},
		{"no weights", netOf(message{}.text(1, "a")), "none of its 1 layers has weights"},
		{"field number 0", message{0x02, 0x00}, "at byte 0: does not begin as a field does"},
		{"field number 2^33", protowire.AppendVarint(nil, 1<<36|2), "at byte 0: does not begin as a field does"},
		{"tag that never ends", bytes.Repeat([]byte{0xff}, 100), "at byte 0: does not begin as a field does"},
		{"length that never ends", append(message{0x0a}, bytes.Repeat([]byte{0xff}, 100)...), "field 1 has no value"},
		{"length overflows", append(message{0x0a}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), "field 1 has no value"},
		{"length 2^38", protowire.AppendVarint(message{0x12}, 1<<38), "field 2 has 274877906944 bytes, and 0 are left"},
		{"length 2^62", protowire.AppendVarint(message{0x12}, 1<<62), "field 2 has 4611686018427387904 bytes, and 0 are left"},
		{"length 2^64-1", protowire.AppendVarint(message{0x12}, math.MaxUint64), "field 2 has 18446744073709551615 bytes"},
		{"a group", message{0x0b, 0x0c}, "field 1 is of kind 3, which Caffe does not write"},
		{"groups in groups", bytes.Repeat([]byte{0x0b}, 1<<20), "field 1 is of kind 3"},
		{"kind 7", message{0x0f}, "field 1 is of kind 7"},
		{"layers that are numbers", message{}.varint(netLayers, 1), "field 100 is of kind 0, and 2 is wanted"},
		{"both generations", message{}.bytes(netLayersV1, nil).bytes(netLayers, nil), "old and new layers in one network"},
		{"V0 layer", message{}.bytes(netLayersV1, message{}.bytes(1, nil)), "let Caffe's upgrade_net_proto_binary convert the file"},
		{"V1 type is a text", message{}.bytes(netLayersV1, message{}.text(5, "x")), "field 5 is of kind 2, and 0 is wanted"},
		{"type is a number", netOf(message{}.varint(2, 1)), "field 2 is of kind 0, and 2 is wanted"},
		{"long name", netOf(message{}.text(1, strings.Repeat("x", 257))), "a text of 257 bytes, and at most 256 are allowed"},
		{"name is not UTF-8", netOf(message{}.text(1, "\xff")), "a text that is not UTF-8"},
		{"no name", netOf(message{}.bytes(7, two)), "it has weights and no name"},
		{"name twice", netOf(layerOf(two), layerOf(two)), `layer 2 "a": a layer before has weights and the same name`},
		{"blob is a number", netOf(message{}.varint(7, 1)), "field 7 is of kind 0, and 2 is wanted"},
		{"blob in a blob's length", netOf(layerOf(protowire.AppendVarint(message{0x2a}, 100))), `layer 1 "a": blob 0: at byte`},
		{"empty blob", netOf(layerOf(nil)), `blob 0: its shape [] wants 1 numbers, and it has 0`},
		{"shape without numbers", netOf(layerOf(message{}.bytes(blobShape, dims(2)))), "its shape [2] wants 2 numbers, and it has 0"},
		{"too few numbers", netOf(layerOf(message{}.bytes(blobShape, dims(3)).bytes(blobData, make([]byte, 8)))), "its shape [3] wants 3 numbers, and it has 2"},
		{"numbers in parts", netOf(layerOf(message{}.bytes(blobShape, dims(2)).bytes(blobData, make([]byte, 7)))), "7 bytes are no whole numbers of 4"},
		{"doubles in parts", netOf(layerOf(message{}.bytes(blobShape, dims(2)).bytes(blobDouble, make([]byte, 12)))), "12 bytes are no whole numbers of 8"},
		{"numbers are integers", netOf(layerOf(message{}.varint(blobData, 1))), "field 5 is of kind 0, and 2 is wanted"},
		{"float as double", netOf(layerOf(message{}.float(blobDouble, 1))), "field 8 is of kind 5, and 2 is wanted"},
		{"dimension 2^38", netOf(layerOf(message{}.bytes(blobShape, dims(1<<38)))), "its shape [274877906944] wants 274877906944 numbers, and it has 0"},
		{"dimension 2^62", netOf(layerOf(message{}.bytes(blobShape, dims(1<<62)))), "its shape [4611686018427387904] is too large"},
		{"product overflows to 0", netOf(layerOf(message{}.bytes(blobShape, dims(1<<32, 1<<32)))), "is too large"},
		{"negative dimension", netOf(layerOf(message{}.bytes(blobShape, dims(-2)))), "dimension -2 is negative or too large"},
		{"two negative dimensions", netOf(layerOf(message{}.bytes(blobShape, dims(-1, -2)).bytes(blobData, make([]byte, 8)))), "dimension -1 is negative or too large"},
		{"negative legacy dimension", netOf(layerOf(message{}.varint(1, math.MaxUint64).bytes(blobData, make([]byte, 8)))), "dimension -1 is negative or too large"},
		{"legacy dimension 2^32+2", netOf(layerOf(message{}.varint(1, 1<<32+2).bytes(blobData, make([]byte, 8)))), "dimension 4294967298 is negative or too large"},
		{"legacy dimension is a text", netOf(layerOf(message{}.text(1, "2"))), "field 1 is of kind 2, and 0 is wanted"},
		{"33 dimensions", netOf(layerOf(message{}.bytes(blobShape, dims(make([]int64, 33)...)))), "more than 32 dimensions"},
		{"dimension that never ends", netOf(layerOf(message{}.bytes(blobShape, message{}.bytes(shapeDim, bytes.Repeat([]byte{0xff}, 20))))), "a dimension that is no number"},
		{"dimension cut off", netOf(layerOf(message{}.bytes(blobShape, message{}.bytes(shapeDim, []byte{0x80})))), "a dimension that is no number"},
		{"shape is a number", netOf(layerOf(message{}.varint(blobShape, 1))), "field 7 is of kind 0, and 2 is wanted"},
		{"mean is infinite", netOf(message{}.bytes(100, message{}.float(5, float32(math.Inf(1))))), "a mean of +Inf"},
		{"scale is 0", netOf(message{}.bytes(100, message{}.float(1, 0))), "a scale of 0"},
		{"scale is a varint", netOf(message{}.bytes(100, message{}.varint(1, 1))), "field 1 is of kind 0, and 5 is wanted"},
		{"many means", netOf(message{}.bytes(100, message{}.bytes(5, make([]byte, 4*65)))), "mean values of 260 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readBytes(t, c.file)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 250)
		})
	}
}

// What the format allows and Caffe reads, although it never writes it.
func TestUnusualFiles(t *testing.T) {
	floats := func(v ...float32) (b []byte) {
		for _, f := range v {
			b = protowire.AppendFixed32(b, math.Float32bits(f))
		}
		return b
	}
	shape := message{}.bytes(blobShape, dims(4))
	for _, c := range []struct {
		name string
		blob message
	}{
		{"packed", slices.Concat(shape, message{}.bytes(5, floats(1, 2, 3, 4)))},
		{"packed in two", slices.Concat(shape, message{}.bytes(5, floats(1, 2)).bytes(5, nil).bytes(5, floats(3, 4)))},
		{"one by one", slices.Concat(shape, message{}.float(5, 1).float(5, 2).float(5, 3).float(5, 4))},
		{"both", slices.Concat(shape, message{}.float(5, 1).bytes(5, floats(2)).float(5, 3).float(5, 4))},
		{"differences between", slices.Concat(shape, message{}.float(5, 1).float(6, 9).float(5, 2).float(5, 3).float(6, 9).float(5, 4))},
		{"far apart", slices.Concat(shape, message{}.float(5, 1).bytes(6, make([]byte, 100)).float(5, 2).float(5, 3).float(5, 4))},
		{"the shape last", slices.Concat(message{}.bytes(5, floats(1, 2, 3, 4)), shape)},
		{"the shape in two", message{}.bytes(7, dims(2)).bytes(5, floats(1, 2, 3, 4)).bytes(7, dims(2))},
		{"dimensions one by one", message{}.bytes(7, message{}.varint(1, 2).varint(1, 2)).bytes(5, floats(1, 2, 3, 4))},
		{"legacy before shape", message{}.varint(1, 1).varint(2, 4).varint(3, 1).varint(4, 1).bytes(7, dims(9)).bytes(5, floats(1, 2, 3, 4))},
		{"unknown fields", slices.Concat(shape, message{}.text(99, "x").varint(98, 1).bytes(5, floats(1, 2, 3, 4)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, tensors, err := readBytes(t, netOf(layerOf(c.blob)))
			require.NoError(t, err)
			require.Equal(t, map[string][]byte{"a/0": floats(1, 2, 3, 4)}, tensors)
		})
	}
}

// Small fields in great number come to an end, with little memory.
func TestTooMany(t *testing.T) {
	one := message{}.float(5, 1)
	var scattered message // each number in a piece of its own
	for range maxPieces + 1 {
		scattered = scattered.bytes(5, make([]byte, 4))
	}
	blobs := message{}.text(1, strings.Repeat("x", maxName))
	for range maxTensors + 1 {
		blobs = blobs.bytes(7, one)
	}
	layers := netOf()
	for range maxLayers + 1 {
		layers = layers.bytes(netLayers, nil)
	}
	for _, c := range []struct {
		file message
		want string
	}{
		{netOf(layerOf(scattered)), "its numbers are in more than 65536 pieces"},
		{netOf(blobs), "more than 16384 blobs"},
		{layers, "it has more than 16384 layers"},
	} {
		var err error
		used := memtest.Allocated(func() { _, err = open(c.file) })
		require.ErrorContains(t, err, c.want)
		require.Less(t, used, int64(32<<20))
	}
}

func TestWrongKindOfFile(t *testing.T) {
	for _, c := range []struct{ start, want string }{
		{"", "not a caffemodel: it is empty"},
		{"PK\x03\x04", "not a caffemodel: it is a zip file"},
		{"\x80\x02}q\x00", "not a caffemodel: it is a Python pickle"},
		{"\x89HDF\r\n\x1a\n", "not a caffemodel: it is an HDF5 file (.caffemodel.h5)"},
		{"version https://git-lfs.github.com/spec/v1\n", "not a caffemodel: it is a Git LFS pointer"},
		{"<!DOCTYPE html>", "not a caffemodel: it is a web page"},
		{"name: \"VGG16\"\nlayer {\n\ttype: \"Data\"\n}\n", "not a caffemodel: it is a text, such as a .prototxt"},
		{string(readertest.Testdata(t, "mean.binaryproto")), "bad caffemodel: at byte 4: field 2 is of kind 0, and 2 is wanted: is the file cut off or of another kind?"},
		{string(readertest.Testdata(t, "tiny.safetensors")), "bad caffemodel: at byte"},
	} {
		_, _, err := readBytes(t, []byte(c.start))
		require.ErrorContains(t, err, "x.caffemodel: "+c.want)
	}
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "absent.caffemodel"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	require.EqualError(t, err, dir+" is not a file")
	_, err = ReadMean(dir)
	require.EqualError(t, err, dir+" is not a file")
}

func TestHostileMeans(t *testing.T) {
	for _, c := range []struct {
		name string
		file message
		want string
	}{
		{"empty", nil, "it is empty"},
		{"a network", readertest.Testdata(t, "tiny.caffemodel"), "field 1 is of kind 2, and 0 is wanted"},
		{"grey", message{}.bytes(blobShape, dims(1, 1, 1, 2)).bytes(blobData, make([]byte, 8)), "its shape is [1 1 1 2], and should be [1 3 height width]"},
		{"two images", message{}.bytes(blobShape, dims(2, 3, 1, 1)).bytes(blobData, make([]byte, 24)), "its shape is [2 3 1 1]"},
		{"no pixels", message{}.bytes(blobShape, dims(3, 0, 1)), "its shape is [3 0 1]"},
		{"2^62", message{}.bytes(blobShape, dims(3, 1<<31, 1<<31)), "is too large"},
		{"2^38", message{}.bytes(blobShape, dims(3, 1<<19, 1<<19)), "wants 824633720832 numbers, and it has 0"},
		{"not finite", message{}.bytes(blobShape, dims(3, 1, 1)).bytes(blobData, bytes.Repeat([]byte{0xff}, 12)), "the mean of channel 0 is NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			used := memtest.Allocated(func() { _, err = readMean("x.binaryproto", bytes.NewReader(c.file), int64(len(c.file))) })
			require.ErrorContains(t, err, "x.binaryproto: ")
			require.ErrorContains(t, err, c.want)
			require.Less(t, used, int64(1<<20))
		})
	}
	for _, name := range []string{"mean.binaryproto", "mean_double.binaryproto"} {
		b := readertest.Testdata(t, name)
		for n := range len(b) {
			_, err := readMean("x.binaryproto", bytes.NewReader(b[:n]), int64(n))
			require.ErrorContains(t, err, "x.binaryproto: ")
		}
	}
}

// A file that shrinks under an open reader is an error, not zeros.
func TestFileCutOffWhileOpen(t *testing.T) {
	for _, name := range []string{"vgg16_v1.caffemodel", "vgg16_unpacked.caffemodel"} {
		path := filepath.Join(t.TempDir(), "x.caffemodel")
		b := readertest.Testdata(t, name)
		require.NoError(t, os.WriteFile(path, b, 0o666))
		f, err := Open(path)
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, os.Truncate(path, int64(len(b)/2)))
		_, err = readertest.ReadAll(f)
		require.ErrorContains(t, err, path+`: tensor "`)
		require.ErrorContains(t, err, "unexpected EOF")
	}
}
