package main

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/fcnx/fcnx/train/event"
)

// stats reads all variables, one at a time.
func (n *network) stats(ctx context.Context) ([]statsReport, error) {
	var list []statsReport
	for _, v := range n.variables() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw := make([]byte, 4*v.Size())
		if err := n.values.Read(v.Path(), raw); err != nil {
			return nil, err
		}
		s := statsOf(raw)
		s.Variable, s.Shape = v.Path(), v.Shape
		list = append(list, s)
	}
	return list, nil
}

// statsOf is about float32s, little-endian. The deviation is that of the numbers
// themselves, divided by how many they are.
func statsOf(raw []byte) statsReport {
	s := statsReport{Count: int64(len(raw) / 4)}
	each := func(do func(v float64)) {
		for i := 0; i+4 <= len(raw); i += 4 {
			do(float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))))
		}
	}
	least, largest := math.Inf(1), math.Inf(-1)
	var sum, squares float64
	var zeros, finite int64
	each(func(v float64) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		finite++
		sum += v
		least, largest = min(least, v), max(largest, v)
		if v == 0 {
			zeros++
		}
	})
	s.NotFinite = s.Count - finite
	if finite == 0 {
		return s
	}
	mean := sum / float64(finite)
	each(func(v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			squares += (v - mean) * (v - mean)
		}
	})
	figure := func(v float64) *event.Float { f := event.Float(v); return &f }
	s.Min, s.Max = figure(least), figure(largest)
	s.Mean, s.Std = figure(mean), figure(math.Sqrt(squares/float64(finite)))
	s.Zeros = float64(zeros) / float64(s.Count)
	return s
}
