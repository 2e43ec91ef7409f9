package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/checkpoints"
	"github.com/fcnx/fcnx/checkpoints/storagetest"
	"github.com/fcnx/fcnx/train/event"
)

// smallRun are the arguments of a run of two steps that saves after each; a checkpoint
// of it has 1.6 MB, and it is the same run wherever it is.
func smallRun(out string, more ...string) []string {
	return append([]string{"train", "--data", "shapes?n=4&val_n=2&size=32x32", "--model", "fcn32s", "--encoder", "vgg11", "--backend", "go",
		"--set", "model.width=1", "--set", "model.head=2", "--steps", "2", "--batch", "2", "--set", "checkpoint.every_steps=1",
		"--set", "checkpoint.keep=1", "--set", "checkpoint.patience_minutes=0", "--set", "eval.every_steps=2", "--ui", "none", "--out", out, "--name", "a"}, more...)
}

// said is what a program left behind.
type said struct {
	code           int
	stdout, stderr string
}

func runProgram(t *testing.T, cmd *exec.Cmd) said {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Start())
	return said{waitCode(cmd.Wait()), stdout.String(), stderr.String()}
}

func program(t *testing.T, args ...string) said {
	t.Helper()
	return runProgram(t, exec.Command("fcnx", args...))
}

// lastRecord is how a run says that it ended.
func lastRecord(t *testing.T, dir string) event.Finished {
	text, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	record, err := event.Unmarshal([]byte(lines[len(lines)-1]))
	require.NoError(t, err)
	require.IsType(t, event.Finished{}, record)
	return record.(event.Finished)
}

// A disk has room for one checkpoint and not for two. The run ends with its own exit
// code and leaves nothing half-written, what it saved before can be used, and once
// there is room it goes on as if nothing had been.
func TestRunOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	root := storagetest.Tmpfs(t, "size=2560k")
	dir := filepath.Join(root, "a")
	end := program(t, smallRun(root)...)
	require.Equal(t, exitUnwritable, end.code, end.stderr)
	require.Regexp(t, `^fcnx: save checkpoint .*no space left on device: a checkpoint needs 1\.6 MB, and \d\.\d MB are free; those saved before are untouched\n$`, end.stderr)
	finished := lastRecord(t, dir)
	require.Equal(t, exitUnwritable, finished.ExitCode)
	require.Equal(t, event.ReasonFailed, finished.Reason)
	require.Contains(t, finished.Error, "no space left on device")
	leftovers, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, leftovers)

	var status struct {
		State    string
		ExitCode int   `json:"exit_code"`
		Saved    int64 `json:"saved_step"`
	}
	require.NoError(t, json.Unmarshal([]byte(program(t, "status", dir, "--json").stdout), &status))
	require.Equal(t, "failed", status.State)
	require.Equal(t, exitUnwritable, status.ExitCode)
	require.Equal(t, int64(1), status.Saved)
	used := program(t, "eval", dir, "--backend", "go")
	require.Equal(t, exitDone, used.code, used.stderr)
	require.Contains(t, used.stderr, "(step 1, the last)")

	// Again without room, and then with it.
	end = program(t, "train", "--resume="+dir, "--ui", "none")
	require.Equal(t, exitUnwritable, end.code, end.stderr)
	storagetest.Remount(t, root, "size=16m")
	end = program(t, "train", "--resume="+dir, "--ui", "none")
	require.Equal(t, exitDone, end.code, end.stderr)
	elsewhere := t.TempDir()
	require.Equal(t, exitDone, program(t, smallRun(elsewhere)...).code)
	want, err := os.ReadFile(filepath.Join(elsewhere, "a/step-000000000002/variables.safetensors"))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "step-000000000002/variables.safetensors"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "it is the run that was never stopped")
}

