package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func openTest(t testing.TB, spec, split string) Source {
	t.Helper()
	src, err := Open(spec, split)
	require.NoError(t, err)
	return src
}

func at(t testing.TB, src Source, i int) Sample {
	t.Helper()
	s, err := src.At(i)
	require.NoError(t, err)
	return s
}

func TestShapesSource(t *testing.T) {
	src := openTest(t, "shapes?n=3&val_n=2&size=40x72&seed=5&classes=4", Train)
	require.Equal(t, 3, src.Len())
	require.Equal(t, 2, openTest(t, "shapes?n=3&val_n=2", Val).Len())
	require.Len(t, src.Classes(), 4)
	h, w, err := src.Size(1)
	require.NoError(t, err)
	require.Equal(t, []int{40, 72}, []int{h, w})
	s := at(t, src, 1)
	require.Equal(t, "train-000001", s.ID)
	require.Equal(t, [2]int{40, 72}, [2]int{s.Image.Rect.Dy(), s.Image.Rect.Dx()})
	require.Equal(t, s.Image.Rect, s.Label.Rect)
	for i := 3; i < len(s.Image.Pix); i += 4 {
		require.EqualValues(t, 255, s.Image.Pix[i])
	}
	bad, summary := problems(t, src, true)
	require.Empty(t, bad)
	require.Equal(t, map[[2]int]int{{40, 72}: 3}, summary.Sizes)
}

// Every class is there often enough to be learned, at several sizes.
func TestShapesHaveEveryClass(t *testing.T) {
	for _, spec := range []string{"shapes?n=60", "shapes?n=60&size=48x48", "shapes?n=30&size=160x120&seed=9"} {
		_, summary := problems(t, openTest(t, spec, Train), true)
		for i, share := range summary.Labels.Frequency() {
			require.Greater(t, share, 0.01, "%s: class %d", spec, i)
		}
		require.Greater(t, summary.Labels.Frequency()[0], 0.5, spec)
	}
}

// The samples of a split are one stream, those of another split or seed another.
func TestShapesStreams(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, seed := range []int{0, 1} {
		for _, split := range []string{Train, Val, Test} {
			src := openTest(t, fmt.Sprintf("shapes?n=20&val_n=20&size=32x32&seed=%d", seed), split)
			for i := range src.Len() {
				name := fmt.Sprint(seed, split, i)
				sum := sha256.Sum256(at(t, src, i).Image.Pix)
				require.Empty(t, seen[sum], name)
				seen[sum] = name
			}
		}
	}
	// Neither n nor the order in which samples are drawn changes any of them.
	few, many := openTest(t, "shapes?n=5", Train), openTest(t, "shapes?n=500", Train)
	want := make([]Sample, 5)
	for i := range want {
		want[i] = at(t, few, i)
	}
	var group sync.WaitGroup
	for i := 4; i >= 0; i-- {
		group.Go(func() {
			if s, err := many.At(i); err != nil || string(s.Image.Pix) != string(want[i].Image.Pix) || string(s.Label.Pix) != string(want[i].Label.Pix) {
				t.Errorf("sample %d differs (%v)", i, err)
			}
		})
	}
	group.Wait()
}

var update = flag.Bool("update", false, "write the golden files anew")

// NB: when this fails, raise shapesVersion, run go test -update and look at a
// contact sheet: every published number on shapes belongs to one version.
func TestShapesGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors fuse multiplication and addition, which moves a few pixels by one")
	}
	var lines strings.Builder
	for _, spec := range []string{"shapes", "shapes?seed=7&size=64x80"} {
		for _, split := range []string{Train, Val} {
			src := openTest(t, spec, split)
			hash := sha256.New()
			for i := range 10 {
				s := at(t, src, i)
				hash.Write(s.Image.Pix)
				hash.Write(s.Label.Pix)
			}
			fmt.Fprintf(&lines, "%s %s %s\n", spec, split, hex.EncodeToString(hash.Sum(nil)))
		}
	}
	golden := filepath.Join("testdata", "shapes.golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile(golden, []byte(lines.String()), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), lines.String())
}

