package pth

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Sizes that overflow, or are more than the file has.
func TestHostileSizes(t *testing.T) {
	const most = math.MaxInt64
	one := numbers(1)
	for _, c := range []struct {
		name     string
		class    string
		elements int64 // of a storage that has 16 bytes
		first    int64
		shape    string
		strides  string
		want     string
	}{
		{"storage of 2^38", "FloatStorage", 1 << 38, 0, one, one, "1099511627776 bytes"},
		{"storage of 2^62", "FloatStorage", 1 << 62, 0, one, one, "overflows"},
		{"storage of 2^63-1", "DoubleStorage", most, 0, one, one, "overflows"},
		{"storage of 2^62 bytes", "ByteStorage", 1 << 62, 0, one, one, "4611686018427387904 bytes"},
		{"storage of -1", "FloatStorage", -1, 0, one, one, "refers to a storage in a way"},
		{"shape of 2^38", "FloatStorage", 4, 0, numbers(1 << 38), one, "is larger than the file"},
		{"shape of 2^62", "FloatStorage", 4, 0, numbers(1 << 62), one, "is larger than the file"},
		{"shape of 2^62 bytes", "ByteStorage", 16, 0, numbers(1 << 62), one, "is larger than the file"},
		{"expanded to 2^38", "FloatStorage", 4, 0, numbers(1 << 38), numbers(0), "is larger than the file"},
		{"expanded to 2^62 by 4", "FloatStorage", 4, 0, numbers(1<<62, 4), numbers(0, 0), "is larger than the file"},
		{"expanded to 2^32 by 2^32", "FloatStorage", 4, 0, numbers(1<<32, 1<<32), numbers(0, 0), "is larger than the file"},
		{"stride of 2^62", "FloatStorage", 4, 0, numbers(5), numbers(1 << 62), "reaches beyond its storage"},
		{"stride of 2^63-1", "FloatStorage", 4, 0, numbers(2), numbers(most), "reaches beyond its storage"},
		{"strides that overflow together", "ByteStorage", 16, 0, numbers(2, 2), numbers(most, most), "reaches beyond its storage"},
		{"stride of -1", "FloatStorage", 4, 3, numbers(4), numbers(-1), "has a negative size or stride"},
		{"shape of -1", "FloatStorage", 4, 0, numbers(-1), one, "has a negative size or stride"},
		{"two negative dimensions", "FloatStorage", 4, 0, numbers(-2, -2), numbers(2, 1), "has a negative size or stride"},
		{"begin at -1", "FloatStorage", 4, -1, one, one, "does not begin in its storage"},
		{"begin at 4", "FloatStorage", 4, 4, one, one, "reaches beyond its storage"},
		{"begin at 2^62", "FloatStorage", 4, 1 << 62, one, one, "does not begin in its storage"},
		{"one too many", "FloatStorage", 4, 0, numbers(5), one, "reaches beyond its storage"},
		{"one too far", "FloatStorage", 4, 1, numbers(2, 2), numbers(2, 1), "reaches beyond its storage"},
		{"more sizes than strides", "FloatStorage", 4, 0, numbers(1, 1), one, "has 2 dimensions and 1 strides"},
		{"65 dimensions", "FloatStorage", 4, 0, numbers(make([]int64, 65)...), numbers(make([]int64, 65)...), "its arguments are not what"},
		{"a size of 80 bits", "FloatStorage", 4, 0, "(\x8a\x0a0123456789t", one, "its arguments are not what"},
		{"a size that is a list", "FloatStorage", 4, 0, "](]e", one, "its arguments are not what"},
		{"a storage of no type", "Tensor", 4, 0, one, one, "refers to a storage in a way"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The size of the storage is then not the entry's.
			want := c.want
			if c.elements > 4 && c.class != "ByteStorage" || c.elements > 16 {
				want = ""
			}
			requireRefused(t, forgeZip(t, dictOf(tensorOf(c.class, c.elements, c.first, c.shape, c.strides, "")), 16), want)
			elements := uint64(max(c.elements, 0))
			requireRefused(t, forgeLegacy(dictOf(tensorOf(c.class, c.elements, c.first, c.shape, c.strides, "N")), elements, 16), c.want)
		})
	}
	good := dictOf(tensorOf("FloatStorage", 4, 0, numbers(2, 2), numbers(2, 1), ""))
	_, err := openBytes(forgeZip(t, good, 16))
	require.NoError(t, err)
	requireRefused(t, forgeZip(t, good, 15), `storage "0" should have 16 bytes, and its entry has 15`)
	requireRefused(t, forgeZip(t, good, 17), `storage "0" should have 16 bytes, and its entry has 17`)
	requireRefused(t, forgeZip(t, strings.ReplaceAll(good, text("0"), text("../0")), 16), `storage "../0" has no entry`)

	good = dictOf(tensorOf("FloatStorage", 4, 0, numbers(2, 2), numbers(2, 1), "N"))
	_, err = openBytes(forgeLegacy(good, 4, 16))
	require.NoError(t, err)
	requireRefused(t, forgeLegacy(good, 5, 16), `storage "0" has 5 elements at`)
	requireRefused(t, forgeLegacy(good, 1<<62, 16), "elements at")
	requireRefused(t, forgeLegacy(good, 4, 15), "does not lie in the file")
	view := func(first, elements int64) []byte {
		rest := "(" + text("v") + number(first) + number(elements) + "t"
		return forgeLegacy(dictOf(tensorOf("FloatStorage", 4, 0, numbers(1), numbers(1), rest)), 4, 16)
	}
	_, err = openBytes(view(3, 1))
	require.NoError(t, err)
	for _, v := range [][2]int64{{4, 1}, {-1, 1}, {0, 5}, {1 << 62, 1 << 62}, {most, most}, {0, -1}} {
		requireRefused(t, view(v[0], v[1]), "has a view that does not lie in it")
	}
	requireRefused(t, view(4, 0), "reaches beyond its storage")
}

