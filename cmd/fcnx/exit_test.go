package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where a write failed, and why, decides whether the place is to blame.
func TestWriteErrors(t *testing.T) {
	at := func(path string, err error) error {
		return fmt.Errorf("save: %w", errors.Join(nil, &fs.PathError{Op: "write", Path: path, Err: err}))
	}
	rename := &os.LinkError{Op: "rename", Old: "elsewhere/x", New: "out/a", Err: syscall.EROFS}
	for _, test := range []struct {
		err                   error
		any, of, below, inRun int
	}{
		{nil, 0, 0, 0, 0},
		{at("out/a", syscall.ENOSPC), 6, 6, 6, 6},
		{at("out/a.tmp", syscall.EDQUOT), 6, 6, 6, 6},
		{at("out/b", syscall.EFBIG), 6, 1, 6, 6},
		{at("out", syscall.EACCES), 6, 6, 6, 6},
		{at("./out/c/../a", syscall.EPERM), 6, 6, 6, 6},
		{at("out/a/b", syscall.EIO), 6, 1, 6, 6},
		{at("out/a", syscall.ENOENT), 1, 1, 1, 6},
		{at("outside/a", syscall.ENOENT), 1, 1, 1, 1},
		{at("outside/a", syscall.EIO), 6, 1, 1, 1},
		{at("out/../in/a", syscall.EIO), 6, 1, 1, 1},
		{at("/out/a", syscall.EIO), 6, 1, 1, 1},
		{rename, 6, 6, 6, 6},
		{errors.Join(at("in/a", syscall.EIO), rename), 6, 6, 6, 6},
		{at("out/a", syscall.EINVAL), 1, 1, 1, 1},
		{at("out/a", syscall.ENOTDIR), 1, 1, 1, 1},
		{syscall.ENOSPC, 6, 1, 1, 1},
		{context.Canceled, 1, 1, 1, 1},
		{errors.New("no space left on device"), 1, 1, 1, 1}, // texts do not count
		{dataError(at("out/a", syscall.ENOSPC)), 4, 4, 4, 4},
	} {
		require.Equal(t, test.any, exitCode(writeError(test.err)), "%v", test.err)
		require.Equal(t, test.of, exitCode(writeErrorOf("out/a", test.err)), "%v", test.err)
		require.Equal(t, test.below, exitCode(writeErrorBelow("out", test.err)), "%v", test.err)
		require.Equal(t, test.inRun, exitCode(runError("out/", test.err)), "%v", test.err)
	}
}
