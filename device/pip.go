package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
)

// Ways around pip, for the end of its errors: a plugin that is a file, and one that needs
// NVIDIA's libraries beside it.
const (
	wheelElsewhere = "fetch the wheel elsewhere and use --from FILE"
	jaxElsewhere   = "use the plugin of a JAX that is installed, with --from jax or the path of its xla_cuda_plugin.so"
)

// pip runs `python3 -m pip` with args in the empty directory dir, which also
// takes its temporary files. progress, where it is not nil, sees what pip prints.
// around is what else its caller's user could do, where it fails.
//
// A module of the directory that python3 -m starts in goes before the installed
// ones, which is why that directory is an empty one of ours.
func pip(ctx context.Context, dir string, progress io.Writer, around string, args ...string) error {
	python, err := findPython(around)
	if err != nil {
		return err
	}
	args = append([]string{"-m", "pip", "--disable-pip-version-check", "--no-input"}, args...)
	cmd := exec.CommandContext(ctx, python, args...) // #nosec G204 -- the python3 of the PATH, as the user has it
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "PIP_ROOT_USER_ACTION=ignore")
	// A terminal's interrupt goes to its whole process group. pip has one of its own,
	// which ctx alone ends: so there is one cause, one message, and nothing is left.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if progress != nil {
		cmd.Stdout = progress
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return pipFailure(python, said.String(), err, around)
	}
	return nil
}

func findPython(around string) (string, error) {
	python, err := exec.LookPath("python3")
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("python3, whose pip fetches the plugin, is not on PATH; install both with `apt-get install python3-pip`, or " + around)
	}
	return python, err
}

// pipFailures are what pip says when it fails, and what is told to the user, with
// the words that matched for {match}, pip's last complaint for {said}, the
// interpreter's path for {python} and the way around for {around}. The order matters: pip ends on "no matching
// distribution" after it could not reach the index at all.
var pipFailures = []struct {
	said   *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`No module named '?pip\b`),
		"{python} has no pip, which fetches the plugin; install it with `apt-get install python3-pip`, or {around}"},
	{regexp.MustCompile(`DO NOT MATCH THE HASHES`),
		"the package index served a file with another sha256 than the one that fcnx knows, and it was not installed; if a mirror or --find-links is configured (see `{python} -m pip config list`), look there"},
	{regexp.MustCompile(`No space left on device|Disk quota exceeded`),
		"the disk is full ({match}); make room, or set FCNX_PLUGINS_DIR to a place on another disk and PIP_NO_CACHE_DIR=1"},
	{regexp.MustCompile(`CERTIFICATE_VERIFY_FAILED|SSLError`),
		"the package index has a certificate that this machine does not trust ({match}); `apt-get install ca-certificates` installs the usual ones, PIP_CERT names another file"},
	{regexp.MustCompile(`name resolution|Name or service not known|Network is unreachable|No route to host|Connection refused|timed out|ProxyError|RemoteDisconnected|Connection reset`),
		"pip cannot reach the package index ({match}); connect this machine, set PIP_INDEX_URL or HTTPS_PROXY, or {around}"},
	{regexp.MustCompile(`No matching distribution`),
		"the package index does not have it, or was not reached; PIP_INDEX_URL names another index, or {around}"},
	{regexp.MustCompile(`Permission denied`),
		"pip may not write where it has to: {said}"},
}

// pipFailure turns what pip said into one sentence with a way on.
func pipFailure(python, said string, err error, around string) error {
	line := pipLastError(said)
	for _, f := range pipFailures {
		if match := f.said.FindString(said); match != "" {
			return errors.New(strings.NewReplacer("{python}", python, "{match}", match, "{said}", line, "{around}", around).Replace(f.reason))
		}
	}
	if line == "" {
		return fmt.Errorf("%s -m pip failed (%w) and did not say why", python, err)
	}
	return fmt.Errorf("%s -m pip failed (%w): %s", python, err, line)
}

// pipLastError is the last line in which pip complains, without its prefix.
func pipLastError(said string) string {
	last, complaint := "", ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		last = line
		// A crash of pip's own begins so, and has its reason in the last line.
		if rest, ok := strings.CutPrefix(line, "ERROR: "); ok && rest != "Exception:" {
			complaint = rest
		}
	}
	if complaint == "" {
		complaint = last
	}
	const most = 200 // bytes; pip can be long-winded
	if len(complaint) > most {
		complaint = strings.ToValidUTF8(complaint[:most], "") + "..."
	}
	return complaint
}
