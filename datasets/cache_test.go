package datasets

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	src := sourceOf(repeat(5, 4, 4)...) // 16 pixels of 4+1 bytes each
	c := newCache(3*80+79, src.At)
	for range 3 {
		for i := range src.Len() {
			got, err := c.at(i)
			require.NoError(t, err)
			want := testSample(extent{4, 4}, uint64(i))
			require.Equal(t, want.Image, got.Image)
			require.Equal(t, want.Label, got.Label)
			// What the caller does to its copy is its own affair.
			clear(got.Image.Pix)
			clear(got.Label.Pix)
		}
	}
	require.EqualValues(t, 3*80, c.used)
	require.EqualValues(t, 5+2+2, src.decoded.Load(), "three of five are kept")
}

func TestCacheKeepsNoErrors(t *testing.T) {
	src := sourceOf(repeat(1, 4, 4)...)
	src.unlabelled = true
	bad := true
	src.at = func(int) error {
		if bad {
			return errors.New("not now")
		}
		return nil
	}
	c := newCache(1000, src.At)
	_, err := c.at(0)
	require.EqualError(t, err, "not now")
	bad = false
	for range 3 {
		s, err := c.at(0)
		require.NoError(t, err)
		require.Nil(t, s.Label)
	}
	require.EqualValues(t, 2, src.decoded.Load())
	require.EqualValues(t, 64, c.used)
}

// Two workers that miss the same sample at once count it once.
func TestCacheOfOneSampleAtOnce(t *testing.T) {
	src := sourceOf(repeat(1, 4, 4)...)
	var both sync.WaitGroup
	both.Add(2)
	src.at = func(int) error {
		both.Done()
		both.Wait()
		return nil
	}
	c := newCache(1000, src.At)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := c.at(0); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 2, src.decoded.Load())
	require.EqualValues(t, 80, c.used)
}

func TestCacheConcurrently(t *testing.T) {
	src := sourceOf(repeat(10, 8, 8)...)
	c := newCache(4*8*8*5, src.At)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for step := range 50 {
				i := (worker + step) % src.Len()
				s, err := c.at(i)
				if err != nil || s.Image.Pix[0] != testSample(extent{8, 8}, uint64(i)).Image.Pix[0] {
					t.Errorf("sample %d: %v", i, err)
				}
				clear(s.Image.Pix)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 4*8*8*5, c.used)
	require.Len(t, c.samples, 4)
}
