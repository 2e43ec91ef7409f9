package main

import (
	"fmt"

	"github.com/fcnx/fcnx/train"
	"github.com/fcnx/fcnx/train/sink"
	"github.com/fcnx/fcnx/train/sink/metrics"
)

// metricsSink shows the run to Prometheus. It is a sink without an effect where
// nobody asked for it.
type metricsSink struct {
	sink.Sink
	url string // empty: not served
}

// openMetrics takes the address, if there is one, from here on.
func openMetrics(c train.RunConfig, warn func(string)) (*metricsSink, error) {
	if c.MetricsAddr == "" && c.MetricsFile == "" {
		return &metricsSink{Sink: sink.NewMulti()}, nil
	}
	m, err := metrics.Open(metrics.Config{Addr: c.MetricsAddr, File: c.MetricsFile})
	if err != nil {
		return nil, err
	}
	s := &metricsSink{Sink: m}
	if addr := m.Addr(); addr.IsValid() {
		s.url = fmt.Sprintf("http://%s/metrics", addr)
		if !addr.Addr().Unmap().IsLoopback() {
			warn(fmt.Sprintf("metrics at %s can be read from other machines; 127.0.0.1:%d would keep them here", addr, addr.Port()))
		}
	}
	return s, nil
}
