package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmallestBatch(t *testing.T) {
	for _, test := range []struct {
		devices, parts, want int
		err                  string
	}{
		{1, 1, 1, ""},
		{3, 4, 12, ""},
		{1 << 10, 64, 1 << 16, ""},
		{1 << 10, 65, 0, "train.accumulate: 65 micro-batches on 1024 devices want 66560 images at least, and a batch has 65536 at most"},
		{0, 1, 0, "device.devices: 0 is not between 1 and 1024"},
		{1, -3, 0, "train.accumulate: -3 is not between 1 and 65536"},
		{4, math.MaxInt/4 + 1, 0, "train.accumulate: 2305843009213693952 is not between 1 and 65536"},
	} {
		c := Default()
		c.Device.Devices, c.Train.Accumulate = test.devices, test.parts
		n, err := c.SmallestBatch()
		if test.err != "" {
			require.EqualError(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, n)
	}
}
