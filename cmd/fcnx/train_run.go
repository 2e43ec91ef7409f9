package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/datasets"
	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// backendName is how checkpoints and people call what computes.
func backendName(b *device.Backend) string { return b.Kind + " " + b.Version }

// versions are those on which numbers depend.
func versions() map[string]string {
	all := builtFrom()
	all["fcnx"], all["go"] = version, runtime.Version()
	return all
}

// configDigest is what checkpoints say of the config.toml that they were saved with.
func configDigest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// trainRun is the open run directory, and what its checkpoints say of the run.
type trainRun struct {
	*checkpoints.Run
	config  train.Config
	digest  string // of the configuration
	data    *trainData
	stages  stages
	backend *device.Backend
	manager *checkpoints.Manager
	// listener hears what is asked of this process.
	listener *control.Listener
	changed  []byte // config.toml as it will be from the next checkpoint on; nil: as it is
}

// openRun makes the run's directory, or opens the resumed one for writing.
func (p *trainPlan) openRun(data *trainData, all stages, backend *device.Backend, warn func(string)) (*trainRun, error) {
	r := &trainRun{Run: p.resumed, data: data, stages: all, backend: backend}
	if r.Run == nil {
		name := p.config.Run.Name
		if name == "" {
			kind, _, _ := strings.Cut(p.config.Data.Spec, ":")
			kind, _, _ = strings.Cut(kind, "?")
			what := p.config.Model.Arch
			if len(all) > 1 {
				what = "staged"
			}
			name = checkpoints.NewName(kind+"-"+what, func(name string) bool {
				_, err := os.Lstat(filepath.Join(p.config.Run.Out, name)) // #nosec G703 -- run.out is where the user wants it
				return err == nil
			})
			p.config.Run.Name = name
		}
	}
	r.config = p.config
	text, err := p.config.TOML()
	if err != nil {
		return nil, err
	}
	r.digest = configDigest(text)

	if r.Run == nil {
		dir := filepath.Join(p.config.Run.Out, p.config.Run.Name)
		if p.listener, err = control.Listen(dir, time.Now()); err != nil {
			return nil, err
		}
		if r.Run, err = checkpoints.Create(dir, text, time.Now()); err != nil {
			var taken *checkpoints.TakenError
			if errors.As(err, &taken) {
				return nil, usageError(err)
			}
			return nil, err
		}
	} else if len(p.changes) > 0 {
		r.changed = text
	}
	p.resumed = nil // from here on it is r that closes it
	r.listener = p.listener
	names, err := datasets.FormatClasses(data.classes)
	if err == nil {
		err = checkpoints.ReplaceFile(filepath.Join(r.Dir, classesName), func(f *os.File) error {
			_, err := f.Write(names)
			return err
		})
	}
	if err == nil {
		r.manager, err = checkpoints.NewManager(r.Run, p.config.Checkpoint.Keep, warn)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// saver keeps the state of an engine in the run directory.
type saver struct {
	run    *trainRun
	stage  *stage
	engine *train.Engine
}

// Save implements [train.Saver].
func (s *saver) Save(p train.Progress, epoch float64) *train.Saving {
	if !s.run.config.Checkpoint.Background {
		return train.SaveHere(func() (event.Saved, error) { return s.write(s.meta(p, epoch), s.engine, time.Now()) })
	}
	begin := time.Now()
	meta := s.meta(p, epoch)
	snapshot, err := s.engine.Snapshot()
	if err != nil {
		return train.SaveHere(func() (event.Saved, error) { return event.Saved{}, err })
	}
	return train.SaveBehind(func() (event.Saved, error) {
		saved, err := s.write(meta, snapshot, begin)
		return saved, errors.Join(err, snapshot.Free())
	})
}

// meta is what a checkpoint says beside its variables.
func (s *saver) meta(p train.Progress, epoch float64) checkpoints.Meta {
	meta := checkpoints.Meta{
		Step: p.Step, Epoch: epoch, Cursor: int64(p.Cursor), Evaluated: p.Evaluated, LRScale: p.RateScale, Retries: p.Retries,
		Stage: s.stage.meta(), Seed: s.run.config.Run.Seed, Config: s.run.digest, Dataset: s.run.data.digest,
		Versions: versions(),
		Plugin:   checkpoints.Plugin{Name: backendName(s.run.backend), SHA256: s.run.backend.SHA256},
		Time:     time.Now(),
	}
	if p.BestStep > 0 {
		meta.Best = &checkpoints.Best{Step: p.BestStep, MeanIoU: p.BestIoU}
	}
	return meta
}

// state is an engine, or what was copied from one.
type state interface {
	Variables() []train.Variable
	WriteVariable(path string, w io.Writer) error
}

// write returns when the checkpoint that was begun at begin is on disk. Of the goroutines
// that call it one waits for the other.
func (s *saver) write(meta checkpoints.Meta, from state, begin time.Time) (event.Saved, error) {
	// A change becomes the run's once there is something that was computed with it.
	if s.run.changed != nil {
		if err := s.run.SetConfig(s.run.changed); err != nil {
			return event.Saved{}, err
		}
		s.run.changed = nil
	}
	var infos []checkpoints.Info
	for _, v := range from.Variables() {
		infos = append(infos, checkpoints.Info{Name: v.Path, DType: v.DType, Shape: v.Shape})
	}
	saved, err := s.run.manager.Save(meta, infos, from.WriteVariable)
	return event.Saved{Path: saved.Path, Bytes: saved.Bytes, Seconds: time.Since(begin).Seconds(), Best: saved.Best}, err
}
