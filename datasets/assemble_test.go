package datasets

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Time in these tests is the bubble's own: it moves when all goroutines wait, so
// nothing here can be flaky. A bubble that ends with a goroutine left fails.

// slowSource takes a second for each sample.
func slowSource(n int) *memorySource {
	src := sourceOf(repeat(n, 4, 4)...)
	src.at = func(int) error {
		time.Sleep(time.Second)
		return nil
	}
	return src
}

func TestBreakStopsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLoader(t, slowSource(9), LoaderConfig{Batch: 2, Workers: 3})
		for _, err := range l.Batches(t.Context(), 0) {
			require.NoError(t, err)
			break
		}
		batches := take(t, l, 4, 5)
		require.Len(t, batches, 5)
	})
}

func TestCancellationEndsBatches(t *testing.T) {
	reason := errors.New("that is enough")
	for _, seconds := range []float64{0, 0.5, 3.5} {
		synctest.Test(t, func(t *testing.T) {
			l := newTestLoader(t, slowSource(9), LoaderConfig{Batch: 2, Workers: 2})
			ctx, cancel := context.WithCancelCause(t.Context())
			start := time.Now()
			after := time.Duration(seconds * float64(time.Second))
			if after == 0 {
				cancel(reason)
			}
			time.AfterFunc(after, func() { cancel(reason) })
			good, ended := 0, false
			for _, err := range l.Batches(ctx, 0) {
				require.False(t, ended)
				if err == nil {
					good++
					continue
				}
				ended = true
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, after, time.Since(start), "at once, not when a sample is done")
			}
			require.True(t, ended)
			require.Equal(t, int(seconds), good)
			require.Equal(t, after, time.Since(start), "workers are not waited for")
			time.Sleep(time.Second) // they finish the sample they are at, and then synctest finds none
		})
	}
}

// A batch that is ready must not keep a stopped run going.
func TestCancellationComesBeforeBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLoader(t, sourceOf(repeat(9, 4, 4)...), LoaderConfig{Batch: 2})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := 0
		for _, err := range l.Batches(ctx, 0) {
			if calls++; calls == 1 {
				require.NoError(t, err)
				synctest.Wait() // until the next ones are ready
				cancel()
				continue
			}
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Equal(t, 2, calls)
		synctest.Wait() // the workers have nothing to finish
	})
}

// While the consumer is busy, no more than prefetch batches are made.
func TestPrefetchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, prefetch := range []int{1, 2, 5} {
			src := sourceOf(repeat(100, 4, 4)...)
			l := newTestLoader(t, src, LoaderConfig{Batch: 2, Workers: 3, Prefetch: prefetch})
			given := int64(0)
			for _, err := range l.Batches(t.Context(), 0) {
				require.NoError(t, err)
				given++
				synctest.Wait()
				require.Equal(t, 2*(given+int64(prefetch)), src.decoded.Load())
				if given == 8 {
					break
				}
			}
		}
	})
}

func TestWorkersWorkSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLoader(t, slowSource(24), LoaderConfig{Batch: 4, Workers: 8})
		start, batches := time.Now(), 0
		for _, err := range l.Batches(t.Context(), 0) {
			require.NoError(t, err)
			if batches++; batches == 6 {
				require.Equal(t, 3*time.Second, time.Since(start), "24 samples, 8 at a time")
				break
			}
		}
	})
}
