package datasets

import "math"

// The textures of a paint.
const (
	gradient = iota
	stripes
	blotches
	textures // how many there are
)

// paint is a texture between two colours: at says which share of the second is
// where.
type paint struct {
	from, to [3]float64 // RGB, 0 to 255
	texture  int
	du, dv   float64     // phase a pixel, along x and y
	phase    float64     // at (0,0)
	lattice  [64]float64 // of blotches: 8x8 shares, repeated
}

// randomPaint draws two colours of about the given hue (in degrees), as vivid as
// saturation allows, and a texture.
func (c *canvas) randomPaint(hue, saturation, unit float64) paint {
	light := 70 + 170*c.rng.Float64()
	spread := 20 + 50*c.rng.Float64()
	vivid := saturation * (0.4 + 0.6*c.rng.Float64())
	p := paint{
		from:    hsv(hue, vivid, light),
		to:      hsv(hue+20*c.rng.NormFloat64(), vivid*(0.6+0.4*c.rng.Float64()), max(20, light-spread)),
		texture: c.rng.IntN(textures),
	}
	// The wave is a few pixels long for stripes, and as long as the picture for a
	// gradient; the cells of blotches are in between.
	length := map[int]float64{gradient: 96, stripes: 5 + 9*c.rng.Float64(), blotches: 5 + 10*c.rng.Float64()}[p.texture] * unit
	turn := 2 * math.Pi * c.rng.Float64()
	p.du, p.dv = math.Cos(turn)/length, math.Sin(turn)/length
	p.phase = 8 * c.rng.Float64()
	if p.texture == blotches {
		for i := range p.lattice {
			p.lattice[i] = c.rng.Float64()
		}
	}
	return p
}

// at gives the colour of a pixel.
func (p *paint) at(x, y float64) (r, g, b float64) {
	u := x*p.du + y*p.dv + p.phase
	var share float64
	switch p.texture {
	case gradient, stripes:
		// A triangle wave, smoothed: what a sine would be, at a third of the price.
		wave := 2 * math.Abs(u-math.Floor(u)-0.5)
		share = smooth(wave)
	case blotches:
		share = p.noise(u, y*p.du-x*p.dv+p.phase)
	}
	mix := func(i int) float64 { return p.from[i] + (p.to[i]-p.from[i])*share }
	return mix(0), mix(1), mix(2)
}

// noise interpolates the lattice: value noise, repeated every 8 cells.
func (p *paint) noise(u, v float64) float64 {
	floorU, floorV := math.Floor(u), math.Floor(v)
	col, row := int(floorU)&7, int(floorV)&7
	s, t := smooth(u-floorU), smooth(v-floorV)
	next := (col + 1) & 7
	above := p.lattice[8*row+col]*(1-s) + p.lattice[8*row+next]*s
	row = (row + 1) & 7
	below := p.lattice[8*row+col]*(1-s) + p.lattice[8*row+next]*s
	return above*(1-t) + below*t
}

// smooth rises from 0 to 1 and is level at both ends.
func smooth(t float64) float64 { return t * t * (3 - 2*t) }

// hsv gives the RGB, 0 to 255, of a hue in degrees, a saturation from 0 to 1 and
// a value from 0 to 255.
func hsv(hue, saturation, value float64) [3]float64 {
	var rgb [3]float64
	for i := range rgb {
		// Each channel is the same trapezium, a third of the circle later.
		k := math.Mod(hue/60+5-2*float64(i), 6)
		if k < 0 {
			k += 6
		}
		rgb[i] = value * (1 - saturation*max(0, min(k, 4-k, 1)))
	}
	return rgb
}
