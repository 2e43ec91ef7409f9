package memtest_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

var sink []byte

func TestAllocated(t *testing.T) {
	used := memtest.Allocated(func() { sink = make([]byte, 1<<20) })
	require.GreaterOrEqual(t, used, int64(1<<20))
	require.Less(t, used, int64(1<<20+64<<10))
}

// judge is a testing.TB that remembers what it was told.
type judge struct {
	testing.TB
	said string
}

func (j *judge) Helper()                           {}
func (j *judge) Fatalf(format string, args ...any) { j.said = fmt.Sprintf(format, args...) }

func TestWithin(t *testing.T) {
	b := memtest.Bound{Any: 1 << 20, PerByte: 1 << 10}
	for _, c := range []struct {
		length, used int
		want         string
	}{
		{0, 1 << 10, ""},
		{0, 2 << 20, "reading 0 bytes asked for "},
		{1 << 10, 3 << 19, ""},
		{1 << 10, 3 << 20, "bytes of memory; 2097152 are allowed"},
	} {
		j := &judge{TB: t}
		b.Within(j, c.length, func() { sink = make([]byte, c.used) })
		require.Contains(t, j.said, c.want)
		require.Equal(t, c.want == "", j.said == "", j.said)
	}
}

// FuzzGreedy is what TestCap fuzzes: a reader that believes its input.
func FuzzGreedy(f *testing.F) {
	memtest.Cap(f)
	f.Add(uint8(0))
	f.Fuzz(func(t *testing.T, size uint8) {
		if os.Getenv("FCNX_TEST_GREEDY") != "" {
			sink = bytes.Repeat([]byte{1}, 1<<31)
		}
	})
}

// A worker that takes 2 GiB is ended, and the input that made it do so is named.
func TestCap(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.fuzz=^FuzzGreedy$", "-test.fuzztime=10x", "-test.parallel=1",
		"-test.fuzzcachedir="+t.TempDir())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "FCNX_TEST_GREEDY=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Contains(t, string(out), "failure while testing seed corpus entry: FuzzGreedy/seed#0")

	cmd = exec.Command(os.Args[0], cmd.Args[1:]...)
	cmd.Dir = t.TempDir()
	out, err = cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Every fuzz target of the module begins with Cap.
func TestEveryTargetIsCapped(t *testing.T) {
	targets := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", ".git", ".venv", "runs"}, d.Name()):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			targets++
			if !isCap(f.Body.List[0]) {
				t.Errorf("%s: %s does not begin with memtest.Cap(f)", path, f.Name.Name)
			}
		}
		return nil
	}))
	require.Greater(t, targets, 30)
}

// isCap tells whether a statement is memtest.Cap(f).
func isCap(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	name, ok := call.Fun.(*ast.SelectorExpr)
	return ok && name.Sel.Name == "Cap"
}