// A run that is asked to stop, and cannot keep what it has learned, does not end as one
// that is saved.
func TestStopOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	for name, harm := range map[string]struct {
		do   func(t *testing.T, root string)
		says string
	}{
		"full":   {func(t *testing.T, root string) { storagetest.Fill(t, root, os.Getpagesize()) }, "no space left on device"},
		"inodes": {func(t *testing.T, root string) { storagetest.Fill(t, root, 0) }, "no space left on device"},
		"gone":   {func(t *testing.T, root string) { require.NoError(t, os.RemoveAll(filepath.Join(root, "a"))) }, "no such file or directory"},
		"limit": {func(t *testing.T, root string) {
			storagetest.Remount(t, root, "size=512k")
		}, "no space left on device"},
	} {
		t.Run(name, func(t *testing.T) {
			root := storagetest.Tmpfs(t, "size=16m,nr_inodes=200")
			cmd := exec.Command("fcnx", append(endless(root), "--ui", "json")...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			untilLine(t, stdout, `"kind":"step"`)
			harm.do(t, root)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			<-drain(stdout)
			require.Equal(t, exitUnwritable, waitCode(cmd.Wait()), stderr.String())
			require.Contains(t, stderr.String(), "fcnx: save checkpoint "+filepath.Join(root, "a/step-"))
			require.Contains(t, stderr.String(), harm.says)
		})
	}
}

// Behind the dashboard the exit code is the same, and the terminal says why, though the
// run's directory may have no room for a word.
func TestDashboardOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	root := storagetest.Tmpfs(t, "size=16m")
	ends(t, root)
	s := inTerminal(t, 120, 40, nil, endless(root)...)
	s.see("training", "IoU by class")
	storagetest.Fill(t, root, os.Getpagesize())
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, exitUnwritable, s.exit())
	require.Regexp(t, `fcnx: (save checkpoint .*no space left on device|the run could not be written)`, s.wrote())
}

// A run that finds no room for its beginning leaves nothing behind.
func TestBeginOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	for name, size := range map[string]int{"bytes": os.Getpagesize(), "inodes": 0} {
		t.Run(name, func(t *testing.T) {
			root := storagetest.Tmpfs(t, "size=256k,nr_inodes=100")
			storagetest.Fill(t, root, size)
			end := program(t, smallRun(root)...)
			require.Equal(t, exitUnwritable, end.code, end.stderr)
			require.Contains(t, end.stderr, "no space left on device")
			require.NoDirExists(t, filepath.Join(root, "a"))
		})
	}
}

// A run on a file system that has become read-only can be used and looked at, and cannot
// be gone on with.
func TestRunOnAReadOnlyFileSystem(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	root := storagetest.Tmpfs(t, "size=16m")
	dir := filepath.Join(root, "a")
	require.Equal(t, exitDone, program(t, smallRun(root)...).code)
	storagetest.Remount(t, root, "ro")
	for _, args := range [][]string{
		{"train", "--resume=" + dir, "--ui", "none"},
		smallRun(root, "--name", "b"),
		{"weights", "export", dir, "--out", filepath.Join(root, "w.safetensors")},
	} {
		end := program(t, args...)
		require.Equal(t, exitUnwritable, end.code, end.stderr)
		require.Contains(t, end.stderr, "read-only file system")
	}
	for _, args := range [][]string{{"eval", dir, "--backend", "go"}, {"status", dir}, {"stop", dir}, {"inspect", dir}} {
		end := program(t, args...)
		require.Equal(t, exitDone, end.code, end.stderr)
	}
}

// So it is for a user who may read a run and not write it.
func TestRunWithoutPermission(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user; TestSaveIntoAReadOnlyDirectory of package checkpoints needs none")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "a")
	require.Equal(t, exitDone, program(t, smallRun(root)...).code)
	for _, path := range []string{filepath.Dir(root), root, dir} {
		require.NoError(t, os.Chmod(path, 0o755))
	}
	asNobody := func(args ...string) said {
		cmd := exec.Command("/proc/self/exe", args...) // in a directory that is closed to nobody
		cmd.Args[0], cmd.Dir = "fcnx", "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: storagetest.Nobody, Gid: storagetest.Nobody}}
		return runProgram(t, cmd)
	}
	for _, args := range [][]string{
		{"train", "--resume=" + dir, "--ui", "none"},
		smallRun(root, "--name", "b"),
		{"weights", "export", dir, "--out", filepath.Join(root, "w.safetensors")},
	} {
		end := asNobody(args...)
		require.Equal(t, exitUnwritable, end.code, end.stderr)
		require.Contains(t, end.stderr, "permission denied")
	}
	end := asNobody("eval", dir, "--backend", "go")
	require.Equal(t, exitDone, end.code, end.stderr)
}

