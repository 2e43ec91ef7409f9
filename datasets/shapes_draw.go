package datasets

import (
	"image"
	"math"
	"math/rand/v2"
)

// The kinds of shape are the labels that they get.
const (
	disc = 1 + iota
	box
	triangle
	line
	ring
	cross
)

// shapeBorder is half the width, in pixels, of the band of [Ignore] along the
// edge of every shape. PASCAL VOC has such a band because nobody can say which
// side of it a pixel is on; here the anti-aliased pixels are in it.
const shapeBorder = 1.5

// shape is a thing in the picture, told by its signed distance.
type shape struct {
	kind     int
	x, y     float64 // centre, in pixels
	cos, sin float64 // of its rotation
	// reach is the radius of a circle around the centre that holds the shape.
	// long and thick mean what distance makes of them.
	reach, long, thick float64
	corners            [3][2]float64 // of a triangle, around its centre
}

// randomShape draws a shape of the given kind; unit is 1 in a picture of 96x96.
// Nothing is thinner than 9 units, which a net of stride 8 can still tell.
func randomShape(rng *rand.Rand, kind int, unit float64) shape {
	between := func(lo, hi float64) float64 { return unit * (lo + (hi-lo)*rng.Float64()) }
	turn := 2 * math.Pi * rng.Float64()
	s := shape{kind: kind, cos: math.Cos(turn), sin: math.Sin(turn)}
	switch kind {
	case disc:
		s.long = between(11, 20)
		s.reach = s.long
	case box:
		s.long, s.thick = between(12, 20), between(9, 16)
		s.reach = math.Hypot(s.long, s.thick)
	case triangle:
		s.reach = between(17, 26)
		for i := range s.corners {
			angle := (float64(i) + 0.3*(rng.Float64()-0.5)) * 2 * math.Pi / 3
			s.corners[i] = [2]float64{s.reach * math.Cos(angle), s.reach * math.Sin(angle)}
		}
	case line:
		s.long, s.thick = between(18, 34), between(4.5, 6.5)
		s.reach = s.long + s.thick
	case ring:
		s.long, s.thick = between(13, 20), between(4.5, 6)
		s.reach = s.long + s.thick
	case cross:
		s.long, s.thick = between(15, 23), between(5, 7)
		s.reach = math.Hypot(s.long, s.thick)
	}
	return s
}

// distance is that of a point to the edge in pixels, negative inside. In the
// middle of a cross it is less deep than it could be, which nothing here sees.
func (s *shape) distance(x, y float64) float64 {
	dx, dy := x-s.x, y-s.y
	u, v := s.cos*dx+s.sin*dy, s.cos*dy-s.sin*dx
	switch s.kind {
	case disc:
		return math.Sqrt(u*u+v*v) - s.long
	case ring:
		return math.Abs(math.Sqrt(u*u+v*v)-s.long) - s.thick
	case line:
		u = max(math.Abs(u)-s.long, 0)
		return math.Sqrt(u*u+v*v) - s.thick
	case triangle:
		return s.triangleDistance(u, v)
	case cross:
		return min(boxDistance(u, v, s.long, s.thick), boxDistance(u, v, s.thick, s.long))
	}
	return boxDistance(u, v, s.long, s.thick)
}

// boxDistance is that to a box of half sides a and b around the origin.
func boxDistance(u, v, a, b float64) float64 {
	u, v = math.Abs(u)-a, math.Abs(v)-b
	outsideU, outsideV := max(u, 0), max(v, 0)
	return math.Sqrt(outsideU*outsideU+outsideV*outsideV) + min(max(u, v), 0)
}

// triangleDistance is that to the nearest of three sides; inside is left of all.
func (s *shape) triangleDistance(u, v float64) float64 {
	nearest, inside := math.Inf(1), true
	for i, a := range s.corners {
		b := s.corners[(i+1)%3]
		sideU, sideV := b[0]-a[0], b[1]-a[1]
		u, v := u-a[0], v-a[1]
		along := (u*sideU + v*sideV) / (sideU*sideU + sideV*sideV)
		along = max(0, min(1, along))
		awayU, awayV := u-along*sideU, v-along*sideV
		nearest = min(nearest, awayU*awayU+awayV*awayV)
		inside = inside && sideU*v-sideV*u >= 0
	}
	if inside {
		return -math.Sqrt(nearest)
	}
	return math.Sqrt(nearest)
}

// canvas is one sample on its way.
type canvas struct {
	image *image.NRGBA
	label *image.Gray
	h, w  int
	rng   *rand.Rand
}

