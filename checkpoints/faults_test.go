package checkpoints

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that saves back to back is killed at a random moment, again and again.
// Each time the newest checkpoint must load, hold the right bytes, and be no older
// than the last one that the process said it had saved.
//
// FCNX_KILLS sets how often; 30 is for every day.
func TestKilledWhileSaving(t *testing.T) {
	kills := 30
	if s := os.Getenv("FCNX_KILLS"); s != "" {
		var err error
		kills, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	r := newRun(t)
	save(t, manager(t, r, 2), testMeta(0))
	require.NoError(t, r.Close())
	rng := rand.New(rand.NewPCG(1, 2))
	unfinished := 0
	for range kills {
		saved := killedChild(t, r.Dir, time.Duration(rng.IntN(40))*time.Millisecond)
		c, err := r.Newest(noWarning(t))
		require.NoError(t, err)
		requireVariables(t, c)
		require.NoError(t, c.Close())
		require.GreaterOrEqual(t, c.Meta.Step, saved, "a checkpoint was lost that had been reported as saved")
		require.LessOrEqual(t, c.Meta.Step, saved+1)
		if strings.Contains(strings.Join(list(t, r), " "), tmpSuffix) {
			unfinished++
		}
	}
	t.Logf("%d of %d kills left something half done", unfinished, kills)
	require.NotZero(t, unfinished, "no kill hit a save: the test proves nothing")
}

// killedChild runs saveForEver, kills it some time after its first save and returns
// the last step that it reported, or the step before if it reported none.
func killedChild(t *testing.T, dir string, after time.Duration) int64 {
	cmd := child("save for ever", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	last := int64(-1)
	for lines.Scan() {
		if last < 0 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		last, err = strconv.ParseInt(lines.Text(), 10, 64)
		require.NoError(t, err)
	}
	require.ErrorContains(t, cmd.Wait(), "killed", "%s", stderr.String())
	require.Empty(t, stderr.String())
	return last
}

// The child may write no file above 1 KB, so the write of the variables fails as
// it does on a full disk.
func TestSaveWithoutSpace(t *testing.T) {
	r := newRun(t)
	save(t, manager(t, r, 2), testMeta(1))
	before := list(t, r)
	require.NoError(t, r.Close())
	out, err := child("save with a limit", r.Dir).CombinedOutput()
	require.EqualError(t, err, "exit status 1", "%s", out)
	require.Contains(t, string(out), "save checkpoint "+filepath.Join(r.Dir, stepName(2))+": write ")
	require.Contains(t, string(out), "file too large: a checkpoint needs 0.0 MB, and ")
	require.Contains(t, string(out), " are free; those saved before are untouched\n")
	require.Equal(t, before, list(t, r), "nothing half-written is left")
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	requireVariables(t, c)
	require.NoError(t, c.Close())
}

// damaged runs check after each of the given changes of one file of the newest of
// two checkpoints, and wants the older one with a warning that names the newer.
func damaged(t *testing.T, r *Run, file string, changes func(original []byte, try func(changed []byte))) {
	path := filepath.Join(r.Dir, stepName(2), file)
	original, err := os.ReadFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, original, 0o666)) })
	tries := 0
	changes(original, func(changed []byte) {
		tries++
		overwrite(t, path, changed)
		var warnings []string
		c, err := r.Newest(func(w string) { warnings = append(warnings, w) })
		require.NoError(t, err)
		require.Equal(t, int64(1), c.Meta.Step, "damage was not seen")
		require.NoError(t, c.Close())
		require.Len(t, warnings, 1)
		require.Contains(t, warnings[0], "checkpoint step-000000000002 cannot be used (")
		require.Contains(t, warnings[0], "), step-000000000001 is taken instead")
		require.Contains(t, warnings[0], file)
	})
	require.NotZero(t, tries)
	require.NoError(t, os.WriteFile(path, original, 0o666))
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	require.Equal(t, int64(2), c.Meta.Step)
	require.NoError(t, c.Close())
}

// overwrite does not cut the file to nothing first: file systems that wait for the
// disk when a file is rewritten that way would make these tests slow.
func overwrite(t *testing.T, path string, data []byte) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(data, 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(int64(len(data))))
	require.NoError(t, f.Close())
}

// places are all bytes of the header and a hundred of the rest.
func places(t *testing.T, file []byte) []int {
	f, err := open(file)
	require.NoError(t, err)
	var at []int
	for i := range int(f.data) {
		at = append(at, i)
	}
	body := len(file) - int(f.data)
	for i := range 100 {
		at = append(at, int(f.data)+i*body/100)
	}
	return append(at, len(file)-1)
}

