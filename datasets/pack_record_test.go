package datasets

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

// slowPackRow and slowUnpackRow say pixel by pixel what the quick ones do in words.
func slowPackRow(dst, src []uint8) {
	for i := range len(src) / 4 {
		for c := range 3 {
			dst[3*i+c] = src[4*i+c]
		}
	}
}

func slowUnpackRow(dst, src []uint8) {
	for i := range len(src) / 3 {
		for c := range 3 {
			dst[4*i+c] = src[3*i+c]
		}
		dst[4*i+3] = 255
	}
}

func TestPackRow(t *testing.T) {
	rng := testRNG(7)
	for pixels := range 40 {
		rgba := make([]uint8, 4*pixels)
		for i := range rgba {
			rgba[i] = uint8(rng.Uint32())
		}
		want, got := make([]uint8, 3*pixels+2), make([]uint8, 3*pixels+2)
		slowPackRow(want, rgba)
		packRow(got, rgba)
		require.Equal(t, want, got, "%d pixels", pixels)

		rgb := got[:3*pixels]
		wide, quick := make([]uint8, 4*pixels+2), make([]uint8, 4*pixels+2)
		slowUnpackRow(wide, rgb)
		unpackRow(quick, rgb)
		require.Equal(t, wide, quick, "%d pixels", pixels)
	}
}

// packIndexOf is an index of records one behind the other, and where they end.
func packIndexOf(entries ...packEntry) (data []byte, end int64) {
	end = packHeaderSize
	for _, e := range entries {
		e.offset = end
		end += e.bytes()
		data = e.append(data)
	}
	return data, end
}

func TestPackIndexTrustsNobody(t *testing.T) {
	good := []packEntry{
		{image: extent{4, 6}, label: extent{8, 12}, id: 3, doubtful: true, sum: 1 << 31},
		{},
		{image: extent{1, 1}},
	}
	data, end := packIndexOf(good...)
	read, err := decodePackIndex(data, end, 100)
	require.NoError(t, err)
	require.Len(t, read, 3)
	require.Equal(t, int64(128+3*24+96+3), read[2].offset)
	require.Equal(t, uint32(1<<31), read[0].sum)
	require.True(t, read[0].doubtful)
	require.True(t, read[1].missing())

	for name, e := range map[string]packEntry{
		"more pixels than there may be": {image: extent{11, 10}},
		"a label of more":               {image: extent{1, 1}, label: extent{101, 1}},
		"a product beyond 64 bits":      {image: extent{1<<32 - 1, 1<<32 - 1}},
		"no width":                      {image: extent{5, 0}},
		"a label without an image":      {label: extent{1, 1}},
		"an endless name":               {image: extent{1, 1}, id: maxPackedID + 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodePackIndex(e.append(nil), 1<<40, 100)
			require.ErrorContains(t, err, "its index is wrong")
		})
	}
	for name, end := range map[string]int64{"beyond the end": end - 1, "bytes of nobody": end + 1} {
		t.Run(name, func(t *testing.T) {
			_, err := decodePackIndex(data, end, 100)
			require.ErrorContains(t, err, "its index is wrong")
		})
	}
}

func FuzzPackIndex(f *testing.F) {
	memtest.Cap(f)
	data, end := packIndexOf(packEntry{image: extent{4, 6}, label: extent{8, 12}, id: 3}, packEntry{})
	f.Add(data, end, int64(100))
	f.Fuzz(func(t *testing.T, data []byte, end, maxPixels int64) {
		if maxPixels < 1 || maxPixels > MaxMaxPixels || end < 0 || end > 1<<62 {
			return
		}
		entries, err := decodePackIndex(data, end, maxPixels)
		if err != nil {
			return
		}
		for i, e := range entries {
			if e.image.area() > maxPixels || e.label.area() > maxPixels || e.offset < packHeaderSize || e.offset+e.bytes() > end {
				t.Fatal(fmt.Sprint("entry ", i, ": ", e, " of ", end))
			}
		}
	})
}
