package metrics_test

import (
	"bytes"
	"flag"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
	"github.com/fcnx/fcnx/train/sink/metrics"
	"github.com/fcnx/fcnx/train/sink/sinktest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is s seconds after noon.
func at(s float64) event.Head {
	return event.Head{Time: noon.Add(time.Duration(s * float64(time.Second)))}
}

func float(v float64) *event.Float { f := event.Float(v); return &f }

// whole is a run with everything in it.
func whole() []event.Record {
	return []event.Record{
		event.Started{Head: at(0), Run: "shapes-fcn8s", Version: "0.1.0", Model: "fcn8s", Encoder: "vgg16_bn", Data: "shapes?n=8",
			Backend: "cuda", Plugin: "cuda 13", Step: 40, Steps: 100, Epochs: 2.5, Resumed: true},
		event.Phase{Head: at(0.25), Name: event.PhaseTrain, Step: 40},
		event.Step{Head: at(1), Step: 41, Epoch: 1.025, Loss: 2, LR: 0.05, DataMS: 25, StepMS: 475, Images: 8},
		event.Step{Head: at(1.5), Step: 42, Epoch: 1.05, Loss: 1.5, LR: 0.045, DataMS: 50, StepMS: 450, Images: 8, GradNorm: float(3)},
		event.System{Head: at(2), Step: 42, CPUPercent: 196, RSS: 1 << 30, Memory: 1 << 34, Free: 1 << 33, Disk: 1 << 40, GPUs: []event.GPU{
			{Name: "NVIDIA H100", Utilization: 97, Used: 1 << 34, Memory: 1 << 36, Watts: 480, Celsius: 61},
			{Name: "NVIDIA H100", Memory: 1 << 36}}},
		event.Phase{Head: at(3), Name: event.PhaseEval, Step: 42},
		event.Eval{Head: at(4), Step: 42, MeanIoU: 0.25, PixelAccuracy: 0.75, MeanAccuracy: 0.5, FwIoU: 0.625, Loss: 0.5, Seconds: 1.25, Best: true,
			ClassIoU: map[string]*event.Float{"sky": float(0.5), `a "quoted"` + "\n": float(0), "pole": nil, "bad\xff": float(1)}},
		event.Saved{Head: at(4.5), Step: 42, Bytes: 1 << 29, Seconds: 0.5, Best: true},
		event.Eval{Head: at(4.75), Step: 43, MeanIoU: 0.125, Loss: event.Float(math.NaN()), ClassIoU: map[string]*event.Float{"sky": float(0.25), "pole": nil}},
	}
}

func open(t *testing.T, c metrics.Config, records ...event.Record) *metrics.Sink {
	s, err := metrics.Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for _, r := range records {
		require.NoError(t, s.Handle(r))
	}
	return s
}

// ask makes a request that leaves no connection behind.
func ask(t *testing.T, method string, s *metrics.Sink, path string) (*http.Response, []byte) {
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr().String()+path, nil)
	require.NoError(t, err)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, body
}

// values are the samples of a text: name{label="value",...} without the label of the run.
func values(t *testing.T, text []byte) map[string]float64 {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err, "%s", text)
	all := map[string]float64{}
	for name, family := range families {
		for _, m := range family.Metric {
			key := name
			for _, l := range m.Label {
				if l.GetName() != "run" {
					key += " " + l.GetName() + "=" + l.GetValue()
				}
			}
			all[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}

func TestSinkKeepsTheContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		return sinktest.Subject{Sink: open(t, metrics.Config{Addr: "127.0.0.1:0", File: filepath.Join(t.TempDir(), "fcnx.prom")})}
	})
}

