package device

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// xlaFlags is what XLA reads in the environment.
const xlaFlags = "XLA_FLAGS"

// xnnpackFlag has products of matrices done by XNNPACK, which is on where nobody says otherwise.
// It lays the weights out anew each time, on one core: more than half of fc7's time
// (docs/benchmarks.md).
const xnnpackFlag = "--xla_cpu_use_xnnpack"

// Environment is what has to be in the process's environment before plugin p is loaded,
// which reads it once. Whoever owns the process sets it, for a library has no right to.
// What the user has said there stays, and told has a line where that is something else
// than c says. lookup is [os.LookupEnv] in a program.
//
// An error is about flags that cannot be added.
func Environment(p Plugin, c CUDAOptions, lookup func(string) (string, bool)) (set []Variable, told []string, err error) {
	switch {
	case p.Kind == CUDA:
		return c.environment(lookup)
	case p.Kind == CPU && slices.ContainsFunc(cpuWheels, func(w wheel) bool { return w.library == p.SHA256 }):
		// Another library might not know the flag, at which XLA would end the process. Nor is it worth
		// an error where it cannot be added.
		if flags, _, err := addFlag(lookup, xnnpackFlag, "false"); err == nil && flags != "" {
			return []Variable{{xlaFlags, flags}}, nil, nil
		}
	}
	return nil, nil, nil
}

// addFlag gives XLA_FLAGS with one more flag, or nothing where the flag is there; conflict
// is it, where it says something else than value. XLA ends the process at a flag that it
// does not know, so only flags that the plugins have come here.
func addFlag(lookup func(string) (string, bool), flag, value string) (flags, conflict string, err error) {
	old, _ := lookup(xlaFlags)
	text, path := old, strings.TrimSpace(old)
	inFile := path != "" && !strings.HasPrefix(path, "-") // XLA then takes it for the name of a file
	if inFile {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", "", fmt.Errorf("XLA_FLAGS names a file of flags, which cannot be read: %w", err)
		}
		text = string(content)
	}
	said := "" // the last one counts
	for _, word := range strings.Fields(text) {
		if name, _, _ := strings.Cut(word, "="); name == flag {
			said = word
		}
	}
	switch {
	case said == flag, said == flag+"="+value, said == flag+"=1":
		return "", "", nil
	case said != "":
		return "", said, nil
	case inFile:
		return "", "", fmt.Errorf("XLA_FLAGS names the file %s, to which nothing is added; write %s=%s into it", path, flag, value)
	}
	return strings.TrimSpace(old + " " + flag + "=" + value), "", nil
}