func TestDamageIsSeen(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 2)
	save(t, m, testMeta(1))
	save(t, m, testMeta(2))
	rng := rand.New(rand.NewPCG(3, 4))

	t.Run("variables cut off", func(t *testing.T) {
		damaged(t, r, variablesName, func(original []byte, try func([]byte)) {
			for _, at := range places(t, original) {
				try(original[:at])
			}
		})
	})
	t.Run("variables with a flipped bit", func(t *testing.T) {
		damaged(t, r, variablesName, func(original []byte, try func([]byte)) {
			for _, at := range places(t, original) {
				changed := bytes.Clone(original)
				changed[at] ^= 1 << rng.IntN(8)
				try(changed)
			}
		})
	})
	t.Run("variables with a byte more", func(t *testing.T) {
		damaged(t, r, variablesName, func(original []byte, try func([]byte)) {
			try(append(bytes.Clone(original), 0))
		})
	})
	t.Run("meta cut off", func(t *testing.T) {
		damaged(t, r, metaName, func(original []byte, try func([]byte)) {
			for at := range original {
				try(original[:at])
			}
		})
	})
	t.Run("meta with a flipped bit", func(t *testing.T) {
		damaged(t, r, metaName, func(original []byte, try func([]byte)) {
			for at := range original {
				changed := bytes.Clone(original)
				changed[at] ^= 1 << rng.IntN(8)
				try(changed)
			}
		})
	})
	t.Run("meta of another checkpoint", func(t *testing.T) {
		other, err := os.ReadFile(filepath.Join(r.Dir, stepName(1), metaName))
		require.NoError(t, err)
		damaged(t, r, metaName, func(_ []byte, try func([]byte)) { try(other) })
	})
	t.Run("meta without end", func(t *testing.T) {
		damaged(t, r, metaName, func(original []byte, try func([]byte)) {
			try(append(bytes.Clone(original), bytes.Repeat([]byte(" "), 2*maxMeta)...))
		})
	})
}

func TestNothingIsWhole(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	for step := range int64(3) {
		save(t, m, testMeta(step))
	}
	require.NoError(t, os.Remove(filepath.Join(r.Dir, stepName(2), metaName)))
	require.NoError(t, os.Truncate(filepath.Join(r.Dir, stepName(1), variablesName), 10))
	require.NoError(t, os.RemoveAll(filepath.Join(r.Dir, stepName(0))))
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, stepName(0)), nil, 0o666))
	_, err := r.Newest(noWarning(t))
	require.ErrorContains(t, err, r.Dir+": no checkpoint can be used:\n")
	require.ErrorContains(t, err, "\n  step-000000000002: stat ")
	require.ErrorContains(t, err, "\n  step-000000000001: variables.safetensors has 10 bytes, and meta.json says ")
	require.ErrorContains(t, err, "\n  step-000000000000: stat ")
}

// After falling back, the run writes beside what it could not read, then over it,
// and never removes what it has just saved.
func TestGoingOnAfterDamage(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 1)
	save(t, m, testMeta(10))
	damagedStep := filepath.Join(r.Dir, stepName(20), metaName)
	save(t, m, testMeta(20))
	require.NoError(t, os.WriteFile(damagedStep, []byte("{"), 0o666))

	save(t, m, testMeta(15))
	require.Equal(t, []string{"LAST", stepName(15), stepName(20)}, list(t, r))
	save(t, m, testMeta(20))
	require.Equal(t, []string{"LAST", stepName(20)}, list(t, r))
	c, err := r.Newest(noWarning(t))
	require.NoError(t, err)
	requireVariables(t, c)
	require.NoError(t, c.Close())
}

func TestBestIsDamaged(t *testing.T) {
	r := newRun(t)
	m := manager(t, r, 3)
	for _, b := range []Best{{1, 0.1}, {2, 0.2}, {2, 0.2}} {
		meta := testMeta(b.Step)
		meta.Best = &b
		save(t, m, meta)
	}
	require.NoError(t, os.Truncate(filepath.Join(r.Dir, stepName(2), variablesName), 10))
	var warnings []string
	c, err := r.Best(func(w string) { warnings = append(warnings, w) })
	require.NoError(t, err)
	require.Equal(t, int64(1), c.Meta.Step)
	require.NoError(t, c.Close())
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "step-000000000002 cannot be used (variables.safetensors has 10 bytes")

	other := newRun(t)
	save(t, manager(t, other, 1), testMeta(1))
	_, err = other.Best(noWarning(t))
	require.EqualError(t, err, other.Dir+": no checkpoint that can be read has been evaluated; take the newest")
}