// Pickles that would make a careless reader allocate, recurse or go on for ever.
func TestHostilePickles(t *testing.T) {
	wide := func(op string, width int, n uint64) string {
		return op + string(binary.LittleEndian.AppendUint64(nil, n)[:width])
	}
	for _, c := range []struct{ name, pickle, want string }{
		{"a string of 2^32-1", wide("X", 4, math.MaxUint32), "4294967295 bytes should follow"},
		{"a string of 2^38", wide("\x8d", 8, 1<<38), "274877906944 bytes should follow"},
		{"a string of 2^62", wide("\x8d", 8, 1<<62), "4611686018427387904 bytes should follow"},
		{"a string of 2^64-1", wide("\x8d", 8, math.MaxUint64), "18446744073709551615 bytes should follow"},
		{"bytes of 2^62", wide("\x8e", 8, 1<<62), "bytes should follow"},
		{"a bytearray of 2^63", wide("\x96", 8, 1<<63), "bytes should follow"},
		{"a number of 2^31", wide("\x8b", 4, 1<<31), "bytes should follow"},
		{"a memo of 2^32-1", "N" + wide("r", 4, math.MaxUint32), "remembers value 4294967295 after 0"},
		{"a memo of nothing", "q\x00", "takes a value where there is none"},
		{"from an empty memo", "h\x00", "before there is one"},
		{"from a hole of the memo", "Nq\x01h\x00", "before there is one"},
		{"through a mark", "N(\x85", "takes a value where there is none"},
		{"below a mark", "](a", "takes a value where there is none"},
		{"a tuple without a mark", "Nt", "has no mark"},
		{"a key without a value", "}(Nu", "a key without a value"},
		{"an item of a list", "]NNs", "sets an item of a list"},
		{"an append to a dict", "}Na", "appends to a dict"},
		{"a name without an end", "c" + strings.Repeat("a", 1<<17), "a name has no end"},
		{"nothing", "", "with 0 values"},
		{"None", "N", "the file holds None"},
		{"two values", "NN", "with 2 values"},
		{"an open mark", "N(", "with 1 values"},
		{"itself", "}\x94" + text("w") + "h\x00s0h\x00", "a dict without a tensor"},
		{"itself as a state dict", "}\x94" + text("state_dict") + "h\x00s0h\x00", "a dict without a tensor"},
		{"marks", strings.Repeat("(", 1<<20), "with 0 values"},
		{"tuples in tuples", "N" + strings.Repeat("\x85", 1<<20), "the file holds a tuple"},
		{"dicts", strings.Repeat("}", 1<<20), "values"},
		{"a memo of nothing twice", strings.Repeat("\x94", 1<<20), "takes a value"},
		{"a memo of many values", "N" + strings.Repeat("\x94", 1<<20), "holds None"},
		{"copies", "N" + strings.Repeat("2", 1<<20), "values"},
		{"OrderedDicts", "ccollections\nOrderedDict\n\x94" + strings.Repeat("h\x00)R", 1<<18), "values"},
		{"OrderedDicts of a long list", "](" + strings.Repeat("N", 1<<16) + "e\x94" + strings.Repeat("ccollections\nOrderedDict\nh\x00\x85R", 1<<14), "values"},
		{"tensors", tensorOf("FloatStorage", 4, 0, numbers(make([]int64, 64)...), numbers(make([]int64, 64)...), "") + "0" +
			"ctorch._utils\n_rebuild_tensor_v2\n\x94((" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(4) + "tQ" +
			number(0) + numbers(make([]int64, 64)...) + numbers(make([]int64, 64)...) + "\x89}t\x94" + strings.Repeat("h\x00h\x01R", 1<<17), "values"},
		{"steps", strings.Repeat("N0", maxSteps/2+1), "steps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			requireRefused(t, forgeZip(t, "\x80\x02"+c.pickle+".", 16), c.want)
		})
	}
}

