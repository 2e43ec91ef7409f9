package predict

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readNPY reads a float32 array of three dimensions, as strictly as NumPy.
func readNPY(t *testing.T, path string) (shape string, values []float32) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "\x93NUMPY\x01\x00", string(raw[:8]))
	length := int(binary.LittleEndian.Uint16(raw[8:]))
	require.Zero(t, (10+length)%64)
	header := string(raw[10 : 10+length])
	require.True(t, strings.HasSuffix(header, "\n"))
	require.True(t, strings.HasPrefix(header, "{'descr': '<f4', 'fortran_order': False, 'shape': ("))
	_, shape, _ = strings.Cut(header, "'shape': ")
	shape, _, _ = strings.Cut(shape, ", }")
	for raw = raw[10+length:]; len(raw) > 0; raw = raw[4:] {
		values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
	}
	return shape, values
}

func TestNPYRowsInAnyOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	n, err := createNPY(path, 2, 3, 4)
	require.NoError(t, err)
	require.NoFileExists(t, path)
	for _, c := range []int{1, 0} {
		for _, y := range []int{2, 0, 1} {
			at := float32(12*c + 4*y)
			require.NoError(t, n.putRow(c, y, 1, []float32{at + 1, at + 2, at + 3}))
			require.NoError(t, n.putRow(c, y, 0, []float32{at}))
		}
	}
	require.NoError(t, n.commit())
	shape, values := readNPY(t, path)
	require.Equal(t, "(2, 3, 4)", shape)
	require.Len(t, values, 24)
	for i, v := range values {
		require.Equal(t, float32(i), v)
	}
	require.NoFileExists(t, partial(path))
}

// The bytes are those of numpy.save of NumPy 2, for every width of the shape's text.
func TestNPYHeader(t *testing.T) {
	header := npyHeader(11, 360, 480)
	require.Equal(t, "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (11, 360, 480), }"+strings.Repeat(" ", 50)+"\n", string(header))
	for _, side := range []int{1, 99, 12345, 1 << 30} {
		require.Zero(t, len(npyHeader(255, side, side))%64)
	}
}

func TestNPYIsAbandonedWithoutATrace(t *testing.T) {
	dir := t.TempDir()
	n, err := createNPY(filepath.Join(dir, "a.npy"), 1, 1, 1)
	require.NoError(t, err)
	n.abandon()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}
