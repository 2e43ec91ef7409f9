package npz

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
	"github.com/fcnx/fcnx/memtest"
)

// readBytes opens and reads a whole file, which may ask for no more than a few
// megabytes: a decompressor with its window, and a chunk, for every array.
func readBytes(t *testing.T, b []byte) (f *File, arrays map[string][]byte, err error) {
	t.Helper()
	used := memtest.Allocated(func() {
		if f, err = open(b); err == nil {
			arrays, err = readAll(f)
		}
	})
	require.Less(t, used, int64(8<<20))
	if err != nil {
		require.ErrorContains(t, err, "x.npz: ")
	}
	return f, arrays, err
}

func TestCutOff(t *testing.T) {
	for _, name := range []string{"tiny.npz", "tiny_compressed.npz", "savez.npz", "savez_compressed.npz"} {
		t.Run(name, func(t *testing.T) {
			b := readertest.Testdata(t, name)
			for n := range len(b) {
				_, _, err := readBytes(t, b[:n])
				require.Error(t, err, "cut to %d of %d bytes", n, len(b))
			}
		})
	}
}

// A zip's checksums guard the arrays and their headers. Its directory guards nothing
// of itself: a name may change, or what no reader looks at.
func TestFlippedBits(t *testing.T) {
	for _, name := range []string{"tiny.npz", "tiny_compressed.npz"} {
		t.Run(name, func(t *testing.T) {
			b := readertest.Testdata(t, name)
			good, want, err := readBytes(t, b)
			require.NoError(t, err)
			refused := 0
			for i := range 8 * len(b) {
				flipped := bytes.Clone(b)
				flipped[i/8] ^= 1 << (i % 8)
				f, got, err := readBytes(t, flipped)
				if err != nil {
					refused++
					continue
				}
				require.Len(t, got, len(want))
				for j, info := range f.Infos() {
					original := good.arrays[j]
					for _, a := range good.arrays { // a changed name may change the order
						if bytes.Equal(want[a.Name], got[info.Name]) {
							original = a
						}
					}
					require.Equal(t, want[original.Name], got[info.Name], "bit %d", i)
					require.Equal(t, original.DType, info.DType, "bit %d", i)
					require.Equal(t, original.Shape, info.Shape, "bit %d", i)
				}
			}
			require.Greater(t, refused, 4*len(b), "at least half of all bits matter")
		})
	}
}

// The payload of objects.npz would make a directory.
func TestObjectsAreRefused(t *testing.T) {
	_, err := Open(filepath.Join("testdata", "objects.npz"))
	require.EqualError(t, err, `testdata/objects.npz: array "names": it is an array of Python objects, which is a pickle and is not read: save arrays of numbers`)
	require.NoDirExists(t, "a-pickle-was-run")
	require.NoDirExists(t, filepath.Join("testdata", "a-pickle-was-run"))
}

func f4(shape string) string {
	return "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"
}

