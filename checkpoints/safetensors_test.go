package checkpoints

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// raw puts a safetensors file together by hand, right or wrong.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func open(b []byte) (*File, error) {
	return newFile("x.safetensors", bytes.NewReader(b), int64(len(b)))
}

// write keeps the tensors of a test in memory.
func write(t testing.TB, infos []Info, metadata map[string]string, tensors map[string][]byte) []byte {
	var b bytes.Buffer
	written, err := Write(&b, infos, metadata, func(name string, w io.Writer) error {
		_, err := w.Write(tensors[name])
		return err
	})
	require.NoError(t, err)
	sum := sha256.Sum256(b.Bytes())
	require.Equal(t, Written{int64(b.Len()), hex.EncodeToString(sum[:])}, written)
	return b.Bytes()
}

func TestWriteThenRead(t *testing.T) {
	infos := []Info{
		{"flag", "BOOL", nil},
		{"fc6/weight", "F32", []int{2, 3}},
		{"none", "F32", []int{3, 0}},
		{"#rngState", "U64", []int{3}},
		{"a \"quoted\" näme", "BF16", []int{1}},
	}
	tensors := map[string][]byte{
		"flag":              {1},
		"fc6/weight":        []byte("abcdefghijklmnopqrstuvwx"),
		"#rngState":         []byte("012345678901234567890123"),
		"a \"quoted\" näme": {7, 8},
	}
	metadata := map[string]string{"fcnx.config": "[model]\n", "π": ""}
	b := write(t, infos, metadata, tensors)

	n := binary.LittleEndian.Uint64(b)
	require.Zero(t, (8+n)%8, "tensors begin at a multiple of 8")
	// The widest elements come first, so that each tensor is aligned to its own.
	require.Equal(t, "012345678901234567890123abcdefghijklmnopqrstuvwx\x07\x08\x01", string(b[8+n:]))

	f, err := open(b)
	require.NoError(t, err)
	require.Equal(t, metadata, f.Metadata())
	got := f.Infos()
	require.Equal(t, []string{"#rngState", "a \"quoted\" näme", "fc6/weight", "flag", "none"},
		[]string{got[0].Name, got[1].Name, got[2].Name, got[3].Name, got[4].Name})
	require.Equal(t, Info{"fc6/weight", "F32", []int{2, 3}}, got[2])
	for name, want := range tensors {
		data, err := f.Read(name)
		require.NoError(t, err)
		require.Equal(t, want, data)
	}
	require.EqualError(t, f.ReadInto("flag", make([]byte, 2)), `x.safetensors: tensor "flag" has 1 bytes, and 2 are wanted`)
	_, err = f.Read("flog")
	require.EqualError(t, err, `x.safetensors: no tensor "flog"`)

	// The order of the infos does not matter.
	infos[0], infos[3] = infos[3], infos[0]
	require.Equal(t, b, write(t, infos, metadata, tensors))
}

// The header's length comes first, and 640 of it looks like the beginning of a pickle.
func TestHeaderLikeAPickle(t *testing.T) {
	for n := range 640 {
		var b bytes.Buffer
		_, err := Write(&b, nil, map[string]string{"a": strings.Repeat("b", n)}, nil)
		require.NoError(t, err)
		if !bytes.HasPrefix(b.Bytes(), []byte("\x80\x02")) {
			continue
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
		f, err := Open(path)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		return
	}
	t.Fatal("no header has 640 bytes")
}

func TestWriteNothing(t *testing.T) {
	f, err := open(write(t, nil, nil, nil))
	require.NoError(t, err)
	require.Empty(t, f.Infos())
	require.Empty(t, f.Metadata())
}

func TestWriteRefuses(t *testing.T) {
	four := func(_ string, w io.Writer) error {
		_, err := w.Write([]byte("four"))
		return err
	}
	for _, c := range []struct {
		name  string
		infos []Info
		data  func(string, io.Writer) error
		want  string
	}{
		{"too few bytes", []Info{{"a", "F32", []int{2}}}, four, `tensor "a" has 4 bytes, and 8 were announced`},
		{"too many bytes", []Info{{"a", "BF16", []int{1}}}, four, `tensor "a" has 4 bytes, and 2 were announced`},
		{"name twice", []Info{{"a", "F32", nil}, {"a", "F32", nil}}, four, `two tensors are named "a"`},
		{"reserved name", []Info{{"__metadata__", "F32", nil}}, four, `"__metadata__" cannot be the name of a tensor`},
		{"not UTF-8", []Info{{"\xff", "F32", nil}}, four, `"\xff" cannot be the name of a tensor`},
		{"dtype", []Info{{"a", "float32", nil}}, four, `tensor "a": dtype "float32" is not known`},
		{"negative", []Info{{"a", "F32", []int{2, -1}}}, four, `tensor "a": dimension -1 is negative`},
		{"overflow", []Info{{"a", "F32", []int{1 << 31, 1 << 31}}}, four, `tensor "a": the size of shape [2147483648 2147483648] overflows`},
		{"overflow of the sum", []Info{{"a", "U8", []int{math.MaxInt64}}, {"b", "U8", []int{1}}}, four, `tensor "b": the size of the file overflows`},
		{"no data", []Info{{"a", "F32", nil}}, func(string, io.Writer) error { return errors.New("device lost") }, "device lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Write(io.Discard, c.infos, nil, c.data)
			require.EqualError(t, err, c.want)
		})
	}
}

