package train

import "errors"

// SmallestBatch is the least batch that [Config] can share out: one image for each device in
// each micro-batch. What is wrong with these, or that a batch cannot have so many images, is
// one [*KeyError] or two.
func (c Config) SmallestBatch() (int, error) {
	var k checker
	devices, parts := c.Device.Devices, c.Train.Accumulate
	k.devices(c)
	k.parts(c)
	if k.errs == nil {
		k.must(devices*parts <= 1<<16, "train.accumulate", "%d micro-batches on %d devices want %d images at least, and a batch has 65536 at most", parts, devices, devices*parts)
	}
	return devices * parts, errors.Join(k.errs...)
}

// devices and parts are the bounds of what a batch is shared among.
func (k *checker) devices(c Config) { k.within("device.devices", c.Device.Devices, 1, 1<<10) }
func (k *checker) parts(c Config)   { k.within("train.accumulate", c.Train.Accumulate, 1, 1<<16) }
