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

// pip runs `python3 -m pip` with args in the empty directory dir, which also
// takes its temporary files. progress, where it is not nil, sees what pip prints.
//
// A module of the directory that python3 -m starts in goes before the installed
// ones, which is why that directory is an empty one of ours.
func pip(ctx context.Context, dir string, progress io.Writer, args ...string) error {
	python, err := findPython()
	if err != nil {
		return err
	}
	args = append([]string{"-m", "pip", "--disable-pip-version-check", "--no-input"}, args...)
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "PIP_ROOT_USER_ACTION=ignore")
	// A terminal's interrupt goes to its whole process group; pip is ended by ctx
	// alone, so that there is one cause and one message.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if progress != nil {
		cmd.Stdout = progress
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return pipFailure(python, said.String(), err)
	}
	return nil
}

func findPython() (string, error) {
	python, err := exec.LookPath("python3")
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("python3, whose pip fetches the plugin, is not on PATH; install both with `apt-get install python3-pip`, or fetch the wheel elsewhere and use --from FILE")
	}
	return python, err
}

// pipFailures are what pip says when it fails, and what is told to the user. The
// order matters: pip ends on "no matching distribution" after it could not reach
// the index at all.
var pipFailures = []struct {
	said   *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`No module named '?pip\b`),
		"{python} has no pip, which fetches the plugin; install it with `apt-get install python3-pip`, or fetch the wheel elsewhere and use --from FILE"},
	{regexp.MustCompile(`DO NOT MATCH THE HASHES|Hashes are required|hash mismatch`),
		"the package index served a file with another sha256 than the one that fcnx knows, and it was not installed; if a mirror or a --find-links directory is configured (see `{python} -m pip config list`), look there"},
	{regexp.MustCompile(`No space left on device|Errno 28\b`),
		"the disk is full: {said}"},
	{regexp.MustCompile(`CERTIFICATE_VERIFY_FAILED|SSLError`),
		"the package index answers with a certificate that this machine does not trust ({said}); `apt-get install ca-certificates` installs the usual ones, PIP_CERT names another file"},
	{regexp.MustCompile(`name resolution|Name or service not known|new connection|Network is unreachable|Connection refused|ConnectTimeout|Read timed out|ProxyError|RemoteDisconnected|Connection (aborted|broken)|ConnectionResetError`),
		"pip cannot reach the package index ({said}); connect this machine, set PIP_INDEX_URL or HTTPS_PROXY, or fetch the wheel elsewhere and use --from FILE"},
	{regexp.MustCompile(`No matching distribution|Could not find a version`),
		"the package index does not have it ({said}); PIP_INDEX_URL names another index, or fetch the wheel elsewhere and use --from FILE"},
	{regexp.MustCompile(`Permission denied|Errno 13\b`),
		"pip may not write where it has to: {said}"},
}

// pipFailure turns what pip said into one sentence with a way on.
func pipFailure(python, said string, err error) error {
	line := pipLastError(said)
	for _, f := range pipFailures {
		if f.said.MatchString(said) {
			return errors.New(expand(f.reason, python, line))
		}
	}
	if line == "" {
		return fmt.Errorf("%s -m pip failed (%w) and did not say why", python, err)
	}
	return fmt.Errorf("%s -m pip failed (%w): %s", python, err, line)
}

// expand fills the python and pip's own words into a reason.
func expand(reason, python, line string) string {
	return strings.NewReplacer("{python}", python, "{said}", line).Replace(reason)
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
		if rest, ok := strings.CutPrefix(line, "ERROR: "); ok {
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
