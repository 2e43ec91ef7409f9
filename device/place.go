package device

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// checkPlaces is an error where others than the owner may replace the library at path
// or the store's record of it: between the check of the hash and the opening of the
// library they could put another in its place. Links are followed, and both ends count.
// The directories above are the owner's own business.
func (s *Store) checkPlaces(path string) error {
	places := []string{s.Dir, filepath.Dir(path), path}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		places = append(places, filepath.Dir(real), real)
	}
	slices.Sort(places)
	for _, place := range slices.Compact(places) {
		info, err := os.Stat(place)
		if err != nil {
			return err
		}
		if who := writers(info); who != "" {
			return &Damage{fmt.Sprintf("%s can be changed by %s, so the plugin was not opened", place, who), "chmod go-w '" + place + "'", "takes that right away"}
		}
	}
	return nil
}

// writers says who else than the owner may change a file, or replace one in a directory;
// it is empty where nobody may.
func writers(info fs.FileInfo) string {
	const byGroup, byOthers = 0o020, 0o002
	mode := info.Mode()
	switch {
	// In a sticky directory, as /tmp is one, nobody replaces what is another's.
	case mode.Perm()&(byGroup|byOthers) == 0, mode.IsDir() && mode&fs.ModeSticky != 0:
		return ""
	case mode.Perm()&byOthers != 0:
		return "everybody"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "its group"
	}
	// A umask of 002 is usual where everybody has a group of their own; and root's group
	// is what containers that run under any user's number leave writable.
	if stat.Gid == 0 {
		return ""
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(stat.Uid), 10))
	if err != nil {
		return fmt.Sprintf("the group %d", stat.Gid)
	}
	group, err := user.LookupGroupId(strconv.FormatUint(uint64(stat.Gid), 10))
	switch {
	case err != nil:
		return fmt.Sprintf("the group %d", stat.Gid)
	case group.Name == owner.Username:
		return ""
	}
	return "the group " + group.Name
}
