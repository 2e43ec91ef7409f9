package checkpoints

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// OpenOwn opens a file that a run goes on writing, its log say, with a flag of
// [os.OpenFile], and makes it where there is none. A run directory may come from
// anywhere: what a link leads to is not written, and a pipe is not waited for.
func OpenOwn(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o666)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, fmt.Errorf("%s is a link, and a run writes to none; remove it", path)
	case errors.Is(err, syscall.ENXIO): // a pipe that nobody reads
		return nil, fmt.Errorf("%s is not a file", path)
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
