package train

import (
	"fmt"
	"slices"

	"github.com/fcnx/fcnx/datasets"
)

// split cuts a batch into one part for each device, in the order of its samples.
func (m *mesh) split(b *datasets.Batch) ([]*datasets.Batch, error) {
	if m == nil {
		return []*datasets.Batch{b}, nil
	}
	if b.N%m.devices != 0 {
		return nil, fmt.Errorf("%d devices cannot share a batch of %d images evenly", m.devices, b.N)
	}
	parts := make([]*datasets.Batch, m.devices)
	for i := range parts {
		parts[i] = part(b, i, m.devices)
	}
	return parts, nil
}

// part is the i-th of n equal parts of a batch. Only what stepInputs and evalInputs read of
// it is cut.
func part(b *datasets.Batch, i, n int) *datasets.Batch {
	part := *b
	part.N = b.N / n
	part.Images = cut(b.Images, i, n)
	part.Sizes = cut(b.Sizes, i, n)
	part.Labels = cut(b.Labels, i, n)
	part.LabelSizes = cut(b.LabelSizes, i, n)
	return &part
}

// cut is the i-th of n equal parts.
func cut[T any](flat []T, i, n int) []T {
	return flat[len(flat)/n*i : len(flat)/n*(i+1)]
}

// fill adds blank samples to a batch until the devices can share it: those of
// [datasets.Evaluation.Pass], which no measure counts. Images do not see each other in an
// evaluation, so that the others stay as they are.
func (m *mesh) fill(b *datasets.Batch) *datasets.Batch {
	blank := m.filled(b.N) - b.N
	if blank == 0 {
		return b
	}
	full := *b
	full.N += blank
	full.Images = append(slices.Clip(b.Images), make([]uint8, blank*b.H*b.W*3)...)
	full.Labels = append(slices.Clip(b.Labels), slices.Repeat([]uint8{datasets.Ignore}, blank*b.LabelH*b.LabelW)...)
	full.Sizes = append(slices.Clip(b.Sizes), slices.Repeat([]int32{int32(b.H), int32(b.W)}, blank)...)
	full.LabelSizes = append(slices.Clip(b.LabelSizes), slices.Repeat([]int32{int32(b.LabelH), int32(b.LabelW)}, blank)...)
	return &full
}

// filled is how many samples fill makes of n.
func (m *mesh) filled(n int) int {
	if m == nil {
		return n
	}
	return (n + m.devices - 1) / m.devices * m.devices
}

// unfill takes what fill has added from a result of b, row-major with the samples first.
func unfill[T any](m *mesh, b *datasets.Batch, flat []T) []T {
	return slices.Clip(flat[:len(flat)/m.filled(b.N)*b.N])
}
