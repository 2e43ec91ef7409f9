package caffe

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints/weights/readertest"
	"github.com/fcnx/fcnx/memtest"
)

// What opens is read whole, and has no more bytes than the file; everything else is an
// error that names the file.
func FuzzOpen(f *testing.F) {
	memtest.Cap(f)
	readertest.Seed(f, "tiny*.caffemodel") // large seeds are slow
	f.Add([]byte(netOf(layerOf(message{}.bytes(blobShape, dims(2, 1)).float(blobData, 1).float(6, 0).float(blobData, 2)))))
	v1 := message{}.text(v1Layer.name, "a").varint(v1Layer.kind, 14).bytes(v1Layer.transform, message{}.float(5, 1).float(1, 2))
	f.Add([]byte(message{}.bytes(netLayersV1, v1.bytes(v1Layer.blobs, message{}.varint(1, 1).varint(2, 1).varint(3, 1).varint(4, 1).float(5, 1)))))
	python := message{}.bytes(v2Layer.python, message{}.text(pythonParam, "{'mean': (1, 2, 3)}"))
	f.Add([]byte(netOf(python, layerOf(message{}.bytes(blobShape, dims(1)).bytes(blobDouble, make([]byte, 8))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, _, err := readBytes(t, b)
		if err != nil {
			return
		}
		total := int64(0)
		for _, info := range file.Infos() {
			size, err := info.Size()
			require.NoError(t, err)
			r, err := file.Reader(info.Name)
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, r)
			require.NoError(t, err)
			require.Equal(t, size, n)
			total += n
		}
		require.LessOrEqual(t, total, int64(len(b)))
		if values, scale, ok := file.Mean(); ok {
			require.NotZero(t, scale)
			require.LessOrEqual(t, len(values), maxMeans)
		}
	})
}

func FuzzReadMean(f *testing.F) {
	memtest.Cap(f)
	for _, name := range []string{"mean.binaryproto", "mean_double.binaryproto"} {
		f.Add(readertest.Testdata(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var values [3]float64
		var err error
		memtest.Bound{Any: 2 << 20, PerByte: 16}.Within(t, len(b), func() {
			values, err = readMean("x.binaryproto", bytes.NewReader(b), int64(len(b)))
		})
		if err != nil {
			require.ErrorContains(t, err, "x.binaryproto: ")
			return
		}
		for _, v := range values {
			require.True(t, finite(v))
		}
	})
}
