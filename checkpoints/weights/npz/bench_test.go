package npz

import (
	"testing"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
)

// bench/parity/npz_files.py --big writes files of VGG-16's size.
func BenchmarkRead(b *testing.B) { readertest.BenchmarkRead(b, "FCNX_BENCH_NPZ", Open) }
