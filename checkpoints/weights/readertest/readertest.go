// Package readertest is what the tests of the readers of weights share.
package readertest

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
)

// File is an open file of tensors.
type File interface {
	Infos() []checkpoints.Info
	Reader(name string) (io.Reader, error)
	Close() error
}

// ReadAll reads every tensor, or fails with the first error.
func ReadAll(f File) (map[string][]byte, error) {
	tensors := map[string][]byte{}
	for _, info := range f.Infos() {
		r, err := f.Reader(info.Name)
		if err != nil {
			return nil, err
		}
		if tensors[info.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	return tensors, nil
}

// Testdata is a file of the package's testdata.
func Testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// Seed gives f those files of the package's testdata that fit a pattern, and an empty one.
func Seed(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(nil))
}

// BenchmarkRead opens the file that a variable names and reads all of it, again and again.
func BenchmarkRead[F File](b *testing.B, variable string, open func(path string) (F, error)) {
	path := os.Getenv(variable)
	if path == "" {
		b.Skip(variable + " names no file: there is nothing to measure")
	}
	for b.Loop() {
		f, err := open(path)
		require.NoError(b, err)
		total := int64(0)
		for _, info := range f.Infos() {
			r, err := f.Reader(info.Name)
			require.NoError(b, err)
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<20))
			require.NoError(b, err)
			total += n
		}
		require.NoError(b, f.Close())
		b.SetBytes(total)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MB-from-system")
}
