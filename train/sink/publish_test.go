package sink_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/sink"
	"github.com/fcnx/fcnx/train/sink/metrics"
)

// What telling of a step costs who tells it, with everyone listening as in fcnx
// train. Steps of a millisecond share writes to events.jsonl, those of a second have
// one each. The pause is what a step leaves the sinks behind queues to catch up in;
// it is not counted.
func BenchmarkPublishStep(b *testing.B) {
	for _, bench := range []struct {
		name  string
		apart time.Duration
	}{{"1ms", time.Millisecond}, {"1s", time.Second}} {
		b.Run(bench.name, func(b *testing.B) {
			dir := b.TempDir()
			events, _, err := sink.OpenJSONL(filepath.Join(dir, "events.jsonl"))
			require.NoError(b, err)
			log, err := os.Create(filepath.Join(dir, "log.txt"))
			require.NoError(b, err)
			defer log.Close()
			board, err := sink.OpenTensorBoard(dir, noon)
			require.NoError(b, err)
			served, err := metrics.Open(metrics.Config{Addr: "127.0.0.1:0", File: filepath.Join(dir, "fcnx.prom")})
			require.NoError(b, err)
			all := sink.NewQueue(sink.NewMulti(events, sink.NewPlain(log, 5*time.Second), served, sink.NewAsync(board, 1024)))
			norm := event.Float(1.93)
			now := noon
			b.ReportAllocs()
			spent := time.Duration(0)
			for n := int64(1); b.Loop(); n++ {
				now = now.Add(bench.apart)
				begin := time.Now()
				err := all.Handle(event.Step{Head: event.Head{Time: now}, Step: n, Epoch: 0.001 * float64(n), Loss: 0.8123, LR: 0.049,
					DataMS: 2.31, StepMS: 228.7, ReadMS: 0.4, TellMS: 0.006, Images: 8, GradNorm: &norm})
				spent += time.Since(begin)
				require.NoError(b, err)
				if n%64 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "caller-ns/op")
			require.NoError(b, all.Close())
		})
	}
}
