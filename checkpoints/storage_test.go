package checkpoints

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fcnx/fcnx/checkpoints/storagetest"
)

// scarce are file systems with few bytes and with few inodes, and the size of a file
// that takes one unit of what is scarce.
var scarce = map[string]struct {
	options string
	size    int
}{
	"bytes":  {"size=256k", os.Getpagesize()},
	"inodes": {"size=16m,nr_inodes=64", 0},
}

// However far a save gets before the disk is full, it leaves what was there before.
func TestSaveOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	for name, disk := range scarce {
		t.Run(name, func(t *testing.T) {
			root := storagetest.Tmpfs(t, disk.options)
			r, err := Create(filepath.Join(root, "run"), []byte("[run]\n"), testTime)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			m := manager(t, r, 2)
			save(t, m, testMeta(1))
			before := list(t, r)
			files := storagetest.Fill(t, root, disk.size)
			for freed := 0; ; freed++ {
				_, err := m.Save(testMeta(2), testInfos, testData(2, testInfos))
				c, openErr := r.Newest(noWarning(t))
				require.NoError(t, openErr)
				requireVariables(t, c)
				require.NoError(t, c.Close())
				if err == nil {
					require.Equal(t, int64(2), c.Meta.Step)
					require.Greater(t, freed, 2, "so that it failed at several places")
					return
				}
				require.ErrorIs(t, err, unix.ENOSPC)
				if strings.Contains(err.Error(), "is saved, but not named as the last") {
					require.Equal(t, int64(2), c.Meta.Step)
					before = list(t, r)
				} else {
					require.ErrorContains(t, err, "; those saved before are untouched")
				}
				require.Equal(t, before, list(t, r), "nothing half-written is left")
				require.NoError(t, os.Remove(files[freed]))
			}
		})
	}
}

// A run that cannot begin leaves nothing, or the next try would find its name taken.
func TestCreateOnAFullDisk(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	for name, disk := range scarce {
		t.Run(name, func(t *testing.T) {
			root := storagetest.Tmpfs(t, disk.options)
			dir := filepath.Join(root, "run")
			files := storagetest.Fill(t, root, disk.size)
			for freed := 0; ; freed++ {
				r, err := Create(dir, []byte("[run]\n"), testTime)
				if err == nil {
					require.NoError(t, r.Close())
					require.Positive(t, freed)
					return
				}
				require.ErrorIs(t, err, unix.ENOSPC)
				require.NoDirExists(t, dir)
				require.NoError(t, os.Remove(files[freed]))
			}
		})
	}
}

// A run whose file system has become read-only can be read, and the error of each
// write says so.
func TestReadOnlyFileSystem(t *testing.T) {
	if !storagetest.InOwnMounts(t) {
		return
	}
	root := storagetest.Tmpfs(t, "size=1m")
	r, err := Create(filepath.Join(root, "run"), []byte("[run]\n"), testTime)
	require.NoError(t, err)
	m := manager(t, r, 2)
	save(t, m, testMeta(1))
	before := list(t, r)
	require.NoError(t, r.Close()) // or it would be busy
	storagetest.Remount(t, root, "ro")

	_, err = m.Save(testMeta(2), testInfos, testData(2, testInfos))
	require.ErrorIs(t, err, unix.EROFS)
	require.ErrorIs(t, r.Lock(testTime), unix.EROFS)
	_, err = Create(filepath.Join(root, "other"), nil, testTime)
	require.ErrorIs(t, err, unix.EROFS)
	require.Equal(t, before, list(t, r))
	_, held, err := r.Holder()
	require.NoError(t, err)
	require.False(t, held)
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	requireVariables(t, c)
	require.NoError(t, c.Close())
}
