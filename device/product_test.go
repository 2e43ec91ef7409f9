package device

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A product is one: its corner is what the first row and the first column give.
func TestProduct(t *testing.T) {
	b, err := openGo()
	require.NoError(t, err)
	defer b.Close()
	var clock time.Time
	p, err := b.NewProduct("float32", func() time.Time { // every look at it is a second later
		clock = clock.Add(time.Second)
		return clock
	})
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, 256, p.N) // a second is enough
	require.Empty(t, p.in)     // who has not asked for one has no memory taken
	require.Equal(t, 2*math.Pow(256, 3), p.FLOP())

	want := 0.0
	for i := range p.N {
		want += math.Sin(float64(i)) * math.Cos(float64(i*p.N))
	}
	got, took, err := p.corner()
	require.NoError(t, err)
	require.InDelta(t, want, got, 1e-3)
	require.Equal(t, time.Second, took)
	// It rests, and is made anew as it was.
	p.Rest()
	require.Empty(t, p.in)
	again, took, err := p.corner()
	require.NoError(t, err)
	require.Equal(t, got, again)
	require.Equal(t, time.Second, took)
	require.NotEmpty(t, p.in)
	p.Rest()
	p.Rest() // twice is no harm
	took, err = p.Run()
	require.NoError(t, err)
	require.Equal(t, time.Second, took)
}

// One that is over before the clock moves is made larger.
func TestProductGrows(t *testing.T) {
	b, err := openGo()
	require.NoError(t, err)
	defer b.Close()
	looks := 0
	p, err := b.NewProduct("float32", func() time.Time {
		looks++
		if looks <= 3*2 { // three runs of the first size
			return time.Time{}
		}
		return time.Time{}.Add(time.Duration(looks) * time.Hour)
	})
	require.NoError(t, err)
	defer p.Close()
	require.Equal(t, 512, p.N)
}

func TestProductOfNothing(t *testing.T) {
	_, err := (&Backend{}).NewProduct("int8", time.Now)
	require.EqualError(t, err, `no product in "int8" is measured: float32 or bfloat16`)
}
