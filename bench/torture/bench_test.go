package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// sleeps is a bench whose program is one that does nothing for as long as it is told.
func sleeps(t *testing.T) (*bench, *strings.Builder) {
	program, err := exec.LookPath("sleep")
	require.NoError(t, err)
	said := new(strings.Builder)
	return &bench{ctx: context.Background(), fcnx: program, dir: t.TempDir(), fault: "none", out: &lines{w: said}, undisturbed: new(ends)}, said
}

// A try whose attack fails leaves no process, not even a frozen one.
func TestTryLeavesNoProcess(t *testing.T) {
	b, said := sleeps(t)
	var p *process
	o := b.oneByOne(1, b.ofEachKind("go"), func(a *try) (err error) {
		if p, err = a.start("1000"); err == nil {
			err = p.signal(syscall.SIGSTOP)
		}
		require.NoError(t, err)
		return syscall.ENOSPC
	})
	require.Equal(t, outcome{tries: 1, lost: 1}, o)
	require.Contains(t, said.String(), "no space left on device")
	require.True(t, p.over())
	require.Equal(t, codeKilled, p.code)
}

// An attack that comes too late is made again with other chances, and not for ever.
func TestAttackThatComesTooLate(t *testing.T) {
	b, _ := sleeps(t)
	drawn := map[uint64]bool{}
	after := func(n int) func(a *try) error {
		return func(a *try) error {
			drawn[a.rng.Uint64()] = true
			if n--; n < 0 {
				return nil
			}
			return errTooLate
		}
	}
	require.Equal(t, outcome{tries: 1}, b.oneByOne(1, b.ofEachKind("go"), after(attempts-1)))
	require.Len(t, drawn, attempts)
	require.Equal(t, outcome{tries: 1, lost: 1}, b.oneByOne(1, b.ofEachKind("go"), after(attempts)))
}

// What an attack mounts is its own and its processes'.
func TestMountsAreSeenByNobodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount; the rows that need it say that they were not tried")
	}
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	err := mounted(func() error {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			return err
		}
		if err := exec.Command("touch", inside).Run(); err != nil {
			return err
		}
		_, err := os.Stat(inside)
		return err
	})
	if err == unix.EPERM {
		t.Skip("this container may not mount; the rows that need it say that they were not tried")
	}
	require.NoError(t, err)
	require.NoFileExists(t, inside)
}
