package caffe

import (
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkRead opens the file that FCNX_BENCH_CAFFE names and reads all of it;
// bench/parity/caffe_files.py --big writes files of VGG-16's size.
func BenchmarkRead(b *testing.B) {
	path := os.Getenv("FCNX_BENCH_CAFFE")
	if path == "" {
		b.Skip("FCNX_BENCH_CAFFE names no file: there is nothing to measure")
	}
	for b.Loop() {
		f, err := Open(path)
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
