package metrics

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// farewell is how long a scrape that is under way may take when the run ends.
const farewell = time.Second

// server answers GET and HEAD of /metrics, and nothing else.
type server struct {
	addr netip.AddrPort
	http http.Server
	done chan error // what ended Serve
}

// serve listens when it returns, so that an address that is taken is known.
func serve(addr string, registry *prometheus.Registry) (*server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 8}))
	s := &server{
		addr: listener.Addr().(*net.TCPAddr).AddrPort(),
		http: http.Server{
			Handler:           mux,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			// What strangers send wrong is not for the person at the terminal.
			ErrorLog: log.New(io.Discard, "", 0),
		},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// close lets scrapes end that are under way, for a moment. Its error is what ended
// the server before.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
