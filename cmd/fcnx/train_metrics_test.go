package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// listens is the command of the scripts that takes an address, and puts it into
// $TAKEN.
func listens(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) > 0 {
		ts.Fatalf("usage: listens")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv("TAKEN", listener.Addr().String())
}

// scrapes is the command of the scripts that reads the metrics of a run, where the
// last note in its events says they are, into a file:
//
//	scrapes RUN FILE
func scrapes(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) != 2 {
		ts.Fatalf("usage: scrapes RUN FILE")
	}
	events := ts.ReadFile(args[0] + "/events.jsonl")
	found := regexp.MustCompile(`metrics are at (http://[^"]+)"`).FindAllStringSubmatch(events, -1)
	if len(found) == 0 {
		ts.Fatalf("no note in %s says where the metrics are", args[0])
	}
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(found[len(found)-1][1])
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o666))
}