func TestServed(t *testing.T) {
	s := open(t, metrics.Config{Addr: "127.0.0.1:0"})
	answer, body := ask(t, http.MethodGet, s, "/metrics")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Empty(t, body, "nothing was said yet")

	for _, r := range whole() {
		require.NoError(t, s.Handle(r))
	}
	answer, body = ask(t, http.MethodGet, s, "/metrics")
	require.Contains(t, answer.Header.Get("Content-Type"), "text/plain")
	got := values(t, body)
	require.Equal(t, 1.5, got["fcnx_loss"])
	require.Equal(t, 2.0, got["fcnx_steps_total"])
	require.Equal(t, 0.25, got["fcnx_eval_class_iou_ratio class=sky"])
	require.NotContains(t, got, "fcnx_eval_class_iou_ratio class=pole")
	require.NotContains(t, got, `fcnx_eval_class_iou_ratio class="bad\xff"`, "the last evaluation has no such class")
	require.True(t, math.IsNaN(got["fcnx_eval_loss"]))
	require.Equal(t, 0.25, got["fcnx_best_mean_iou_ratio"])
	require.Equal(t, 42.0, got["fcnx_best_step"])
	require.NotContains(t, got, "fcnx_exit_code")

	for _, test := range []struct {
		method, path string
		want         int
	}{
		{http.MethodHead, "/metrics", http.StatusOK},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/metrics", http.StatusMethodNotAllowed},
		{http.MethodGet, "/", http.StatusNotFound},
		{http.MethodGet, "/metrics/more", http.StatusNotFound},
		{http.MethodGet, "/debug/pprof/", http.StatusNotFound},
	} {
		answer, _ := ask(t, test.method, s, test.path)
		require.Equal(t, test.want, answer.StatusCode, "%s %s", test.method, test.path)
	}

	addr := s.Addr().String()
	require.NoError(t, s.Close())
	_, err := net.Dial("tcp", addr)
	require.Error(t, err, "nobody listens any more")
}

// The text of a whole run is what Prometheus' own linter likes.
func TestTextFile(t *testing.T) {
	for name, records := range map[string][]event.Record{
		"whole":   whole(),
		"ended":   append(whole(), event.Finished{Head: at(6), Step: 42, Reason: event.ReasonInterrupted, ExitCode: 130, BestIoU: float(0.75), BestStep: 7}),
		"started": whole()[:1],
		"odd":     {event.Phase{Head: at(0), Name: "ponder"}, event.Started{Run: "a\xffb"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fcnx.prom")
			require.NoError(t, open(t, metrics.Config{File: path}, records...).Close())
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			values(t, got)
			problems, err := promlint.New(bytes.NewReader(got)).Lint()
			require.NoError(t, err)
			require.Empty(t, problems)
			golden := filepath.Join("testdata", name+".prom")
			if *update {
				require.NoError(t, os.WriteFile(golden, got, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got))
		})
	}
}

func TestTextFileIsReplacedNowAndThen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fcnx.prom")
	require.NoError(t, os.WriteFile(path, []byte("of another run\n"), 0o644))
	s := open(t, metrics.Config{File: path})
	step := func() float64 {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if string(text) == "of another run\n" {
			return 0
		}
		return values(t, text)["fcnx_step"]
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "of another run\n", string(text), "as long as there is nothing to say")

	for _, test := range []struct{ second, step, want float64 }{
		{0, 1, 1},
		{4.9, 2, 1},
		{5, 3, 3},
		{9, 4, 3},
		{-100, 5, 5}, // the clock was set back
		{-97, 6, 5},
	} {
		require.NoError(t, s.Handle(event.Step{Head: at(test.second), Step: int64(test.step)}))
		for step() < test.want { // it is written beside the run
			runtime.Gosched()
		}
		require.Equal(t, test.want, step(), "second %v", test.second)
	}
	require.NoError(t, s.Close())
	require.Equal(t, 6.0, step())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary files are left")
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode(), "others may read it")
}

// A file that cannot be written any more is an error now and then, and all else goes on.
func TestTextFileIsLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(dir, 0o755))
	s, err := metrics.Open(metrics.Config{Addr: "127.0.0.1:0", File: filepath.Join(dir, "fcnx.prom")})
	require.NoError(t, err)
	require.NoError(t, os.Remove(dir))
	for _, second := range []float64{0, 5} {
		// The error is that of one of the records behind the one with which it was due.
		var err error
		for err == nil {
			err = s.Handle(event.Step{Head: at(second), Step: int64(second)})
			runtime.Gosched()
		}
		require.ErrorContains(t, err, "metrics file: ")
		for range 1000 {
			require.NoError(t, s.Handle(event.Step{Head: at(second + 4.9), Step: int64(second)}), "once in five seconds")
		}
	}
	_, body := ask(t, http.MethodGet, s, "/metrics")
	require.Equal(t, 5.0, values(t, body)["fcnx_step"])
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, "fcnx.prom"))
}