func newCanvas(h, w int, rng *rand.Rand) *canvas {
	r := image.Rect(0, 0, w, h)
	return &canvas{image.NewNRGBA(r), image.NewGray(r), h, w, rng}
}

// drawScene paints a background and up to 6 shapes, the later over the earlier.
func (c *canvas) drawScene(classes int) {
	unit := float64(min(c.h, c.w)) / 96
	background := c.randomPaint(c.rng.Float64()*360, 0.5, unit)
	c.fill(&background)
	var placed []shape
	for range 3 + c.rng.IntN(4) {
		s := randomShape(c.rng, 1+c.rng.IntN(classes-1), unit)
		if !c.place(&s, placed) {
			continue
		}
		placed = append(placed, s)
		paint := c.shapePaint(s.kind, unit, &background)
		c.stamp(&s, &paint)
	}
	c.grain(3 + 9*c.rng.Float64())
}

// place finds a centre that is not on another shape: shapes may cover each
// other in part, and stick out of the picture, but stay there to be seen.
func (c *canvas) place(s *shape, placed []shape) bool {
	for range 20 {
		s.x = float64(c.w) * (0.14 + 0.72*c.rng.Float64())
		s.y = float64(c.h) * (0.14 + 0.72*c.rng.Float64())
		free := true
		for i := range placed {
			apart := math.Hypot(s.x-placed[i].x, s.y-placed[i].y)
			free = free && apart > 0.8*(s.reach+placed[i].reach)
		}
		if free {
			return true
		}
	}
	return false
}

// shapePaint leans towards a hue of the kind, so that colour helps, but the hues
// of neighbouring kinds overlap: only the outline tells. It keeps apart from the
// background, or there would be nothing to see.
func (c *canvas) shapePaint(kind int, unit float64, background *paint) paint {
	for {
		p := c.randomPaint(60*float64(kind)+20*c.rng.NormFloat64(), 0.8, unit)
		contrast := 0.0
		for i := range p.from {
			d := p.from[i] + p.to[i] - background.from[i] - background.to[i]
			contrast += d * d
		}
		if contrast > 120*120 {
			return p
		}
	}
}

// stamp paints a shape with an anti-aliased edge and labels it.
func (c *canvas) stamp(s *shape, p *paint) {
	reach := s.reach + shapeBorder + 1
	top, bottom := max(0, int(s.y-reach)), min(c.h, int(s.y+reach)+2)
	left, right := max(0, int(s.x-reach)), min(c.w, int(s.x+reach)+2)
	for y := top; y < bottom; y++ {
		pixels := c.image.Pix[y*c.image.Stride:]
		labels := c.label.Pix[y*c.label.Stride:]
		for x := left; x < right; x++ {
			// Pixels are squares whose centres are at halves.
			d := s.distance(float64(x)+0.5, float64(y)+0.5)
			if d >= shapeBorder {
				continue
			}
			labels[x] = uint8(s.kind)
			if d > -shapeBorder {
				labels[x] = Ignore
			}
			cover := max(0, min(1, 0.5-d))
			r, g, b := p.at(float64(x), float64(y))
			px := pixels[4*x : 4*x+3]
			px[0] = uint8(float64(px[0])*(1-cover) + r*cover)
			px[1] = uint8(float64(px[1])*(1-cover) + g*cover)
			px[2] = uint8(float64(px[2])*(1-cover) + b*cover)
		}
	}
}

func (c *canvas) fill(p *paint) {
	for y := range c.h {
		pixels := c.image.Pix[y*c.image.Stride:]
		for x := range c.w {
			r, g, b := p.at(float64(x), float64(y))
			px := pixels[4*x : 4*x+4]
			px[0], px[1], px[2], px[3] = uint8(r), uint8(g), uint8(b), 255
		}
	}
}

// grain adds noise as of a sensor: two bytes of chance a channel make a
// triangular distribution, of the given standard deviation.
func (c *canvas) grain(deviation float64) {
	// The difference of two bytes has the deviation 256/sqrt(6), about 104.5.
	scale := int(deviation / 104.5 * 65536)
	pix := c.image.Pix
	for i := 0; i < len(pix); i += 4 {
		bits := c.rng.Uint64()
		for channel := range 3 {
			noise := int(bits&255) - int(bits>>8&255)
			bits >>= 16
			pix[i+channel] = uint8(max(0, min(255, int(pix[i+channel])+(noise*scale)>>16)))
		}
	}
}
