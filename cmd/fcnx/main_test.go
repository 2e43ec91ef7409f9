package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run this test binary under the name fcnx, so they see the program
// as a shell does: arguments, output, exit code.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fcnx": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"mkimages": makeImages,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}