// Each of these would make a careless reader allocate, read outside the file, or
// believe two things at once.
func TestHostileHeaders(t *testing.T) {
	one := func(s string) string { return `{"a":` + s + `}` }
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "it has 0 bytes"},
		{"seven bytes", make([]byte, 7), "it has 7 bytes"},
		{"header of 0 bytes", raw("", 0), "does not begin with {"},
		{"header length 2^38", append(binary.LittleEndian.AppendUint64(nil, 1<<38), "{}"...), "its header would have 274877906944 bytes, and at most"},
		{"header length 2^62", append(binary.LittleEndian.AppendUint64(nil, 1<<62), "{}"...), "at most 100000000 are allowed"},
		{"header length 2^64-1", append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "{}"...), "at most 100000000 are allowed"},
		{"header length beyond the file", append(binary.LittleEndian.AppendUint64(nil, 3), "{}"...), "its header would have 3 bytes, and the file has 10: is it cut off?"},
		{"zip", []byte("PK\x03\x04abcdefgh"), "a zip file, such as torch.save writes"},
		{"pickle", []byte("\x80\x02abcdefgh"), "a Python pickle"},
		{"LFS pointer", []byte("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
		{"not UTF-8", raw("{\"\xff\":1}", 0), "not UTF-8"},
		{"an array", raw("[]", 0), "does not begin with {"},
		{"leading space", raw(" {}", 0), "does not begin with {"},
		{"cut off JSON", raw(`{"a":{"dtype":`, 0), "unexpected EOF"},
		{"no end", raw(`{`, 0), "unexpected EOF"},
		{"two headers", raw(`{}{}`, 0), "2 bytes follow its end"},
		{"NUL padding", raw("{}\x00\x00", 0), "2 bytes follow its end"},
		{"tensor is a number", raw(one(`1`), 0), `tensor "a": 1 where { should be`},
		{"deep nesting", raw(one(strings.Repeat("[", 1<<20)), 0), `[ where { should be`},
		{"name twice", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `the header has the key "a" twice`},
		{"name twice, escaped", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `the header has the key "a" twice`},
		{"key twice", raw(one(`{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}`), 1), `tensor "a" has the key "dtype" twice`},
		{"metadata key twice", raw(`{"__metadata__":{"k":"1","k":"2"}}`, 0), `__metadata__ has the key "k" twice`},
		{"metadata of numbers", raw(`{"__metadata__":{"k":1}}`, 0), `__metadata__: 1 where a string should be`},
		{"unknown key", raw(one(`{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}`), 1), `unknown key "strides"`},
		{"key in capitals", raw(one(`{"DType":"U8","shape":[1],"data_offsets":[0,1]}`), 1), `unknown key "DType"`},
		{"no dtype", raw(one(`{"shape":[1],"data_offsets":[0,1]}`), 1), "needs dtype, shape and data_offsets"},
		{"unknown dtype", raw(one(`{"dtype":"F4","shape":[2],"data_offsets":[0,1]}`), 1), `dtype "F4" is not known`},
		{"negative dimension", raw(one(`{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}`), 1), "-1 is no size"},
		{"fraction", raw(one(`{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}`), 1), "1.0 is no size"},
		{"exponent", raw(one(`{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}`), 1), "1e0 is no size"},
		{"dimension 2^64", raw(one(`{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}`), 1), "18446744073709551616 is no size"},
		{"shape of strings", raw(one(`{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}`), 1), "1 where a number should be"},
		{"shape is null", raw(one(`{"dtype":"U8","shape":null,"data_offsets":[0,1]}`), 1), "where [ should be"},
		{"tensor of 2^38 bytes", raw(one(`{"dtype":"U8","shape":[274877906944],"data_offsets":[0,274877906944]}`), 1), "ends at 274877906944, and the file has 1 bytes"},
		{"tensor of 2^62 bytes", raw(one(`{"dtype":"U8","shape":[4611686018427387904],"data_offsets":[0,4611686018427387904]}`), 1), "and the file has 1 bytes"},
		{"size overflows", raw(one(`{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}`), 0), "overflows"},
		{"three offsets", raw(one(`{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}`), 1), "has 3 data_offsets, not 2"},
		{"offsets swapped", raw(one(`{"dtype":"U8","shape":[0],"data_offsets":[1,0]}`), 1), "no tensor owns the bytes from 0 to 1"},
		{"end before start", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}`, 1), "its shape wants 0 bytes"},
		{"negative offset", raw(one(`{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}`), 1), "-1 is no size"},
		{"offsets and shape disagree", raw(one(`{"dtype":"F32","shape":[1],"data_offsets":[0,2]}`), 2), "its shape wants 4 bytes"},
		{"overlap", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `tensor "b" begins at 1, inside the one before`},
		{"same bytes twice", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), "begins at 0, inside the one before"},
		{"hole", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), `no tensor owns the bytes from 1 to 2, before "b"`},
		{"hole at the start", raw(one(`{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`), 2), "no tensor owns the bytes from 0 to 1"},
		{"bytes after the end", raw(one(`{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`), 2), "the tensors end at 1, and the file has 2 bytes"},
		{"bytes without a tensor", raw(`{}`, 1), "the tensors end at 0, and the file has 1 bytes"},
		{"truncated", raw(one(`{"dtype":"F32","shape":[4],"data_offsets":[0,16]}`), 15), "is it cut off?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := open(c.file)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "x.safetensors: ")
		})
	}
}

// The file was written by the safetensors library itself: testdata/make_fixture.py.
func TestReadsTheReferenceImplementation(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "reference.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, map[string]string{"format": "pt", "made by": "make_fixture.py"}, f.Metadata())
	require.Equal(t, []Info{
		{"bool", "BOOL", []int{3}},
		{"empty", "F32", []int{0, 5}},
		{"f16", "F16", []int{2}},
		{"f32", "F32", []int{2, 3}},
		{"i64", "I64", []int{}},
		{"u8", "U8", []int{5}},
	}, f.Infos())
	for name, want := range map[string]string{ // little-endian
		"bool": "010001",
		"f16":  "003e" + "00c0",                                                             // 1.5 -2
		"f32":  "00000000" + "0000803f" + "00000040" + "00004040" + "00008040" + "0000a040", // 0 1 2 3 4 5
		"i64":  "f9ffffffffffffff",                                                          // -7
		"u8":   "0001020304",
	} {
		data, err := f.Read(name)
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(data), name)
	}
}

func TestOpenWrongThings(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "absent.safetensors"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	require.EqualError(t, err, dir+" is not a file")
	_, err = Open(os.DevNull)
	require.EqualError(t, err, os.DevNull+" is not a file")
}

// A tensor that shrinks under an open file is an error, not zeros.
func TestFileCutOffWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	b := write(t, []Info{{"a", "U8", []int{100}}}, nil, map[string][]byte{"a": make([]byte, 100)})
	require.NoError(t, os.WriteFile(path, b, 0o666))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.Truncate(path, int64(len(b)-1)))
	_, err = f.Read("a")
	require.EqualError(t, err, path+`: tensor "a": unexpected EOF`)
}

// What opens can be read and written again, and then says the same.
func FuzzOpen(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte(nil))
	f.Add(raw(`{}`, 0))
	f.Add(raw(`{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}  `, 8))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[0,7],"data_offsets":[1,1]}}`, 1))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2))
	reference, err := os.ReadFile(filepath.Join("testdata", "reference.safetensors"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reference)
	f.Fuzz(func(t *testing.T, b []byte) {
		var file *File
		var err error
		total := 0
		tensors := map[string][]byte{}
		memtest.Bound{Any: 64 << 10, PerByte: 100}.Within(t, len(b), func() {
			if file, err = open(b); err != nil {
				return
			}
			for _, info := range file.Infos() {
				data, err := file.Read(info.Name)
				require.NoError(t, err)
				total += len(data)
				tensors[info.Name] = data
			}
		})
		if err != nil {
			return
		}
		require.LessOrEqual(t, total, len(b))
		again, err := open(write(t, file.Infos(), file.Metadata(), tensors))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(file.Infos()), fmt.Sprint(again.Infos()))
		require.Equal(t, len(file.Metadata()), len(again.Metadata()))
	})
}
