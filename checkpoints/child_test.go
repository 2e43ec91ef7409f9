package checkpoints

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// Some tests need a process to kill or to limit: the test binary runs itself with
// childRole in the environment, and then is that process instead of the tests.
const (
	childRole = "FCNX_CHECKPOINTS_CHILD"
	childDir  = "FCNX_CHECKPOINTS_DIR"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "save for ever":
		err = saveForEver(os.Getenv(childDir))
	case "save with a limit":
		err = saveWithALimit(os.Getenv(childDir))
	case "hold the lock":
		err = holdTheLock(os.Getenv(childDir))
	default:
		err = fmt.Errorf("unknown role")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(role, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	return cmd
}

// saveForEver resumes the run in dir and saves one step after the other, every
// third step twice, and says so on standard output when a save has returned.
func saveForEver(dir string) error {
	r, err := OpenRun(dir)
	if err != nil {
		return err
	}
	if err := r.Lock(testTime); err != nil {
		return err
	}
	unexpected := func(w string) { fmt.Fprintln(os.Stderr, "warning:", w) }
	m, err := NewManager(r, 2, unexpected)
	if err != nil {
		return err
	}
	newest, err := r.Newest(unexpected)
	if err != nil {
		return err
	}
	for step := newest.Meta.Step + 1; ; step++ {
		times := 1
		if step%3 == 0 {
			times = 2
		}
		for range times {
			if _, err := m.Save(testMeta(step), testInfos, testData(step, testInfos)); err != nil {
				return err
			}
			fmt.Println(step)
		}
	}
}

// saveWithALimit saves step 2 where no file may grow beyond 1 KB.
func saveWithALimit(dir string) error {
	signal.Ignore(unix.SIGXFSZ) // so that the write fails, as on a full disk
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: 1000}); err != nil {
		return err
	}
	r, err := OpenRun(dir)
	if err != nil {
		return err
	}
	if err := r.Lock(testTime); err != nil {
		return err
	}
	m, err := NewManager(r, 2, func(w string) { fmt.Fprintln(os.Stderr, "warning:", w) })
	if err != nil {
		return err
	}
	_, err = m.Save(testMeta(2), testInfos, testData(2, testInfos))
	return err
}

// holdTheLock locks the run in dir, says so and waits to be killed.
func holdTheLock(dir string) error {
	r, err := OpenRun(dir)
	if err != nil {
		return err
	}
	if err := r.Lock(testTime); err != nil {
		return err
	}
	fmt.Println("locked")
	select {}
}
