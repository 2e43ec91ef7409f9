package device

import (
	"bytes"
	"context"
	"debug/elf"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/memtest"
)

func TestInstallFromFile(t *testing.T) {
	s := &Store{Dir: filepath.Join(t.TempDir(), "deep", "er")}
	library := fakeLibrary(t, "GetPjrtApi")
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))

	p, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: library, Now: now})
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), p.Installed)
	require.Equal(t, library, p.Source)
	require.False(t, p.Pinned)
	want, err := os.ReadFile(library)
	require.NoError(t, err)
	got, err := os.ReadFile(p.Path)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, []string{"pjrt_c_api_cpu_plugin.json", "pjrt_c_api_cpu_plugin.so"}, visible(t, s))

	// Again, with and without saying where from: nothing to do.
	for _, from := range []string{library, filepath.Dir(library), ""} {
		q, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: from, Now: now.Add(time.Hour)})
		require.NoError(t, err)
		require.True(t, already, from)
		require.Equal(t, p, q)
	}
	q, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: library, Force: true, Now: now.Add(time.Hour)})
	require.NoError(t, err)
	require.False(t, already)
	require.Equal(t, time.Hour, q.Installed.Sub(p.Installed))
}

func TestInstallWheelOfAnotherVersion(t *testing.T) {
	library, err := os.ReadFile(fakeLibrary(t, "GetPjrtApi"))
	require.NoError(t, err)
	path := fakeWheel(t, "xla_cpu_pjrt-0.0.9-py3-none-any.whl", map[string]string{
		"xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so": string(library),
		"../../../evil.py":                         "never unpacked",
	})
	s := &Store{Dir: t.TempDir()}
	p, _, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: path})
	require.NoError(t, err)
	require.Equal(t, "xla-cpu-pjrt", p.Package)
	require.Equal(t, "0.0.9", p.Version)
	require.False(t, p.Pinned)
	sum, err := hashFile(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, sum, p.WheelSHA256)
	require.NoFileExists(t, filepath.Join(s.Dir, "evil.py"))
	_, err = s.Verify(t.Context(), CPU)
	require.NoError(t, err)
}