// Dicts that name each other a thousand times take no time that grows as their
// product.
func TestTangledDicts(t *testing.T) {
	inner := "}\x94(" + strings.Repeat(text("x")+"N", 1<<12) + "u"
	pickle := "\x80\x02" + inner + "0}(" + strings.Repeat(text("y")+"h\x00", 1<<12) + "u."
	requireRefused(t, forgeZip(t, pickle, 0), "too many or too tangled")
}

// What else a zip file can say.
func TestHostileZip(t *testing.T) {
	pickle := dictOf(tensorOf("FloatStorage", 4, 0, numbers(4), numbers(1), ""))
	forge := func(change func(end, directory []byte)) []byte {
		b := forgeZip(t, pickle, 16)
		end := b[len(b)-endLength:]
		change(end, b[binary.LittleEndian.Uint32(end[16:]):])
		return b
	}
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	last := func(directory []byte) []byte {
		return directory[bytes.LastIndex(directory, []byte(directorySignature)):]
	}
	for _, c := range []struct {
		name   string
		change func(end, directory []byte)
		want   string
	}{
		{"too many entries", func(end, _ []byte) { put16(end[10:], 5000) }, "does not fit the file"},
		{"too few entries", func(end, _ []byte) { put16(end[10:], 2) }, "bytes follow the last entry"},
		{"a directory of 2^32-2", func(end, _ []byte) { put32(end[12:], math.MaxUint32-1) }, "does not fit the file"},
		{"a directory at 2^32-2", func(end, _ []byte) { put32(end[16:], math.MaxUint32-1) }, "does not fit the file"},
		{"64 bits that are not there", func(end, _ []byte) { put32(end[16:], math.MaxUint32) }, "does not end as one"},
		{"an entry of 2^32-2", func(_, d []byte) { put32(last(d)[20:], math.MaxUint32-1); put32(last(d)[24:], math.MaxUint32-1) }, "its entry has 4294967294"},
		{"an entry of 64 bits", func(_, d []byte) { put32(last(d)[20:], math.MaxUint32); put32(last(d)[24:], math.MaxUint32) }, "has no size of 64 bits"},
		{"the pickle is too long", func(_, d []byte) { put32(d[20:], 1<<30); put32(d[24:], 1<<30) }, "does not lie in the file"},
		{"the pickle is outside", func(_, d []byte) { put32(d[42:], 1<<30) }, "does not lie in the file"},
		{"the pickle is in another thing", func(_, d []byte) { put32(d[42:], 1) }, "there is another thing at 1"},
		{"a storage is outside", func(_, d []byte) { put32(last(d)[42:], 1<<30) }, "does not lie in the file"},
		{"compressed", func(_, d []byte) { put16(d[10:], 8) }, "is compressed or encrypted"},
		{"encrypted", func(_, d []byte) { d[8] |= 1 }, "is compressed or encrypted"},
		{"a name that is too long", func(_, d []byte) { put16(last(d)[28:], 60000) }, "its directory is damaged"},
		{"the pickle is another", func(_, d []byte) { d[16]++ }, `its entry "a/data.pkl" is damaged`},
		{"the order is another", func(_, d []byte) { copy(d[bytes.Index(d, []byte("a/byteorder"))-directoryLength+16:], "oops") }, `its entry "a/byteorder" is damaged`},
	} {
		t.Run(c.name, func(t *testing.T) { requireRefused(t, forge(c.change), c.want) })
	}
	// A number in 64 bits is read where the entry says that it is there.
	require.Equal(t, []byte("12345678"), zip64Field([]byte("FB\x02\x00zz\x01\x00\x08\x0012345678")))
	require.Nil(t, zip64Field([]byte("FB\x09\x00zz")))
}