func TestHostileMembers(t *testing.T) {
	good := npy(f4("(2,)"), "abcdefgh")
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"another file in the zip", zipOf(t, member{"a.npy", good, 0}, member{"README", "hello", 0}), `member "README": it is not a .npy file`},
		{"of torch.save", zipOf(t, member{"archive/data.pkl", "\x80\x02", 0}), "it is a pickle of PyTorch: name the file .pth"},
		{"a directory", zipOf(t, member{"a/", "", 0}), `member "a/": it is not a .npy file`},
		{"name twice", zipOf(t, member{"a.npy", good, 0}, member{"a.npy", good, 0}), `two members are named "a.npy"`},
		{"name is not UTF-8", zipOf(t, member{"\xff.npy", good, 0}), "its name is not UTF-8"},
		{"empty member", zipOf(t, member{"a.npy", "", 0}), `array "a": reading the header of .npy: unexpected EOF`},
		{"not npy", zipOf(t, member{"a.npy", "hello, world", 0}), `array "a": it does not begin as a .npy file does`},
		{"version", zipOf(t, member{"a.npy", magic + "\x04\x00\x00\x00", 0}), "version 4.0 of .npy is not known"},
		{"header length 2^32-1", zipOf(t, member{"a.npy", magic + "\x02\x00\xff\xff\xff\xff", 0}), "its header would have 4294967295 bytes, and at most 10000"},
		{"header length beyond the member", zipOf(t, member{"a.npy", magic + "\x01\x00\x00\x10{", 0}), "unexpected EOF"},
		{"header of nothing", zipOf(t, member{"a.npy", magic + "\x01\x00\x00\x00", 0}), "its header ends where { should be"},
		{"too short", zipOf(t, member{"a.npy", npy(f4("(2,)"), "abcdefg"), 0}), "its shape [2] of F32 wants 8 bytes, and it has 7"},
		{"too long", zipOf(t, member{"a.npy", npy(f4("(2,)"), "abcdefghi"), 8}), "its shape [2] of F32 wants 8 bytes, and it has 9"},
		{"2^38", zipOf(t, member{"a.npy", npy(f4("(274877906944,)"), "abcd"), 8}), "wants 1099511627776 bytes, and it has 4"},
		{"2^62", zipOf(t, member{"a.npy", npy(f4("(4611686018427387904,)"), "abcd"), 8}), "the size of shape [4611686018427387904] overflows"},
		{"product overflows to 0", zipOf(t, member{"a.npy", npy(f4("(4294967296, 4294967296)"), ""), 8}), "overflows"},
		{"zero times 2^62", zipOf(t, member{"a.npy", npy(f4("(4611686018427387904, 0)"), ""), 8}), "overflows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readBytes(t, c.file)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// patch overwrites a field of the only entry in a zip's directory, whose signature is
// PK\1\2, and with local set the same field of the member's own header.
func patch(t *testing.T, b []byte, at int, value ...byte) []byte {
	t.Helper()
	b = bytes.Clone(b)
	i := bytes.LastIndex(b, []byte("PK\x01\x02"))
	require.Positive(t, i)
	copy(b[i+at:], value)
	return b
}

func TestHostileDirectories(t *testing.T) {
	const flags, method, compressed, uncompressed, offset = 8, 10, 20, 24, 42
	u32 := func(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
	stored := zipOf(t, member{"a.npy", npy(f4("(2,)"), "abcdefgh"), zip.Store})
	deflated := zipOf(t, member{"a.npy", npy(f4("(64,)"), strings.Repeat("\x00", 256)), zip.Deflate})
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"encrypted", patch(t, stored, flags, 9), "it is encrypted"},
		{"bzip2", patch(t, stored, method, 12), "it is compressed by method 12"},
		{"compressed size", patch(t, stored, compressed, u32(1<<31)...), "it would have 2147483648 bytes, and the file has"},
		{"stored and claims more", patch(t, stored, uncompressed, u32(1<<31)...), "bytes and claims 2147483648"},
		{"deflated and claims more than can be", patch(t, deflated, uncompressed, u32(1<<31)...), "claims 2147483648 bytes, more than"},
		{"deflated and claims more", patch(t, deflated, uncompressed, u32(70<<10)...), "its shape [64] of F32 wants 256 bytes, and it has 71"},
		{"offset", patch(t, stored, offset, u32(1<<31)...), "zip's directory says"},
		{"offset into the member", patch(t, stored, offset, 3), "no such member where the zip's directory says"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := readBytes(t, c.file)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// A header that claims what its stream does not hold is found out when it is read,
// before the last byte, and nothing is kept of it.
func TestShapeAndSizeLieTogether(t *testing.T) {
	const claimed = 16 << 20
	random := make([]byte, 1<<20) // so that a deflated byte stands for little
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	for _, order := range []string{"False", "True"} {
		header := fmt.Sprintf("{'descr': '|u1', 'fortran_order': %s, 'shape': (2, %d), }", order, claimed/2)
		b := zipOf(t, member{"a.npy", npy(header, string(random)), zip.Deflate})
		head := len(npy(header, ""))
		b = patch(t, b, 24, binary.LittleEndian.AppendUint32(nil, uint32(head+claimed))...)
		f, err := open(b)
		require.NoError(t, err, "the directory agrees with the header")
		used := memtest.Allocated(func() {
			r, err := f.Reader("a")
			if err == nil {
				buf := make([]byte, 4096)
				for err == nil {
					_, err = r.Read(buf)
				}
			}
			require.ErrorContains(t, err, `x.npz: array "a": `)
			require.ErrorContains(t, err, "unexpected EOF")
		})
		require.Less(t, used, int64(1<<20))
	}
}

// Many entries of the directory for the same bytes.
func TestMembersThatShareBytes(t *testing.T) {
	b := zipOf(t, member{"a.npy", npy(f4("(2,)"), "abcdefgh"), zip.Store}, member{"b.npy", npy(f4("(2,)"), "abcdefgh"), zip.Store})
	_, _, err := readBytes(t, patch(t, b, 42, 0, 0, 0, 0))
	require.ErrorContains(t, err, `members "a.npy" and "b.npy" share bytes`)
}

func TestTooManyMembers(t *testing.T) {
	members := make([]member, maxMembers+1)
	for i := range members {
		members[i] = member{fmt.Sprintf("%d.npy", i), "", zip.Store}
	}
	_, err := open(zipOf(t, members...))
	require.ErrorContains(t, err, "x.npz: not an npz file: it has 16385 members, and at most 16384 are allowed")
}

// A directory without end is not kept.
func TestLongDirectory(t *testing.T) {
	entry := make([]byte, 46+1)
	copy(entry, "PK\x01\x02")
	entry[28] = 1 // the name's length
	directory := bytes.Repeat(entry, 64<<20/len(entry))
	b := append([]byte("PK\x03\x04"), directory...)
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint32(end[12:], uint32(len(directory)))
	binary.LittleEndian.PutUint32(end[16:], 4)
	b = append(b, end...)
	var err error
	used := memtest.Allocated(func() { _, err = open(b) })
	require.ErrorContains(t, err, "the directory at the zip's end has more than 4194304 bytes")
	require.Less(t, used, int64(len(b)))
}

// A byte that changes under a reader's hands is found before the last is given.
func TestChecksum(t *testing.T) {
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		for _, header := range []string{f4("(2,)"), "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 1), }", "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 2), }"} {
			data := "abcdefgh"
			if strings.Contains(header, "(2, 2)") {
				data += data
			}
			b := zipOf(t, member{"a.npy", npy(header, data), method})
			b = patch(t, b, 16, 1, 2, 3, 4)
			_, _, err := readBytes(t, b)
			require.EqualError(t, err, `x.npz: array "a": zip: checksum error`)
		}
	}
}

func TestWrongKindOfFile(t *testing.T) {
	for _, c := range []struct{ start, want string }{
		{"", "it is empty"},
		{"\x93NUMPY\x01\x00", "it is a single array (.npy): put the arrays into one file by numpy.savez"},
		{"\x80\x02}q\x00", "it is a Python pickle"},
		{"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer: fetch the file itself by `git lfs pull`"},
		{"\x89HDF\r\n\x1a\n", "it is an HDF5 file"},
		{"<!DOCTYPE html>", "it is a web page"},
		{"\x0a\x05VGG16", "it does not begin as a zip does"},
		{"PK\x03\x04 and so on", "the directory at the zip's end is missing or damaged: is the file cut off?"},
	} {
		_, _, err := readBytes(t, []byte(c.start))
		require.ErrorContains(t, err, "x.npz: not an npz file: "+c.want)
	}
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "absent.npz"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	require.EqualError(t, err, dir+" is not a file")
}

// A file that shrinks under an open reader is an error, not zeros.
func TestFileCutOffWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npz")
	require.NoError(t, os.WriteFile(path, readertest.Testdata(t, "savez.npz"), 0o666))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.Truncate(path, 300))
	_, err = readAll(f)
	require.ErrorContains(t, err, path+`: array "`)
}
