package metrics

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// collector makes metrics of a snapshot when somebody asks, so that telling of a
// step costs nothing but keeping it, and one scrape shows one moment.
type collector struct {
	snapshot func() state
	measures []measure
	descs    []*prometheus.Desc // one a measure
}

func newCollector(snapshot func() state) *collector {
	c := &collector{snapshot: snapshot, measures: measures()}
	for _, m := range c.measures {
		labels := append([]string{"run"}, m.labels...)
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, labels, nil))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		ch <- desc
	}
}

// Collect implements [prometheus.Collector]. Before the first record there is
// nothing.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	if !s.said {
		return
	}
	run := ""
	if s.started != nil {
		run = label(s.started.Run)
	}
	for i, m := range c.measures {
		m.of(&s, func(value float64, labels ...string) {
			all := []string{run}
			for _, text := range labels {
				all = append(all, label(text))
			}
			metric, err := prometheus.NewConstMetric(c.descs[i], m.kind(), value, all...)
			if err != nil {
				// A measure that is wrong here must not end a run: the scrape fails.
				metric = prometheus.NewInvalidMetric(c.descs[i], err)
			}
			ch <- metric
		})
	}
}

// label is text as the value of a label, which must be valid UTF-8. Two different
// texts stay different.
func label(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strconv.Quote(text)
}

// kind follows from the name, as it does for whoever reads it.
func (m measure) kind() prometheus.ValueType {
	if strings.HasSuffix(m.name, "_total") {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}
