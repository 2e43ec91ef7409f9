package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// extent is a size in pixels.
type extent struct{ h, w int }

func (e extent) area() int64 { return int64(e.h) * int64(e.w) }

// join is the smallest extent that holds both.
func (e extent) join(o extent) extent { return extent{max(e.h, o.h), max(e.w, o.w)} }

func (e extent) holds(o extent) bool { return o.h <= e.h && o.w <= e.w }

func (e extent) roundUp(multiple int) extent {
	up := func(n int) int { return (n + multiple - 1) / multiple * multiple }
	return extent{up(e.h), up(e.w)}
}

func compareExtents(a, b extent) int {
	return cmp.Or(cmp.Compare(a.h, b.h), cmp.Compare(a.w, b.w))
}

// readSizes asks for the size of every sample, several at a time. It reports the
// first bad one, and how many more there are. Where bad samples are skipped, they have
// the size of the first good one, which makes no shape that would not be there.
func readSizes(ctx context.Context, src Source, cfg LoaderConfig) ([]extent, error) {
	sizes := make([]extent, src.Len())
	errs := make([]error, src.Len())
	var group errgroup.Group
	group.SetLimit(cfg.Workers)
	for i := range sizes {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			h, w, err := src.Size(i)
			if err == nil && (h < 1 || w < 1) {
				err = fmt.Errorf("an image of %dx%d has no pixels", h, w)
			}
			sizes[i], errs[i] = extent{h, w}, asSampleError(err, i)
			return nil
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var first error
	more := -1
	for _, err := range errs {
		if err != nil {
			first = cmp.Or(first, err)
			more++
		}
	}
	if good := slices.Index(errs, nil); cfg.SkipBad && good >= 0 {
		for i, err := range errs {
			if err != nil {
				sizes[i] = sizes[good]
			}
		}
		return sizes, nil
	}
	if more > 0 {
		first = fmt.Errorf("%w (and %d more that cannot be read)", first, more)
	}
	return sizes, first
}

// asSampleError names sample i in an error of a Source that does not do so itself.
func asSampleError(err error, i int) error {
	var named *SampleError
	if err == nil || errors.As(err, &named) {
		return err
	}
	return &SampleError{ID: strconv.Itoa(i), Err: err}
}
