// Package device finds, installs, checks and opens what computes: XLA, through
// PJRT plugins, or GoMLX's own backend in Go.
//
// A plugin is a shared library that runs with all rights of the process. So it is
// never searched for and never downloaded behind the user's back: it is installed
// by an explicit act into a [Store], its sha256 is recorded there, and [Open]
// checks that hash before the library is loaded.
package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/go-xla/compute/xla"
)

// The kinds of backend, as written after --backend. Auto is none of them but a
// choice between them.
const (
	Auto = "auto"
	CPU  = "cpu"
	CUDA = "cuda"
	Go   = "go"
)

// ErrNoBackend is in the chain of every error of [Open] but those of the context and of
// [Options.Prepare]: nothing can be computed here as asked. The command's exit code is 5.
var ErrNoBackend = errors.New("no usable backend")

// unusable is an [ErrNoBackend] whose text is its own.
type unusable struct{ err error }

func (e *unusable) Error() string        { return e.err.Error() }
func (e *unusable) Unwrap() error        { return e.err }
func (e *unusable) Is(target error) bool { return target == ErrNoBackend }

// notPrepared is an error of [Options.Prepare]: a mistake of the user's, over which auto
// does not step.
type notPrepared struct{ err error }

func (e *notPrepared) Error() string { return e.err.Error() }
func (e *notPrepared) Unwrap() error { return e.err }

func unusablef(format string, args ...any) error {
	return &unusable{fmt.Errorf(format, args...)}
}

// Options say which backend is opened.
type Options struct {
	// Backend is "auto", "cpu", "cuda" or "go"; empty means auto: cuda where a GPU
	// answers and its plugin is installed, otherwise cpu, otherwise go.
	Backend string

	// Store holds the plugins.
	Store *Store

	// Devices is how many devices the CPU plugin presents; 0 means 1, which is
	// what it has. On CUDA all visible GPUs are there in any case.
	Devices int

	// CUDA is for the cuda backend alone.
	CUDA CUDAOptions

	// Prepare is called with a plugin before it is loaded, and may set in the environment
	// what is read there: see [Environment]. nil: nothing is set.
	Prepare func(p Plugin) error

	// Warn receives one line where auto settles for less than was to be expected.
	Warn func(message string)
}

// Backend is an open backend. Close it when the work is done.
type Backend struct {
	// Compute is what GoMLX takes.
	Compute compute.Backend

	Kind    string // CPU, CUDA or Go
	Path    string // of the plugin; empty for Go
	SHA256  string // of the plugin as it was opened, in hex; empty for Go
	Version string // what the backend says of itself: "PJRT 0.81"
	Devices int    // at least 1
}

// Close gives the backend's memory back. Nothing that was computed on it may be
// touched afterwards.
func (b *Backend) Close() { b.Compute.Finalize() }

// Open opens the backend that o asks for.
//
// The plugin's hash is checked first, which takes about half a second for the 259
// MB of the CPU plugin. XLA reads XLA_FLAGS by itself; what is added to it is for
// [Options.Prepare].
func Open(ctx context.Context, o Options) (*Backend, error) {
	// A plugin is opened by absolute path, where go-xla has no reason to look for
	// or to download any; this holds the same for a later call from elsewhere.
	xla.EnableAutoInstall(false)

	kind := o.Backend
	if kind == "" {
		kind = Auto
	}
	switch kind {
	case CPU, CUDA:
		return openInstalled(ctx, kind, o)
	case Go:
		return openGo()
	case Auto:
		return openAuto(ctx, o)
	}
	return nil, unusablef("no backend %q: it is one of auto, cpu, cuda, go", o.Backend)
}

// openAuto takes the fastest backend that is there. A plugin that was never
// installed is passed over; one that is damaged is an error, for training 150
// times slower than yesterday is no service to anyone.
func openAuto(ctx context.Context, o Options) (*Backend, error) {
	warn := o.Warn
	if warn == nil {
		warn = func(string) {}
	}
	if len(GPUs()) > 0 {
		b, err := openInstalled(ctx, CUDA, o)
		var mistake *notPrepared
		switch {
		case err == nil:
			return b, nil
		case errors.Is(err, ErrNotInstalled):
			warn("a GPU is here but its plugin is not, so the CPU computes; `fcnx plugins install cuda` installs it")
		case ctx.Err() != nil, errors.As(err, &mistake):
			return nil, err
		default:
			warn(fmt.Sprintf("the GPU does not answer, so the CPU computes: %v", err))
		}
	}
	b, err := openInstalled(ctx, CPU, o)
	if !errors.Is(err, ErrNotInstalled) {
		return b, err
	}
	warn("no XLA plugin is installed, so GoMLX's Go backend computes, about 150 times slower; `fcnx plugins install cpu` installs one")
	return openGo()
}

func openInstalled(ctx context.Context, kind string, o Options) (*Backend, error) {
	p, err := o.Store.Find(kind)
	if kind == CUDA && errors.Is(err, ErrNotInstalled) && len(GPUs()) == 0 {
		return nil, unusablef("%w; and there is no GPU for it (no /dev/nvidia0)", err)
	}
	if err != nil {
		return nil, &unusable{err}
	}
	return openPlugin(ctx, p, o)
}

// openGo starts GoMLX's Go backend, one operation at a time, each on all cores. Left
// to itself it runs independent operations side by side, gives each a worker of its
// pool, and lets a matrix product wait for further workers: as many products as
// there are workers wait for ever (compute v0.1.2, workerspool.Saturate).
func openGo() (*Backend, error) {
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, unusablef("GoMLX's Go backend does not start: %w", err)
	}
	return &Backend{Compute: b, Kind: Go, Version: "GoMLX Go backend", Devices: 1}, nil
}

// PluginKinds are the kinds that come as a plugin.
func PluginKinds() []string { return []string{CPU, CUDA} }

// knownKind is an error for a kind that has no plugin.
func knownKind(kind string) error {
	if slices.Contains(PluginKinds(), kind) {
		return nil
	}
	return fmt.Errorf("no plugin is called %q; there are %s", kind, strings.Join(PluginKinds(), " and "))
}