// slowInside is what each shape is, without distances.
func slowInside(s *shape, x, y float64) bool {
	dx, dy := x-s.x, y-s.y
	u, v := s.cos*dx+s.sin*dy, s.cos*dy-s.sin*dx
	inBox := func(a, b float64) bool { return math.Abs(u) < a && math.Abs(v) < b }
	switch s.kind {
	case disc:
		return math.Hypot(u, v) < s.long
	case ring:
		r := math.Hypot(u, v)
		return r > s.long-s.thick && r < s.long+s.thick
	case line:
		return inBox(s.long, s.thick) || math.Hypot(u-s.long, v) < s.thick || math.Hypot(u+s.long, v) < s.thick
	case box:
		return inBox(s.long, s.thick)
	case cross:
		return inBox(s.long, s.thick) || inBox(s.thick, s.long)
	}
	// A point is in a triangle if the three small triangles to its corners have no
	// more area than the whole.
	area := func(a, b, c [2]float64) float64 {
		return math.Abs((b[0]-a[0])*(c[1]-a[1])-(b[1]-a[1])*(c[0]-a[0])) / 2
	}
	p, q := [2]float64{u, v}, s.corners
	return area(p, q[0], q[1])+area(p, q[1], q[2])+area(p, q[2], q[0]) < area(q[0], q[1], q[2])+1e-9
}

// The distance of a point is the radius of the largest circle around it that does
// not meet the edge: on that circle all is as at the point, and a little further
// out it is not.
func TestShapeDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	same := func(s *shape, x, y, radius float64) bool {
		for step := range 720 {
			angle := float64(step) * math.Pi / 360
			if slowInside(s, x+radius*math.Cos(angle), y+radius*math.Sin(angle)) != slowInside(s, x, y) {
				return false
			}
		}
		return true
	}
	for kind := disc; kind <= cross; kind++ {
		for range 20 {
			s := randomShape(rng, kind, 1)
			s.x, s.y = 50, 50
			for range 20 {
				x, y := 100*rng.Float64(), 100*rng.Float64()
				d := s.distance(x, y)
				require.Equal(t, slowInside(&s, x, y), d < 0, "kind %d at %v,%v", kind, x, y)
				require.True(t, same(&s, x, y, math.Abs(d)*0.99), "kind %d: nearer than %v", kind, d)
				if kind != cross || d > 0 {
					require.False(t, same(&s, x, y, math.Abs(d)+0.5), "kind %d: further than %v", kind, d)
				}
				if math.Hypot(x-s.x, y-s.y) > s.reach {
					require.Positive(t, d, "kind %d: reach", kind)
				}
			}
		}
	}
}

// The band of Ignore separates every shape from everything else.
func TestShapesBorder(t *testing.T) {
	src := openTest(t, "shapes?n=30", Train)
	for i := range src.Len() {
		label := at(t, src, i).Label
		for y := range 95 {
			for x := range 95 {
				a := label.GrayAt(x, y).Y
				for _, b := range []uint8{label.GrayAt(x+1, y).Y, label.GrayAt(x, y+1).Y} {
					require.True(t, a == b || a == Ignore || b == Ignore, "sample %d at %d,%d: %d beside %d", i, x, y, a, b)
				}
			}
		}
	}
}

func TestHSV(t *testing.T) {
	for _, c := range []struct {
		hue, saturation float64
		want            [3]float64
	}{
		{0, 1, [3]float64{200, 0, 0}}, {60, 1, [3]float64{200, 200, 0}}, {120, 1, [3]float64{0, 200, 0}},
		{180, 0.5, [3]float64{100, 200, 200}}, {240, 1, [3]float64{0, 0, 200}}, {-60, 1, [3]float64{200, 0, 200}},
		{720 + 30, 1, [3]float64{200, 100, 0}}, {77, 0, [3]float64{200, 200, 200}},
	} {
		got := hsv(c.hue, c.saturation, 200)
		require.InDeltaSlice(t, c.want[:], got[:], 1e-9, "%v", c)
	}
}

func BenchmarkShapes(b *testing.B) {
	src := openTest(b, "shapes", Train)
	for i := 0; b.Loop(); i++ {
		at(b, src, i%600)
	}
}