func TestOpenSaysWhatIsInItsWay(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = metrics.Open(metrics.Config{Addr: taken.Addr().String()})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, taken.Addr().String())
	require.ErrorContains(t, err, "choose another run.metrics_addr")

	dir := t.TempDir()
	_, err = metrics.Open(metrics.Config{File: dir})
	require.ErrorContains(t, err, "metrics cannot be written to "+dir+": it is a directory; choose another run.metrics_file")
	_, err = metrics.Open(metrics.Config{File: filepath.Join(dir, "none", "fcnx.prom")})
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	// What is there and no file stays what it is.
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o666))
	for _, path := range []string{fifo, os.DevNull} {
		_, err = metrics.Open(metrics.Config{File: path})
		require.ErrorContains(t, err, "metrics cannot be written to "+path+": it is there and no regular file")
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.False(t, info.Mode().IsRegular())
	}
}

// A run that hangs does not look alive because its machine is still measured.
func TestMachineIsNoSignOfLife(t *testing.T) {
	s := open(t, metrics.Config{Addr: "127.0.0.1:0"}, event.Step{Head: at(1), Step: 1}, event.System{Head: at(900), RSS: 7})
	_, body := ask(t, http.MethodGet, s, "/metrics")
	got := values(t, body)
	require.Equal(t, float64(noon.Unix()+1), got["fcnx_last_event_timestamp_seconds"])
	require.Equal(t, 7.0, got["fcnx_resident_memory_bytes"])
}

// Several sinks in a process, and scrapes while records come; run it with -race.
func TestScrapesAndRecordsMeet(t *testing.T) {
	a, b := open(t, metrics.Config{Addr: "127.0.0.1:0"}), open(t, metrics.Config{Addr: "127.0.0.1:0"})
	require.NoError(t, b.Handle(event.Step{Head: at(0), Step: 7}))
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			for _, r := range whole() {
				_ = a.Handle(r)
			}
		}
	})
	for range 20 {
		answer, body := ask(t, http.MethodGet, a, "/metrics")
		require.Equal(t, http.StatusOK, answer.StatusCode, "%s", body)
		values(t, body)
	}
	wg.Wait()
	_, body := ask(t, http.MethodGet, b, "/metrics")
	require.Equal(t, 7.0, values(t, body)["fcnx_step"])
}

func TestZeroConfigIsASinkThatNobodySees(t *testing.T) {
	s := open(t, metrics.Config{}, whole()...)
	require.False(t, s.Addr().IsValid())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Handle(event.Note{}), sink.ErrClosed)
}

// The page that lists the measures has all of them, and no other.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sinks.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if cell, ok := strings.CutPrefix(line, "| `fcnx_"); ok {
			name, _, _ := strings.Cut("fcnx_"+cell, "`")
			name, _, _ = strings.Cut(name, "{")
			listed[name] = true
		}
	}
	path := filepath.Join(t.TempDir(), "fcnx.prom")
	require.NoError(t, open(t, metrics.Config{File: path}, append(whole(), event.Finished{Head: at(6)})...).Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err)
	there := map[string]bool{}
	for name := range families {
		there[name] = true
	}
	require.Equal(t, there, listed)
}

func BenchmarkHandleStep(b *testing.B) {
	s, err := metrics.Open(metrics.Config{Addr: "127.0.0.1:0"})
	require.NoError(b, err)
	defer s.Close()
	for i := range b.N {
		_ = s.Handle(event.Step{Head: at(float64(i)), Step: int64(i), Loss: 1, LR: 0.1, DataMS: 1, StepMS: 100, Images: 8})
	}
}
