package device

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inChild lets this test binary be the process that loads a library; TestMain knows it.
func inChild(ctx context.Context, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "FCNX_TEST_TRY="+path, "GOTRACEBACK=none")
	return cmd
}

// executable is a program that is linked to a place of its own.
func executable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	b, err := os.ReadFile(fakeLibrary(t, "GetPjrtApi"))
	require.NoError(t, err)
	b[16] = byte(elf.ET_EXEC)
	require.NoError(t, os.WriteFile(path, b, 0o755))
	return path
}

// Libraries that are what their records say, and no good: one sentence each, from Verify
// and from Open, and nothing is installed of them.
func TestHostileLibraries(t *testing.T) {
	good, err := os.ReadFile(fakeLibrary(t, "GetPjrtApi"))
	require.NoError(t, err)
	changed := func(change func(b []byte) []byte) string {
		path := filepath.Join(t.TempDir(), "p.so")
		require.NoError(t, os.WriteFile(path, change([]byte(string(good))), 0o644))
		return path
	}
	for _, c := range []struct{ name, library, want string }{
		{"text", changed(func([]byte) []byte { return []byte("This is no library.\n") }), "no shared library (bad magic number"},
		{"empty", changed(func([]byte) []byte { return nil }), "no shared library (EOF)"},
		{"cut off", changed(func(b []byte) []byte { return b[:len(b)-1] }), "no shared library"},
		{"cut off in the first header", changed(func(b []byte) []byte { return b[:40] }), "no shared library"},
		{"for another architecture", changed(func(b []byte) []byte {
			b[18] = byte(elf.EM_AARCH64) + byte(elf.EM_X86_64) - b[18] // e_machine: the other of the two
			return b
		}), "built for another machine: EM_"},
		{"an executable", executable(t), "no shared library but an ELF file of type ET_EXEC"},
		{"without GetPjrtApi", fakeLibrary(t, "GetSomethingElse"), "it exports no GetPjrtApi"},
		{"with a variable by that name", compile(t, "extern void GetPjrtApi(void); void *p = GetPjrtApi;"), "it exports no GetPjrtApi"},
		{"gives no API", compile(t, "void *GetPjrtApi(void) { return 0; }"), "cannot be used: its GetPjrtApi gives no API;"},
		{"gives the API of nothing", compile(t, "static long none[9]; void *GetPjrtApi(void) { return none; }"), "an API of 0 bytes, which is none"},
		{"of another major version", compile(t, fakeAPI("GetPjrtApi", 1, 0, 130)), "it has version 1.0 of the PJRT API, and fcnx speaks version 0"},
		{"of a version that is too old", compile(t, fakeAPI("GetPjrtApi", 0, 12, 60)), "its version 0.12 of the PJRT API lacks PJRT_Buffer_ToHostBuffer"},
		{"with a hole", compile(t, strings.Replace(fakeAPI("GetPjrtApi", 0, 81, 130), "= (void *)nothing }", "= (void *)nothing, [55] = 0 }", 1)), "its version 0.81 of the PJRT API lacks PJRT_LoadedExecutable_Execute"},
		{"needs what is not there", compile(t, "extern int nowhere; void *GetPjrtApi(void) { return &nowhere; }"), "undefined symbol: nowhere"},
		{"crashes when loaded", compile(t, fakeAPI("GetPjrtApi", 0, 81, 130)+"__attribute__((constructor)) static void f(void) { *(volatile int *)0 = 1; }"), "loading it ends the process that does (exit status 2): \"SIGSEGV"},
		{"crashes when asked", compile(t, "void *GetPjrtApi(void) { __builtin_trap(); }"), "loading it ends the process that does (exit status 2): \"SIG"},
		{"leaves when loaded", compile(t, fakeAPI("GetPjrtApi", 0, 81, 130)+"extern void _exit(int); __attribute__((constructor)) static void f(void) { _exit(0); }"), "loading it ends the process that does (no answer)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{Dir: t.TempDir(), Trial: inChild}
			_, _, err := s.Install(t.Context(), InstallOptions{Kind: CPU, From: c.library})
			require.ErrorContains(t, err, strings.TrimSuffix(c.want, ";"))
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, visible(t, s))

			record(t, s, c.library)
			_, err = s.Verify(t.Context(), CPU)
			var damage *Damage
			require.ErrorAs(t, err, &damage)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, c.library)
			require.Equal(t, "fcnx plugins install --force cpu", damage.Repair)
			_, err = Open(t.Context(), Options{Backend: CPU, Store: s})
			require.ErrorIs(t, err, ErrNoBackend)
			require.EqualError(t, err, damage.Error())
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// A library that is 32 bits wide: no compiler that makes one is needed, for nobody gets
// further than its first bytes.
func TestLibraryOf32Bits(t *testing.T) {
	b := make([]byte, 52)
	copy(b, "\x7fELF\x01\x01\x01")
	b[16], b[18], b[20] = byte(elf.ET_DYN), byte(elf.EM_386), 1
	b[40], b[46] = 52, 40 // the sizes of this header and of one of a section
	path := filepath.Join(t.TempDir(), "p.so")
	require.NoError(t, os.WriteFile(path, b, 0o644))
	require.ErrorContains(t, checkLibrary(path), "built for another machine: ELFCLASS32 of EM_386, here is 64-bit EM_")
}

// What is no file at all is not opened, which could take for ever.
func TestLibraryThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.so")
	require.NoError(t, unix.Mkfifo(pipe, 0o644))
	for _, kind := range PluginKinds() {
		for _, path := range []string{pipe, "/dev/zero"} {
			s := &Store{Dir: t.TempDir()}
			_, _, err := s.Install(t.Context(), InstallOptions{Kind: kind, From: path})
			require.ErrorContains(t, err, "neither a file nor a directory")
			require.NoError(t, s.writeRecord(Plugin{Kind: kind, Path: path, SHA256: sixtyFour}))
			_, err = s.Verify(t.Context(), kind)
			require.ErrorContains(t, err, path+" is no file; it was not opened; `fcnx plugins install --force")
		}
	}
	s := &Store{Dir: dir}
	require.NoError(t, unix.Mkfifo(s.recordPath(CPU), 0o644))
	_, err := s.Find(CPU)
	require.ErrorContains(t, err, "the record of the cpu plugin cannot be read: ")
}