// An index is not believed when it comes from elsewhere.
func TestIndexIsChecked(t *testing.T) {
	good := func() Index {
		return Index{Kind: Zip, Storages: []Storage{{Offset: 10, Size: 16}}, Tensors: []Tensor{
			{Name: "a", DType: "F32", Shape: []int64{4}, Strides: []int64{1}},
			{Name: "b", DType: "F64", Shape: []int64{}, Strides: []int64{}, First: 8},
		}}
	}
	ix := good()
	require.NoError(t, ix.check(26))
	for _, c := range []struct {
		want   string
		change func(ix *Index)
	}{
		{"does not lie in the file", func(ix *Index) { ix.Storages[0].Offset = 11 }},
		{"does not lie in the file", func(ix *Index) { ix.Storages[0].Offset = -1 }},
		{"does not lie in the file", func(ix *Index) { ix.Storages[0].Size = -1 }},
		{"does not lie in the file", func(ix *Index) { ix.Storages[0] = Storage{Offset: math.MaxInt64, Size: math.MaxInt64} }},
		{"has no storage", func(ix *Index) { ix.Tensors[0].Storage = 1 }},
		{"has no storage", func(ix *Index) { ix.Tensors[0].Storage = -1 }},
		{"is of dtype", func(ix *Index) { ix.Tensors[0].DType = "float32" }},
		{"begins at byte -4", func(ix *Index) { ix.Tensors[0].First = -4 }},
		{"reaches beyond", func(ix *Index) { ix.Tensors[1].First = 9 }},
		{"reaches beyond", func(ix *Index) { ix.Tensors[1].First = math.MaxInt64 }},
		{"two tensors are named", func(ix *Index) { ix.Tensors[1].Name = "a" }},
		{"not sorted", func(ix *Index) { ix.Tensors[1].Name = "A" }},
		{"cannot be the name of a tensor", func(ix *Index) { ix.Tensors[1].Name = "\xff" }},
		{"cannot be the name of a tensor", func(ix *Index) { ix.Tensors[1].Name = "z\x1b[2J" }},
		{"cannot be the name of a state dict", func(ix *Index) { ix.Entry = "state_dict\x80" }},
		{"cannot be the name", func(ix *Index) { ix.Tensors[1].Name = strings.Repeat("x", maxName+1) }},
		{"at most 100000 are allowed", func(ix *Index) { ix.Tensors = make([]Tensor, maxTensors+1) }},
		{"has 65 dimensions", func(ix *Index) { ix.Tensors[0].Shape, ix.Tensors[0].Strides = make([]int64, 65), make([]int64, 65) }},
	} {
		ix := good()
		c.change(&ix)
		require.ErrorContains(t, ix.check(26), c.want)
	}
}
