package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/go-xla/pjrt"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/storagetest"
	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/device/devicetest"
	"github.com/fcnx/fcnx/train/control"
	"github.com/fcnx/fcnx/train/event"
)

// These tests run commands in the process of the test, where goroutines, descriptors and
// device buffers can be counted and the race detector sees them. A command may change
// what belongs to the process (signals that are ignored), so that process is another one.

// inProcess runs a command as main does.
func inProcess(ctx context.Context, args ...string) said {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(""), &stdout, &stderr)
	return said{code, stdout.String(), stderr.String()}
}

// ofLibraries are goroutines that are not of a command's making, and stay by design.
var ofLibraries = []goleak.Option{
	// klog, which GoMLX logs by, flushes its files every few seconds from its
	// initialisation on.
	goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"),
}

// openFiles are the open descriptors of this process, but for one that is kept on
// purpose: that of a plugin's directory (device's neutralName says why).
func openFiles(t *testing.T, plugins string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	files := map[string]string{}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil && target != plugins { // it may have been ReadDir's own
			files[e.Name()] = target
		}
	}
	return files
}

// What a command has opened and started ends with it, whether it does what it is to or
// fails.
func TestCommandsLeaveNothingBehind(t *testing.T) {
	if !storagetest.InAnotherProcess(t, &syscall.SysProcAttr{}) {
		return
	}
	store, err := device.Default(os.Getenv)
	require.NoError(t, err)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	small := smallRun(dir, "--backend", devicetest.Kind(), "--tensorboard", "--metrics-addr", "127.0.0.1:0", "--metrics-file", path("a.prom"))
	for _, test := range []struct {
		code int
		args []string
	}{
		{exitDone, []string{"version"}},
		{exitDone, []string{"doctor"}},
		{exitDone, []string{"plugins", "list"}},
		{exitDone, []string{"lr", "--loss", "sum", "--lr", "1e-10", "--momentum", "0.99", "--size", "375x500"}},
		{exitDone, []string{"data", "check", "shapes?n=4"}},
		{exitDone, []string{"data", "show", "shapes?n=4", "--out", path("sheet.png")}},
		{exitDone, small},
		{exitUsage, small}, // its name is taken
		{exitDone, []string{"train", "--resume=" + path("a"), "--allow-change", "--steps", "3", "--ui", "json"}},
		{exitBadData, smallRun(dir, "--name", "bad", "--data", "folder:"+path("nowhere"))},
		{exitFailure, smallRun("/proc/nowhere", "--name", "b")}, // no directory can be made there
		{exitDone, []string{"eval", path("a"), "--backend", devicetest.Kind()}},
		{exitDone, []string{"predict", path("a"), path("sheet.png"), "--backend", "go", "--overlay", "--logits", "--out", path("masks")}},
		{exitBadData, []string{"predict", path("a"), path("a.prom"), "--backend", "go", "--out", path("masks")}},
		{exitDone, []string{"inspect", path("a"), "--stats"}},
		{exitDone, []string{"inspect", path("a"), "--memory", "--backend", devicetest.Kind()}},
		{exitDone, []string{"inspect", "geometry", "375x500", "--model", "fcn8s"}},
		{exitDone, []string{"weights", "export", path("a"), "--out", path("a.safetensors")}},
		{exitDone, []string{"weights", "export", path("a"), "--out", path("a.onnx")}},
		{exitUsage, []string{"weights", "import", path("a.safetensors")}},
		{exitDone, []string{"watch", path("a")}},
		{exitDone, []string{"status", path("a")}},
		{exitDone, []string{"status", path("a"), "--svg", path("a.svg")}},
		{exitDone, []string{"stop", path("a")}},
		{exitBadData, []string{"stop", path("nowhere")}},
	} {
		before := openFiles(t, store.Dir)
		there := append(slices.Clone(ofLibraries), goleak.IgnoreCurrent())
		end := inProcess(t.Context(), test.args...)
		require.Equal(t, test.code, end.code, "%v: %s", test.args, end.stderr)
		require.NoError(t, goleak.Find(there...), "%v", test.args)
		require.Equal(t, before, openFiles(t, store.Dir), "%v", test.args)
		require.Zero(t, pjrt.BuffersAlive(), "%v", test.args)
	}
}

