package wording_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event/wording"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1.0000", 0.81234: "0.8123", -0.5: "-0.5000", 0.001: "0.0010", 0.00099: "0.00099", 1e-10: "1e-10",
		9.99994: "9.9999", 12.345: "12.35", 99.999: "100.00", 412.345: "412", 412_345.678: "412346", 9_999_999.4: "9999999",
		9_999_999.5: "1e+07", 1.234e8: "1.2e+08", math.Inf(1): "+Inf", math.Inf(-1): "-Inf", math.NaN(): "NaN",
	} {
		require.Equal(t, want, wording.Number(v))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		v := math.Exp(rng.Float64()*400 - 200)
		text := wording.Number(v)
		require.LessOrEqual(t, len(text), 7, "%g is %s", v, text)
		back, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		require.InEpsilon(t, v, back, 0.06, "%g is %s", v, text)
	}
}

func TestSeconds(t *testing.T) {
	for _, test := range []struct {
		s           float64
		want, whole string
	}{
		{0, "0.0s", "0s"}, {-3, "0.0s", "0s"}, {0.36, "0.4s", "0s"}, {4.25, "4.2s", "4s"}, {9.94, "9.9s", "10s"}, {9.96, "10s", "10s"},
		{59.4, "59s", "59s"}, {59.6, "1m00s", "1m00s"}, {250, "4m10s", "4m10s"}, {3599.4, "59m59s", "59m59s"}, {3599.6, "1h00m", "1h00m"},
		{7529, "2h05m", "2h05m"}, {7531, "2h06m", "2h06m"}, {86_369, "23h59m", "23h59m"}, {86_371, "1d00h", "1d00h"},
		{3*86_400 + 4*3600, "3d04h", "3d04h"}, {1e12, "?", "?"}, {math.NaN(), "?", "?"}, {math.Inf(1), "?", "?"}, {math.Inf(-1), "0.0s", "0s"},
	} {
		require.Equal(t, test.want, wording.Seconds(test.s), "%g", test.s)
		require.Equal(t, test.whole, wording.WholeSeconds(test.s), "%g", test.s)
	}
}

// What is read back is never further off than half of the smaller unit.
func TestSecondsAreRounded(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		s := math.Exp(rng.Float64() * 13) // up to five days
		text := wording.Seconds(s)
		days, rest, found := strings.Cut(text, "d")
		back := 0.0
		if found {
			n, err := strconv.Atoi(days)
			require.NoError(t, err)
			back = float64(n) * 86_400
		} else {
			rest = text
		}
		d, err := time.ParseDuration(rest)
		require.NoError(t, err, text)
		half := map[byte]float64{'h': 1800, 'm': 30, 's': 0.5}[text[len(text)-1]]
		if strings.Contains(text, ".") {
			half = 0.05
		}
		require.InDelta(t, s, back+d.Seconds(), half+0.51, "%g is %s", s, text) // whole seconds come first
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1234: "1.2 kB", 99_949: "99.9 kB", 99_951: "100 kB", 999_499: "999 kB", 999_501: "1.0 MB",
		11_324_620: "11.3 MB", 64 << 20: "67.1 MB", 134_217_728: "134 MB", 1_200_000_000: "1.2 GB", math.MaxInt64: "9223372 TB",
	} {
		require.Equal(t, want, wording.Bytes(n))
	}
	require.Equal(t, "134.4 M", wording.Millions(134_412_345))
}
