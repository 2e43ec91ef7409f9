package wording

import (
	"fmt"
	"math"
)

// Number has about four digits whatever its size, and no exponent unless it must: a
// mean loss is about one, a sum over pixels is about a million. Without a sign it is
// at most seven characters long, until its exponent has three digits.
func Number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	case a == 0:
		return "0"
	case a < 0.001, a >= 9_999_999.5:
		return fmt.Sprintf("%.2g", v)
	case a < 10:
		return fmt.Sprintf("%.4f", v)
	case a < 100:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Seconds is a time of s seconds in its two largest units: 0.4s, 12s, 4m10s, 2h05m,
// 3d04h; "?" where s is no time.
func Seconds(s float64) string {
	if s < 9.95 {
		return fmt.Sprintf("%.1fs", max(s, 0))
	}
	return WholeSeconds(s)
}

// WholeSeconds is Seconds for a guess, which has no tenths.
func WholeSeconds(s float64) string {
	if !(s < 1e12) { // NaN too
		return "?"
	}
	const minute, hour, day = 60, 60 * 60, 24 * 60 * 60
	whole := int64(math.Round(max(s, 0)))
	minutes, hours := (whole+minute/2)/minute, (whole+hour/2)/hour
	switch {
	case minutes >= day/minute:
		return fmt.Sprintf("%dd%02dh", hours/24, hours%24)
	case whole >= hour:
		return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
	case whole >= minute:
		return fmt.Sprintf("%dm%02ds", whole/minute, whole%minute)
	}
	return fmt.Sprintf("%ds", whole)
}

// Bytes is 1.2 GB, in powers of ten as disks and memory are sold.
func Bytes(n int64) string {
	v, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if unit == "B" || v >= 99.95 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// Millions is 134.4 M.
func Millions(n int64) string { return fmt.Sprintf("%.1f M", float64(n)/1e6) }
