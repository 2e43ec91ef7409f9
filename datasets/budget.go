package datasets

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Budget holds back decoders, so that together they have no more pixels in work than one
// may have, however many cores there are. It is safe for concurrent use.
type Budget struct{ pixels *semaphore.Weighted }

// NewBudget is one of so many pixels, the most that a single image may have.
func NewBudget(pixels int64) Budget { return Budget{semaphore.NewWeighted(pixels)} }

// Decode calls decode, for an image of h x w pixels, once there is room for it. An image
// of more pixels than there are would wait for ever: those are refused by their headers.
func (b Budget) Decode(h, w int, decode func() error) error {
	pixels := int64(h) * int64(w)
	_ = b.pixels.Acquire(context.Background(), pixels) // nothing ends the wait but room
	defer b.pixels.Release(pixels)
	return decode()
}
