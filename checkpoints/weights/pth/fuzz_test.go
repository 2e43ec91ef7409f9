package pth

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// A file is refused, or all that its index says holds and every tensor can be read.
func FuzzReadIndex(f *testing.F) {
	memtest.Cap(f)
	for _, b := range fixtures(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { readAnything(t, b) })
}

// The object of a file alone, in a file of either kind around it that is whole: the
// checksums of the zip kind would keep a fuzzer out.
func FuzzPickle(f *testing.F) {
	memtest.Cap(f)
	for _, b := range fixtures(f) {
		if entries, err := readDirectory(bytes.NewReader(b), int64(len(b))); err == nil {
			for _, e := range entries {
				if at, err := e.data(bytes.NewReader(b)); err == nil && bytes.HasSuffix([]byte(e.name), []byte("/data.pkl")) {
					f.Add(b[at : at+e.size])
				}
			}
		}
	}
	f.Add([]byte(dictOf(tensorOf("FloatStorage", 4, 0, numbers(2, 2), numbers(2, 1), ""))))
	f.Add([]byte(dictOf(tensorOf("FloatStorage", 4, 0, numbers(2, 2), numbers(2, 1), "N"))))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		readAnything(t, forgeZip(t, string(pickle), 16))
		readAnything(t, forgeLegacy(string(pickle), 4, 16))
	})
}

func readAnything(t *testing.T, b []byte) {
	t.Helper()
	size := int64(len(b))
	var ix Index
	var err error
	mayAllocate.Within(t, len(b), func() { ix, err = ReadIndex(bytes.NewReader(b), size) })
	if err != nil {
		return
	}
	text, err := json.Marshal(ix)
	require.NoError(t, err)
	var again Index
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, ix, again)
	require.NoError(t, again.check(size))
	file := newFile("x.pth", bytes.NewReader(b), func() error { return nil }, again)
	for i, info := range file.Infos() {
		want, err := info.Size()
		require.NoError(t, err)
		require.LessOrEqual(t, want, size)
		if i >= 20 { // they may be as many as the file has bytes, each of them as long
			continue
		}
		r, err := file.Reader(info.Name)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			continue
		}
		got, err := io.ReadAll(r)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			continue
		}
		require.Len(t, got, int(want))
	}
}

// FuzzReply is the answer of the process that reads an index, should it have been taken
// over: what the index says is held to the file again.
func FuzzReply(f *testing.F) {
	memtest.Cap(f)
	file := fixtures(f)["views-zip.pth"]
	ix, err := ReadIndex(bytes.NewReader(file), int64(len(file)))
	require.NoError(f, err)
	text, err := json.Marshal(ix)
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"kind":"zip","storages":[{"offset":-1,"size":9223372036854775807}],"tensors":[{"name":"a","shape":[4611686018427387904,4]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		memtest.Bound{Any: 1 << 20, PerByte: 32 << 10}.Within(t, len(text), func() {
			var ix Index
			if json.Unmarshal(text, &ix) != nil || ix.check(int64(len(file))) != nil {
				return
			}
			opened := newFile("x.pth", bytes.NewReader(file), func() error { return nil }, ix)
			for _, info := range opened.Infos() {
				size, err := info.Size()
				require.NoError(t, err)
				require.LessOrEqual(t, size, int64(len(file)))
				r, err := opened.Reader(info.Name)
				if err != nil {
					continue
				}
				n, err := io.Copy(io.Discard, r)
				require.LessOrEqual(t, n, size)
				if err == nil {
					require.Equal(t, size, n)
				}
			}
		})
	})
}