// Whatever is refused leaves the store as it was, and names the file.
func TestInstallRefuses(t *testing.T) {
	pin, err := cpuWheel(thisMachine())
	require.NoError(t, err)
	library := fakeLibrary(t, "GetPjrtApi")
	content, err := os.ReadFile(library)
	require.NoError(t, err)
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, content, 0o644))
		return path
	}
	foreign := bytes.Clone(content)
	foreign[18], foreign[19] = byte(elf.EM_PPC64), 0 // e_machine

	for _, c := range []struct {
		name, kind, from, want string
	}{
		{"not there", CPU, "/no/such/file", "--from /no/such/file: no such file"},
		{"no library", CPU, file("p.so", []byte("#!/bin/sh\n")), "p.so: no shared library"},
		{"empty", CPU, file("p.so", nil), "p.so: no shared library"},
		{"cut short", CPU, file("p.so", content[:300]), "p.so: no shared library"},
		{"of another machine", CPU, file("p.so", foreign), "built for another machine: EM_PPC64, here is "},
		{"no plugin", CPU, fakeLibrary(t, "GetSomethingElse"), "it exports no GetPjrtApi"},
		{"the pinned wheel, damaged", CPU, fakeWheel(t, pin.file, map[string]string{pin.member: string(content)}), "has the name of the pinned wheel but its sha256 is"},
		{"no wheel", CPU, file("p.whl", content), "is no wheel (a zip archive)"},
		{"wheel without a library", CPU, fakeWheel(t, "p-1-py3.whl", map[string]string{"a.py": ""}), "holds no shared library"},
		{"wheel of two libraries", CPU, fakeWheel(t, "p-1-py3.whl", map[string]string{"a.so": "", "b.so": ""}), "holds several libraries"},
		{"directory without any", CPU, t.TempDir(), "no wheel and no .so in it"},
		{"wheel for cuda", CUDA, fakeWheel(t, "p-1-py3.whl", nil), "needs NVIDIA's libraries beside it"},
		{"JAX for cpu", CPU, "jax", "JAX has no cpu plugin of its own"},
		{"a library for cuda by another name", CUDA, fakeLibrary(t, "GetPjrtApi"), "the file of a CUDA plugin has \"cuda\" in its name"},
		{"a release for cuda", CUDA, "release", "--from release is for the cpu plugin"},
		{"no such kind", "tpu", "", `no plugin is called "tpu"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			empty := &Store{Dir: t.TempDir()}
			_, _, err := empty.Install(t.Context(), InstallOptions{Kind: c.kind, From: c.from})
			require.ErrorContains(t, err, c.want)
			require.Empty(t, visible(t, empty))

			full := installFake(t)
			_, _, err = full.Install(t.Context(), InstallOptions{Kind: c.kind, From: c.from, Force: true})
			require.ErrorContains(t, err, c.want)
			_, err = full.Verify(t.Context(), CPU)
			require.NoError(t, err, "the installed plugin is gone")
		})
	}
}

func TestPickFromDir(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.whl", "a.so", "readme.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	_, err := pickFromDir(dir)
	require.ErrorContains(t, err, "which of a.so, b.whl?")
	pin, err := cpuWheel(thisMachine())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, pin.file), nil, 0o644))
	path, err := pickFromDir(dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, pin.file), path)
}

// What a killed installation can leave behind counts as nothing, and the next one
// clears it away.
func TestInstallAfterAKilledOne(t *testing.T) {
	library := fakeLibrary(t, "GetPjrtApi")
	for _, c := range []struct {
		name  string
		leave func(s *Store)
	}{
		{"while fetching", func(s *Store) {
			require.NoError(t, os.Mkdir(filepath.Join(s.Dir, ".install-1"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(s.Dir, ".install-1", "half.whl"), []byte("half"), 0o644))
		}},
		{"between library and record", func(s *Store) {
			require.NoError(t, os.WriteFile(s.libraryPath(CPU), []byte("not what it seems"), 0o644))
		}},
		{"while writing the record", func(s *Store) {
			require.NoError(t, os.WriteFile(s.libraryPath(CPU), []byte("not what it seems"), 0o644))
			require.NoError(t, os.WriteFile(s.recordPath(CPU)+".tmp", []byte(`{"kind":`), 0o644))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{Dir: t.TempDir()}
			c.leave(s)
			_, err := s.Find(CPU)
			require.ErrorIs(t, err, ErrNotInstalled)
			_, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: library})
			require.NoError(t, err)
			require.False(t, already)
			require.Equal(t, []string{"pjrt_c_api_cpu_plugin.json", "pjrt_c_api_cpu_plugin.so"}, visible(t, s))
			_, err = s.Verify(t.Context(), CPU)
			require.NoError(t, err)
		})
	}
}

// A damaged plugin is replaced without being asked for twice.
func TestInstallRepairs(t *testing.T) {
	s := installFake(t)
	require.NoError(t, os.WriteFile(s.libraryPath(CPU), []byte("damaged"), 0o644))
	var said bytes.Buffer
	fakePython(t, `echo "No module named pip" >&2; exit 1`)
	_, _, err := s.Install(t.Context(), InstallOptions{Kind: CPU, Progress: &said})
	require.ErrorContains(t, err, "has no pip")
	require.Contains(t, said.String(), "installing again: ")

	_, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: fakeLibrary(t, "GetPjrtApi")})
	require.NoError(t, err)
	require.False(t, already)
	_, err = s.Verify(t.Context(), CPU)
	require.NoError(t, err)
}

func TestInstallInterrupted(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	fakePython(t, "touch "+started, "sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	s := &Store{Dir: t.TempDir()}
	failed := make(chan error)
	go func() {
		_, _, err := s.Install(ctx, InstallOptions{Kind: CPU})
		failed <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, 30*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Empty(t, visible(t, s))
}

// Processes that install at once take turns; the second finds the work done.
func TestInstallAtOnce(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	library := fakeLibrary(t, "GetPjrtApi")
	var fresh atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, already, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: library})
			if err != nil {
				t.Error(err)
			} else if !already {
				fresh.Add(1)
			}
		})
	}
	all.Wait()
	require.Equal(t, int32(1), fresh.Load())
	_, err := s.Verify(t.Context(), CPU)
	require.NoError(t, err)
}

func TestLockWaitsAndGivesUp(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	unlock, err := s.lock(t.Context(), func(string, ...any) {})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	waiting := func(string, ...any) { cancel() }
	_, err = s.lock(ctx, waiting)
	require.ErrorIs(t, err, context.Canceled)
	unlock()
	unlock, err = s.lock(t.Context(), func(string, ...any) { t.Error("nobody holds the lock") })
	require.NoError(t, err)
	unlock()
}

func TestNeedSpace(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	require.NoError(t, s.needSpace(0))
	err := s.needSpace(1 << 60)
	require.ErrorContains(t, err, "MB are needed in "+s.Dir)
	require.ErrorContains(t, err, "FCNX_PLUGINS_DIR")
}

func TestWriteFailure(t *testing.T) {
	s := &Store{Dir: "/data/plugins"}
	for _, c := range []struct {
		err  error
		want string // empty: as it was
	}{
		{&fs.PathError{Op: "open", Path: "/data/plugins/.lock", Err: unix.EACCES}, "plugins cannot be written to /data/plugins"},
		{&fs.PathError{Op: "mkdir", Path: "/data", Err: unix.EROFS}, "plugins cannot be written to /data/plugins"},
		{&fs.PathError{Op: "write", Path: "/data/plugins/x", Err: unix.ENOSPC}, "the disk is full"},
		{&fs.PathError{Op: "open", Path: "/data/plugins.whl", Err: unix.EACCES}, ""},
		{&fs.PathError{Op: "open", Path: "/data/plugins/x", Err: unix.EIO}, ""},
	} {
		got := s.writeFailure(c.err)
		require.ErrorIs(t, got, c.err)
		if c.want == "" {
			require.Equal(t, c.err, got)
		} else {
			require.ErrorContains(t, got, c.want)
			require.ErrorContains(t, got, "FCNX_PLUGINS_DIR")
		}
	}
	require.NoError(t, s.writeFailure(nil))
}

func TestStoreUnderAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, _, err := (&Store{Dir: filepath.Join(file, "plugins")}).Install(t.Context(), InstallOptions{Kind: CPU})
	require.ErrorContains(t, err, "plugins cannot be kept in "+file)
	require.ErrorContains(t, err, "FCNX_PLUGINS_DIR")
}

func TestPinsAreWhole(t *testing.T) {
	for _, w := range cpuWheels {
		require.Len(t, w.sha256, 64)
		require.Len(t, w.library, 64)
		pkg, version := wheelName(w.file)
		require.Equal(t, w.pkg, pkg)
		require.Equal(t, w.version, version)
		require.Contains(t, w.file, w.platform)
		got, err := cpuWheel(w.machine)
		require.NoError(t, err)
		require.Equal(t, w, got)
	}
	_, err := cpuWheel("plan9/mips")
	require.ErrorContains(t, err, "there is no CPU plugin for plan9/mips")
}

// No archive makes unpack write outside its file, run on or crash.
func FuzzUnpack(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte("PK"), "a.so")
	seed := fakeWheel(f, "seed.whl", map[string]string{"a.so": "content", "../b.so": "more"})
	content, err := os.ReadFile(seed)
	require.NoError(f, err)
	f.Add(content, "a.so")
	f.Add(content, "../b.so")
	f.Add(content, "")
	dir := f.TempDir()
	wheel := filepath.Join(dir, "in.whl")
	f.Fuzz(func(t *testing.T, content []byte, member string) {
		if len(content) > 1<<16 {
			return // a bomb may unpack to 2 GB by design; here the disk is the limit
		}
		require.NoError(t, os.WriteFile(wheel, content, 0o644))
		to := filepath.Join(dir, "out.so")
		require.NoError(t, os.RemoveAll(to))
		var size int64
		var sum string
		var err error
		memtest.Bound{Any: 4 << 20, PerByte: 64}.Within(t, len(content), func() { size, sum, err = unpack(t.Context(), wheel, member, to) })
		if err != nil {
			return
		}
		info, err := os.Stat(to)
		require.NoError(t, err)
		require.Equal(t, size, info.Size())
		again, err := hashFile(t.Context(), to)
		require.NoError(t, err)
		require.Equal(t, sum, again)
	})
}

func FuzzCheckLibrary(f *testing.F) {
	memtest.Cap(f)
	content, err := os.ReadFile(fakeLibrary(f, "GetPjrtApi"))
	require.NoError(f, err)
	f.Add(content)
	f.Add(content[:64])
	f.Add([]byte("\x7fELF"))
	path := filepath.Join(f.TempDir(), "l.so")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		var err error
		// debug/elf asks for up to 10 MB of a section before it sees that the file has less
		// (there are four that are read), and a section may be compressed, so that a byte
		// becomes a thousand.
		memtest.Bound{Any: 48 << 20, PerByte: 8 << 10}.Within(t, len(content), func() { err = checkLibrary(path) })
		if err == nil {
			require.Equal(t, "\x7fELF", string(content[:4]))
		}
	})
}
