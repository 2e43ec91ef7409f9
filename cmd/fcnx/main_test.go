package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fcnx/fcnx/device"
	"github.com/fcnx/fcnx/device/devicetest"
)

// The scripts run this test binary under the name fcnx, so they see the program
// as a shell does: arguments, output, exit code.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fcnx": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
		"mkimages":  makeImages,
		"mknan":     makeNaN,
		"mkforeign": makeForeign,
		"mkrun":     makeRun,
		"mkweights": makeWeights,
		"damage":    damage,
		"waits":     waits,
		"limited":   limited,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		// Scripts have a home of their own, without plugins. Those that compute ask for
		// the user's: env FCNX_PLUGINS_DIR=$PLUGINS.
		Setup: func(env *testscript.Env) error {
			store, err := device.Default(os.Getenv)
			if err != nil {
				return err
			}
			env.Setenv("PLUGINS", store.Dir)
			// What computes where a script is about XLA, and whether that is a GPU.
			env.Setenv("XLA", devicetest.Kind())
			env.Setenv("GPU", strconv.FormatBool(devicetest.Kind() == device.CUDA))
			recipes, err := filepath.Abs("../../recipes")
			if err != nil {
				return err
			}
			env.Setenv("RECIPES", recipes)
			env.Values[started{}] = new(started)
			return nil
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "gpu": // one that --backend auto would take
				return len(device.GPUs()) > 0, nil
			case "gpu-tests":
				return devicetest.Kind() == device.CUDA, nil
			}
			return false, fmt.Errorf("no condition is called %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"listens": listens, "scrapes": scrapes, "frame": isFrame, "json": isJSON, "svg": isSVG,
			"exits": exits, "starts": starts, "stops": stops, "laststep": laststep, "cpat": copyAt, "pngsize": pngSize,
		},
	})
}

// exits is the command of the scripts that holds a program to its exit code:
//
//	exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}
