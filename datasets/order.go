package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// All chance in a stream of batches comes from the two functions of this file.
// Nothing is carried from one sample to the next, so a stream can begin anywhere.

// epochOrder is the order in which an epoch walks n samples: a pure function of
// its arguments; without shuffle, as they come.
func epochOrder(seed uint64, epoch, n int, shuffle bool) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if shuffle {
		newRNG("order", seed, epoch, 0).Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}

// sampleRNG is the chance that transforms of one sample draw from in one epoch: a
// pure function of its arguments.
func sampleRNG(seed uint64, epoch, index int) *rand.Rand {
	return newRNG("sample", seed, epoch, index)
}

// newRNG hashes, because seeds that people choose, and epochs, and indices are
// all small numbers next to each other: generators seeded with them directly
// would be alike. The purpose keeps the two uses apart.
func newRNG(purpose string, seed uint64, epoch, index int) *rand.Rand {
	key := binary.LittleEndian.AppendUint64([]byte(purpose), seed)
	key = binary.LittleEndian.AppendUint64(key, uint64(epoch))
	key = binary.LittleEndian.AppendUint64(key, uint64(index))
	sum := sha256.Sum256(key)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[0:]), binary.LittleEndian.Uint64(sum[8:])))
}
