package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
)

// openCheckpoint adds saving and loading, and a plain file of the same bytes to compare
// them with.
func (b *bench) openCheckpoint(context.Context) error {
	// The optimiser's slots are made by a step.
	if !b.plan.wants(partTrain, partUpdate) {
		if _, err := b.engine.Step(noise(b.plan.smallest, updateSide, updateSide, b.plan.config.Model.Classes), 0, benchLR); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp(b.plan.out, "fcnx-bench-")
	if err != nil {
		return writeErrorBelow(b.plan.out, err)
	}
	b.closers = append(b.closers, func() {
		if err := os.RemoveAll(dir); err != nil {
			b.warn(err.Error())
		}
	})
	k, err := newKept(b, dir)
	if err != nil {
		return writeErrorBelow(dir, err)
	}
	b.closers = append(b.closers, k.close)
	b.cases = append(b.cases, k.saving, k.plain, k.loading)
	return nil
}

// kept is a run directory in which one checkpoint is saved again and again.
type kept struct {
	bench   *bench
	run     *checkpoints.Run
	manager *checkpoints.Manager
	steps   int64

	saving, plain, loading *benchCase
}

func newKept(b *bench, dir string) (*kept, error) {
	run, err := checkpoints.Create(filepath.Join(dir, "run"), nil, time.Now())
	if err != nil {
		return nil, err
	}
	k := &kept{bench: b, run: run}
	if k.manager, err = checkpoints.NewManager(run, 1, b.warn); err != nil {
		return nil, errors.Join(err, run.Close())
	}
	below := func(once func() (time.Duration, error)) func(context.Context) (time.Duration, error) {
		return func(context.Context) (time.Duration, error) {
			took, err := once()
			return took, writeErrorBelow(dir, err)
		}
	}
	k.saving = &benchCase{part: partCheckpoint, key: "save", name: "checkpoint saved", unit: "bytes", once: below(k.save)}
	k.plain = &benchCase{part: partCheckpoint, key: "disk", name: "plain file of that size", unit: "bytes", once: below(k.write)}
	k.loading = &benchCase{part: partCheckpoint, key: "load", name: "checkpoint loaded", unit: "bytes", once: below(k.load)}
	return k, nil
}

// save does what a run does: a copy off the device, for which training stands still, and
// that copy to the disk.
func (k *kept) save() (time.Duration, error) {
	begin := time.Now()
	snapshot, err := k.bench.engine.Snapshot()
	if err != nil {
		return 0, err
	}
	still := time.Since(begin)
	var infos []checkpoints.Info
	for _, v := range snapshot.Variables() {
		infos = append(infos, checkpoints.Info{Name: v.Path, DType: v.DType, Shape: v.Shape})
	}
	k.steps++
	saved, err := k.manager.Save(checkpoints.Meta{Step: k.steps, Time: time.Now(), Versions: versions()}, infos, snapshot.WriteVariable)
	took := time.Since(begin)
	k.saving.still = append(k.saving.still, still.Seconds())
	for _, c := range []*benchCase{k.saving, k.plain, k.loading} {
		c.amount = float64(saved.Bytes)
	}
	return took, errors.Join(err, snapshot.Free())
}

// write writes the bytes of the newest checkpoint's variables to a plain file, and waits
// until they are on the disk.
func (k *kept) write() (took time.Duration, err error) {
	data, err := os.ReadFile(filepath.Join(k.run.StepDir(k.steps), "variables.safetensors"))
	if err != nil {
		return 0, err
	}
	path := filepath.Join(filepath.Dir(k.run.Dir), "plain")
	begin := time.Now()
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	took = time.Since(begin)
	return took, errors.Join(err, os.Remove(path))
}

// load checks the newest checkpoint and reads all of its variables.
func (k *kept) load() (time.Duration, error) {
	begin := time.Now()
	c, err := k.run.Newest(k.bench.warn)
	if err != nil {
		return 0, err
	}
	for _, info := range c.Variables.Infos() {
		if _, err := c.Variables.Read(info.Name); err != nil {
			return 0, errors.Join(err, c.Close())
		}
	}
	return time.Since(begin), c.Close()
}

func (k *kept) close() {
	if err := k.run.Close(); err != nil {
		k.bench.warn(err.Error())
	}
}
