package caffe

import (
	"testing"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
)

// bench/parity/caffe_files.py --big writes files of VGG-16's size.
func BenchmarkRead(b *testing.B) { readertest.BenchmarkRead(b, "FCNX_BENCH_CAFFE", Open) }