// A run that everybody looks at and asks something of, while it trains, evaluates, saves
// and draws: under the race detector, which `make test` runs this test with once more, no
// two of them may be at the same memory.
func TestRunAmongMany(t *testing.T) {
	if !storagetest.InAnotherProcess(t, &syscall.SysProcAttr{}) {
		return
	}
	there := append(slices.Clone(ofLibraries), goleak.IgnoreCurrent())
	dir := t.TempDir()
	running := filepath.Join(dir, "a")
	urls := make(chan string, 1)
	stderr := &lineWatcher{pattern: regexp.MustCompile(`(?s)metrics are at (http://\S+).*step 1/`), found: urls}
	ended := make(chan int, 1)
	var stdout bytes.Buffer
	go func() {
		ended <- run(t.Context(), smallRun(dir, "--backend", devicetest.Kind(), "--steps", "1000000", "--set", "train.schedule=constant",
			"--set", "checkpoint.every_steps=7", "--set", "eval.every_steps=20", "--tensorboard", "--ui", "plain",
			"--metrics-addr", "127.0.0.1:0", "--metrics-file", filepath.Join(dir, "a.prom")),
			strings.NewReader(""), &stdout, stderr)
	}()
	var url string
	select {
	case url = <-urls:
	case code := <-ended:
		t.Fatalf("it ended with %d: %s", code, stderr.said())
	}

	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for range 20 {
				answer, err := http.Get(url)
				if err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	others.Go(func() {
		for range 5 {
			inProcess(t.Context(), "status", running, "--json")
		}
	})
	others.Go(func() {
		for _, action := range []string{event.ActionSave, event.ActionEvaluate, event.ActionHalveLR, "nonsense"} {
			_ = control.Ask(running, control.Request{Time: time.Now(), Action: action, By: "test"})
			time.Sleep(50 * time.Millisecond)
		}
	})
	others.Go(func() {
		r := checkpoints.Run{Dir: running}
		for range 10 {
			if c, err := r.Newest(func(string) {}); err == nil {
				_ = c.Close()
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	others.Wait()
	// A compilation that is under way when a run is stopped is left, with the device's
	// buffers; so it is stopped when the last one is over, and all was answered.
	require.Eventually(t, func() bool {
		return strings.Contains(events(t, dir), `"kind":"eval"`) && strings.Contains(stderr.said(), "asked to nonsense")
	}, 5*time.Minute, 10*time.Millisecond)
	stop := inProcess(t.Context(), "stop", running)
	require.Equal(t, exitDone, stop.code, stop.stderr)
	require.Contains(t, stop.stdout, running+" stopped after step ")
	require.Equal(t, exitTerminated, <-ended)
	require.Contains(t, events(t, dir), event.ActionHalveLR)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, goleak.Find(there...))
	require.Zero(t, pjrt.BuffersAlive(), stderr.said())
}

// lineWatcher is a writer that looks for one text in what is written to it.
type lineWatcher struct {
	pattern *regexp.Regexp
	found   chan<- string
	mu      sync.Mutex
	text    bytes.Buffer
}

func (w *lineWatcher) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if match := w.pattern.FindSubmatch(w.text.Bytes()); match != nil && w.found != nil {
		w.found <- string(match[1])
		w.found = nil
	}
	return len(p), nil
}

// A long run holds no more at its end than at its beginning: descriptors, device buffers
// and Go's memory after each of many saves and evaluations. (10,000 steps and 500
// checkpoints are for `make torture`.)
func TestLongRunHoldsNoMore(t *testing.T) {
	if !storagetest.InAnotherProcess(t, &syscall.SysProcAttr{}) {
		return
	}
	dir := t.TempDir()
	counts := new(counter)
	var stderr bytes.Buffer
	code := run(t.Context(), smallRun(dir, "--backend", devicetest.Kind(), "--steps", "400", "--set", "checkpoint.every_steps=10",
		"--set", "eval.every_steps=50", "--ui", "json"), strings.NewReader(""), counts, &stderr)
	require.Equal(t, exitDone, code, stderr.String())
	require.Len(t, counts.files, 41, "one for each checkpoint, and one before the first evaluation is compiled")
	for name, values := range map[string][]int{"descriptors": counts.files, "device buffers": counts.buffers, "bytes of Go": counts.heap} {
		early, late := middle(values[5:15]), middle(values[30:])
		t.Logf("%s: %d after 50 to 150 steps, %d after 300 to 400", name, early, late)
		switch name {
		case "bytes of Go":
			// A checkpoint held back at each save would be 1.6 MB each time.
			require.Less(t, late, early+(4<<20))
		default:
			// What the moment has open, a file that is being written or a batch on its way,
			// comes and goes. One held back at each save would be 20 more.
			require.Less(t, late, early+10, name)
		}
	}
}

// counter counts what the process holds whenever a record says that a checkpoint was saved.
type counter struct {
	files, buffers, heap []int
}

func (c *counter) Write(p []byte) (int, error) {
	for range bytes.Count(p, []byte(`"kind":"saved"`)) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0, err
		}
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		c.files = append(c.files, len(entries))
		c.buffers = append(c.buffers, int(pjrt.BuffersAlive()))
		c.heap = append(c.heap, int(stats.HeapAlloc))
	}
	return len(p), nil
}

func middle(values []int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
