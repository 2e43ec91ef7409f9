package checkpoints

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/memtest"
)

var testTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func newRun(t testing.TB) *Run {
	r, err := Create(filepath.Join(t.TempDir(), "run"), []byte("[run]\n"), testTime)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestCreateThenOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "first")
	r, err := Create(dir, []byte("[run]\nseed = 1\n"), testTime)
	require.NoError(t, err)

	reader, err := OpenRun(dir)
	require.NoError(t, err)
	config, err := os.ReadFile(reader.ConfigPath())
	require.NoError(t, err)
	require.Equal(t, "[run]\nseed = 1\n", string(config))
	require.Equal(t, dir+"/events.jsonl", r.EventsPath())
	require.Equal(t, dir+"/log.txt", r.LogPath())
	require.Equal(t, dir+"/tb", r.TensorBoardDir())

	// A second process may read it, and is told who writes it.
	holder, held, err := reader.Holder()
	require.NoError(t, err)
	require.True(t, held)
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, Holder{os.Getpid(), host, testTime}, holder)
	require.ErrorContains(t, reader.Lock(testTime), dir+" is being written by process ")
	require.ErrorContains(t, reader.Lock(testTime), " on "+host+" since 2026-07-01 12:00:00")

	require.NoError(t, r.Close())
	_, held, err = reader.Holder()
	require.NoError(t, err)
	require.False(t, held)
	require.NoError(t, reader.Lock(testTime), "the file of a lock that nobody holds is no obstacle")
	require.EqualError(t, reader.Lock(testTime), dir+" is locked by this process already")
	require.NoError(t, reader.Close())
	require.NoError(t, reader.Close())
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	put := func(path string) {
		path = filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte("mine"), 0o666))
	}
	put("run/config.toml")
	put("run/events.jsonl")
	put("photos/cat.jpg")
	put("file")
	for name, want := range map[string]string{
		"run":      "run holds a run already: go on with it by --resume, or choose another run.name or --out",
		"photos":   "photos is not a run, and not empty (it has cat.jpg): choose another run.name or --out",
		"file":     "not a directory",
		"file/sub": "not a directory",
	} {
		_, err := Create(filepath.Join(dir, name), nil, testTime)
		require.ErrorContains(t, err, want)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "photos"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left in a directory that is not ours")
	config, err := os.ReadFile(filepath.Join(dir, "run/config.toml"))
	require.NoError(t, err)
	require.Equal(t, "mine", string(config))
}

// What a Create that was killed leaves does not stop the next one.
func TestCreateAfterAKilledCreate(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{lockName, configName + tmpSuffix} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o666))
	}
	_, err := OpenRun(dir)
	require.EqualError(t, err, dir+" is not a run directory: it has no config.toml")
	r, err := Create(dir, nil, testTime)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

func TestCreateTwiceAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	const n = 8
	results := make(chan error, n)
	for range n {
		go func() {
			r, err := Create(dir, nil, testTime)
			if err == nil {
				defer r.Close()
			}
			results <- err
		}()
	}
	good := 0
	for range n {
		if <-results == nil {
			good++
		}
	}
	require.Equal(t, 1, good)
}

func TestLockedByAnUnreadableFile(t *testing.T) {
	r := newRun(t)
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, lockName), nil, 0o666))
	other, err := OpenRun(r.Dir)
	require.NoError(t, err)
	require.EqualError(t, other.Lock(testTime), r.Dir+" is being written by another process")
	_, held, err := other.Holder()
	require.True(t, held)
	require.ErrorContains(t, err, "does not say by whom")
}

// `fcnx status` in a loop must not stop `fcnx train --resume` from getting the lock.
func TestLockWhileOthersLook(t *testing.T) {
	r := newRun(t)
	require.NoError(t, r.Close())
	f, err := os.Open(filepath.Join(r.Dir, lockName))
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
	time.AfterFunc(5*time.Millisecond, func() { f.Close() })
	require.NoError(t, r.Lock(testTime))
}

func TestOpenRunRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenRun(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err = OpenRun(file)
	require.EqualError(t, err, file+" is a file, not a run directory")
}

func TestNewName(t *testing.T) {
	taken := map[string]bool{"camvid-fcn8s": true, "camvid-fcn8s-2": true, "camvid-fcn8s-4": true}
	is := func(name string) bool { return taken[name] }
	require.Equal(t, "camvid-fcn8s-3", NewName("camvid-fcn8s", is))
	require.Equal(t, "shapes", NewName("shapes", is))
}

// A lock that another process holds is held until that process ends, whatever ends it.
func TestLockOfAnotherProcess(t *testing.T) {
	r := newRun(t)
	require.NoError(t, r.Close())
	cmd := child("hold the lock", r.Dir)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked\n", said)

	require.ErrorContains(t, r.Lock(testTime), fmt.Sprintf("%s is being written by process %d on ", r.Dir, cmd.Process.Pid))
	h, held, err := r.Holder()
	require.NoError(t, err)
	require.True(t, held)
	require.Equal(t, cmd.Process.Pid, h.PID)

	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
	_, held, err = r.Holder()
	require.NoError(t, err)
	require.False(t, held)
	require.NoError(t, r.Lock(testTime))
}

// The file of a dead process may name a number that another process has by now, one
// that never ends even: nobody waits for that one.
func TestStaleLockOfAReusedNumber(t *testing.T) {
	r := newRun(t)
	require.NoError(t, r.Close())
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, pid := range []int{1, os.Getpid(), os.Getppid()} {
		text := fmt.Sprintf("{\"pid\":%d,\"host\":%q,\"since\":\"2026-07-01T12:00:00Z\"}\n", pid, host)
		require.NoError(t, os.WriteFile(filepath.Join(r.Dir, lockName), []byte(text), 0o666))
		_, held, err := r.Holder()
		require.NoError(t, err)
		require.False(t, held)
		require.NoError(t, r.Lock(testTime))
		require.NoError(t, r.Close())
	}
}

// Whoever opened the lock of a directory that was then taken away holds nothing.
func TestLockThatWasRemoved(t *testing.T) {
	r := &Run{Dir: t.TempDir()}
	f, err := OpenOwn(r.lockPath(), os.O_RDWR)
	require.NoError(t, err)
	require.NoError(t, os.Remove(r.lockPath()))
	require.EqualError(t, r.take(f, testTime), "lock the run: "+r.Dir+" was removed just now; try again")
	require.ErrorIs(t, f.Close(), os.ErrClosed)
	require.NoError(t, r.Lock(testTime), "on a new file")
	require.FileExists(t, r.lockPath())
	require.NoError(t, r.Close())
}

func FuzzHolder(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte(`{"pid":1,"host":"a","since":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte("\x00{"))
	path := filepath.Join(f.TempDir(), "lock")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o666))
		file, err := os.Open(path)
		require.NoError(t, err)
		defer file.Close()
		memtest.Bound{Any: 64 << 10, PerByte: 16}.Within(t, len(text), func() { _, err = readHolder(file) })
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}

// Text files of a run are files, and short.
func TestReadText(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(path("a"), []byte("text"), 0o666))
	require.NoError(t, os.WriteFile(path("long"), nil, 0o666))
	require.NoError(t, os.Truncate(path("long"), MaxText+1))
	require.NoError(t, unix.Mkfifo(path("pipe"), 0o666))
	text, err := ReadText(path("a"))
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	for name, want := range map[string]string{"long": "has 16777217 bytes; 16777216 are the most", "pipe": "is not a file", "none": "no such file"} {
		_, err := ReadText(path(name))
		require.ErrorContains(t, err, want)
	}
	_, err = ReadText(dir)
	require.ErrorContains(t, err, "is not a file")
}