// A library that never comes back is given up, and its process is gone.
func TestLibraryThatHangs(t *testing.T) {
	library := compile(t, "extern int pause(void); void *GetPjrtApi(void) { for (;;) pause(); }")
	var cmd *exec.Cmd
	err := askTrial(t.Context(), 300*time.Millisecond, func(ctx context.Context) *exec.Cmd {
		cmd = inChild(ctx, library)
		return cmd
	})
	require.EqualError(t, err, "loading it does not come to an end within 300ms")
	require.NotNil(t, cmd.ProcessState)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, askTrial(ended, time.Minute, func(ctx context.Context) *exec.Cmd { return inChild(ctx, library) }), context.Canceled)
}

// What a library prints is not taken for an answer.
func TestTrialAnswers(t *testing.T) {
	for script, want := range map[string]string{
		"printf 'hello\\nfcnx-plugin-trial: ok\\n'":                            "",
		"printf '\\nfcnx-plugin-trial: ok\\n\\nfcnx-plugin-trial: no luck\\n'": "luck",
		"printf '\\nfcnx-plugin-trial: ok\\n'; exit 3":                         "loading it ends the process that does (exit status 3)",
		"printf '\\nfcnx-plugin-trial: maybe\\n'":                              "loading it ends the process that does (no answer)",
		"echo oh, dear >&2; kill -BUS $$":                                      `loading it ends the process that does (signal: bus error): "oh, dear"`,
		"yes | head -c 1000000":                                                "loading it ends the process that does (no answer)",
		"printf '\\nfcnx-plugin-trial: no \\033[2Jluck\\n'":                    "\ufffd[2Jluck",
	} {
		err := askTrial(t.Context(), time.Minute, func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/bin/sh", "-c", script) })
		if want == "" {
			require.NoError(t, err, script)
			continue
		}
		require.EqualError(t, err, want, script)
	}
}

// What a library leaves running does not stay, and is not waited for.
func TestTrialThatLeavesProcesses(t *testing.T) {
	for name, redirect := range map[string]string{"with the output": "", "without": " >/dev/null 2>&1"} {
		t.Run(name, func(t *testing.T) {
			pid := filepath.Join(t.TempDir(), "pid")
			script := "sleep 1000" + redirect + " & echo $! >" + pid + "; printf '\nfcnx-plugin-trial: ok\n'"
			err := askTrial(t.Context(), time.Minute, func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, "/bin/sh", "-c", script) })
			if redirect == "" {
				require.EqualError(t, err, "loading it starts processes that stay")
			} else {
				require.NoError(t, err)
			}
			text, err := os.ReadFile(pid)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return !lives(t, strings.TrimSpace(string(text))) }, time.Minute, time.Millisecond)
		})
	}
}