// Every other command that writes a file has the same exit code, and leaves nothing.
func TestOutputsOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	home := t.TempDir()
	full := storagetest.Tmpfs(t, "size=256k,nr_inodes=100")
	run, image := filepath.Join(home, "a"), filepath.Join(home, "image.png")
	foreign := filepath.Join(home, "vgg.safetensors")
	for _, cmd := range []*exec.Cmd{
		exec.Command("mkrun", run), exec.Command("mkimages", "40x40", "rgb", image),
		exec.Command("fcnx", "weights", "export", run, "--out", filepath.Join(home, "a.safetensors")),
		exec.Command("mkforeign", foreign, "torchvision", filepath.Join(home, "a.safetensors")),
	} {
		end := runProgram(t, cmd)
		require.Equal(t, exitDone, end.code, end.stderr)
	}
	require.NoError(t, os.Mkdir(filepath.Join(full, "masks"), 0o777))
	storagetest.Fill(t, full, os.Getpagesize())
	for _, args := range [][]string{
		{"predict", run, image, "--backend", "go", "--out", filepath.Join(full, "masks")},
		{"predict", run, image, "--backend", "go", "--logits", "--out", filepath.Join(full, "masks")},
		{"weights", "export", run, "--out", filepath.Join(full, "w.safetensors")},
		{"weights", "export", run, "--out", filepath.Join(full, "w.onnx")},
		{"weights", "import", foreign, "--preprocess", "torchvision", "--out", filepath.Join(full, "w.safetensors")},
		{"data", "show", "shapes?n=4", "--out", filepath.Join(full, "sheet.png")},
		{"status", run, "--svg", filepath.Join(full, "frame.svg")},
	} {
		end := program(t, args...)
		require.Equal(t, exitUnwritable, end.code, "%v: %s", args, end.stderr)
		require.Contains(t, end.stderr, "no space left on device", args)
	}
	for dir, want := range map[string][]string{full: {"ballast", "masks"}, filepath.Join(full, "masks"): {}} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		names := []string{}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		require.Equal(t, want, names)
	}
}

// What is not needed to go on costs no run: pictures, overlays, events and the log may
// find no room, which is said once each.
func TestRunWithoutPicturesAndEvents(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a")
	require.Equal(t, exitDone, program(t, smallRun(root)...).code)
	for _, name := range []string{"preview", "overlays"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
	}
	// The files are as long as the limit that is to come lets a file be, and a checkpoint
	// is shorter.
	const limit = 2 << 20
	note, err := event.Marshal(event.Note{Text: strings.Repeat("x", 1000)})
	require.NoError(t, err)
	for _, name := range []string{"events.jsonl", "log.txt"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		for at := info.Size(); at+int64(len(note))+1 < limit; at += int64(len(note)) + 1 {
			_, err = f.Write(append(note, '\n'))
			require.NoError(t, err)
		}
		require.NoError(t, f.Close())
	}
	cmd := exec.Command("sh", "-c", `ulimit -f 4096 && exec "$0" "$@"`, "fcnx", "train", "--resume="+dir, "--allow-change", "--steps", "5", "--ui", "none")
	end := runProgram(t, cmd)
	require.Equal(t, exitDone, end.code, end.stderr)
	for _, want := range []string{
		`warning: pictures of the validation set are missing, the run goes on without them: `,
		`warning: the run is complete, but its overlays are not: `,
		`warning: ` + regexp.QuoteMeta(dir) + `/events\.jsonl: an event could not be written: .*file too large`,
		`warning: ` + regexp.QuoteMeta(dir) + `/log\.txt: an event could not be written: .*file too large`,
	} {
		require.Len(t, regexp.MustCompile(want).FindAllString(end.stderr, -1), 1, "%s\n%s", want, end.stderr)
	}
	r, err := checkpoints.OpenRun(dir)
	require.NoError(t, err)
	c, err := r.Newest(func(w string) { t.Error(w) })
	require.NoError(t, err)
	require.Equal(t, int64(5), c.Meta.Step)
	require.NoError(t, c.Close())
	// What could not be written left no half a line.
	text, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(text, []byte("}\n")))
}

// untilLine reads a program's output up to a line that has the text.
func untilLine(t *testing.T, r io.Reader, text string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the output ended before a line with %s", text)
}

// drain reads what is left, and closes the channel at the end of it.
func drain(r io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, r)
	}()
	return done
}
