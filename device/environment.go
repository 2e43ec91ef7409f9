package device

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Variable is one of the environment.
type Variable struct{ Name, Value string }

// xlaFlags is what XLA reads in the environment.
const xlaFlags = "XLA_FLAGS"

// xnnpackFlag has products of matrices done by XNNPACK, which is on where nobody says otherwise.
// It lays the weights out anew each time: more than half of fc7's time (docs/benchmarks.md).
const xnnpackFlag = "--xla_cpu_use_xnnpack"

// Environment is what has to be in the process's environment before plugin p is loaded,
// which reads it once. Whoever owns the process sets it, for a library has no right to.
// What the user has said there stays, and told has a line where that is something else
// than c says, or where a flag that makes it faster cannot be added. lookup is [os.LookupEnv]
// in a program.
//
// An error is about flags that c wants and that cannot be added, or about a file of flags
// that cannot be read, at which XLA would end the process.
func Environment(p Plugin, c CUDAOptions, lookup func(string) (string, bool)) (set []Variable, told []string, err error) {
	if p.Kind == Go {
		return nil, nil, nil
	}
	flags, err := readFlags(lookup)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case p.Kind == CUDA:
		return c.environment(lookup, flags)
	case p.Kind == CPU && p.pinnedFor("linux/amd64"):
		// Measured with that library alone. Another might not know the flag, at which XLA ends the process.
		more, _, err := flags.with(xnnpackFlag, false)
		if err != nil {
			return nil, []string{fmt.Sprintf("%v; without it products are slower", err)}, nil
		}
		if more != "" {
			return []Variable{{xlaFlags, more}}, nil, nil
		}
	}
	return nil, nil, nil
}

// pinnedFor tells whether p is the CPU library whose hash is known, for a machine.
func (p Plugin) pinnedFor(machine string) bool {
	w, err := cpuWheel(machine)
	return err == nil && w.library == p.SHA256
}

// givenFlags are what XLA_FLAGS says, itself or in the file at path.
type givenFlags struct{ text, path string }

func readFlags(lookup func(string) (string, bool)) (givenFlags, error) {
	text, _ := lookup(xlaFlags)
	path := strings.TrimSpace(text)
	if path == "" || strings.HasPrefix(path, "-") {
		return givenFlags{text: text}, nil
	}
	content, err := os.ReadFile(path) // for which XLA takes it
	if err != nil {
		return givenFlags{}, fmt.Errorf("XLA_FLAGS names a file of flags, which cannot be read: %w", err)
	}
	return givenFlags{string(content), path}, nil
}

// with gives XLA_FLAGS with one more flag, or nothing where the flag is there; conflict
// is it, where it says something else than value. XLA ends the process at a flag that it
// does not know, so only flags that the plugins have come here.
func (f givenFlags) with(flag string, value bool) (more, conflict string, err error) {
	said, says := "", false // the last one counts
	for _, word := range strings.Fields(f.text) {
		if name, rest, given := strings.Cut(word, "="); name == flag {
			parsed, err := strconv.ParseBool(rest)
			said, says = word, err == nil && parsed || !given
		}
	}
	switch {
	case said != "" && says == value:
		return "", "", nil
	case said != "":
		return "", said, nil
	case f.path != "":
		return "", "", fmt.Errorf("XLA_FLAGS names the file %s, to which nothing is added; write %s=%t into it", f.path, flag, value)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s=%t", f.text, flag, value)), "", nil
}