// lives tells whether a process is there and no zombie, which waits for its parent alone.
func lives(t *testing.T, pid string) bool {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return false
	}
	_, state, ok := strings.Cut(string(stat), ") ")
	require.True(t, ok)
	return state[0] != 'Z'
}

// Who else may change library, record or their directories may change the plugin.
func TestPlacesOfOthers(t *testing.T) {
	s := installFake(t)
	elsewhere := t.TempDir()
	linked := &Store{Dir: t.TempDir()}
	library := filepath.Join(elsewhere, "p.so")
	require.NoError(t, os.Rename(fakeLibrary(t, "GetPjrtApi"), library))
	require.NoError(t, os.Symlink(library, filepath.Join(linked.Dir, "link.so")))
	record(t, linked, filepath.Join(linked.Dir, "link.so"))

	for _, c := range []struct {
		name  string
		store *Store
		place string
		mode  os.FileMode
		want  string
	}{
		{"library", s, s.libraryPath(CPU), 0o646, "everybody"},
		{"store", s, s.Dir, 0o777, "everybody"},
		{"store, sticky", s, s.Dir, 0o777 | os.ModeSticky, ""},
		{"behind a link", linked, library, 0o666, "everybody"},
		{"directory behind a link", linked, elsewhere, 0o757, "everybody"},
		{"only read", s, s.libraryPath(CPU), 0o555, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := os.Stat(c.place)
			require.NoError(t, err)
			require.NoError(t, os.Chmod(c.place, c.mode))
			defer func() { require.NoError(t, os.Chmod(c.place, before.Mode())) }()
			_, err = c.store.Verify(t.Context(), CPU)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.place+" can be changed by "+c.want+", so the plugin was not opened; `chmod go-w '"+c.place+"'` takes that right away")
			_, err = Open(t.Context(), Options{Backend: Auto, Store: c.store})
			require.ErrorIs(t, err, ErrNoBackend)
		})
	}

	// A group of one's own is nobody else; giving a file to another needs root.
	require.NoError(t, os.Chmod(s.libraryPath(CPU), 0o664))
	if err := os.Chown(s.libraryPath(CPU), -1, 54321); err != nil {
		t.Logf("not tried with the group of somebody else: %v", err)
		return
	}
	_, err := s.Verify(t.Context(), CPU)
	require.ErrorContains(t, err, "can be changed by the group 54321")
	require.NoError(t, os.Chown(s.libraryPath(CPU), -1, 0))
	_, err = s.Verify(t.Context(), CPU)
	require.NoError(t, err)
}

// The places in apiNeeds are those of the header that go-xla is compiled with, and what
// go-xla calls beyond the last of them is known.
func TestAPINeeds(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	require.NoError(t, err)
	dir := filepath.Join(strings.TrimSpace(string(out)), "pjrt")
	header, err := os.ReadFile(filepath.Join(dir, "pjrt_c_api.h"))
	require.NoError(t, err)
	require.Contains(t, string(header), "#define PJRT_API_MAJOR 0\n")
	_, table, ok := strings.Cut(string(header), "typedef struct PJRT_Api {")
	require.True(t, ok)
	place := map[string]int{}
	for i, m := range regexp.MustCompile(`_PJRT_API_STRUCT_FIELD\((\w+)\)`).FindAllStringSubmatch(table, -1) {
		place[m[1]] = i
	}
	last := 0
	for _, f := range apiNeeds {
		require.Equal(t, f.place, place[f.name], f.name)
		last = max(last, f.place)
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var beyond []string
	for _, path := range sources {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`C\.call_(PJRT_\w+)`).FindAllStringSubmatch(string(text), -1) {
			at, known := place[m[1]]
			require.True(t, known, m[1])
			if at > last {
				beyond = append(beyond, m[1])
			}
		}
	}
	require.Equal(t, []string{"PJRT_Buffer_Bitcast"}, beyond)
}

// The plugin that is pinned gives what apiNeeds asks for, which nobody looks at where
// its hash is known.
func TestPinnedPluginHasTheAPI(t *testing.T) {
	p, err := installed(t).Find(CPU)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, Try(p.Path, &out))
	require.Equal(t, "\n"+trialWord+"ok\n", out.String())
	s := &Store{Trial: func(context.Context, string) *exec.Cmd { panic("a known plugin is tried") }}
	require.NoError(t, s.tryUnknown(t.Context(), p, p.Path))
}
