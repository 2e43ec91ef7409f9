package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func listen(t testing.TB, dir string) *Listener {
	t.Helper()
	l, err := Listen(dir, noon.Add(-time.Minute))
	require.NoError(t, err)
	return l
}

// heard polls once, and gives what was asked in short: "save by me".
func heard(t testing.TB, l *Listener) []string {
	t.Helper()
	requests, err := l.Poll()
	require.NoError(t, err)
	return brief(requests)
}

func brief(requests []Request) []string {
	var words []string
	for _, r := range requests {
		words = append(words, r.Action+" by "+r.By)
	}
	return words
}

// write appends to the control file as a shell does.
func write(t testing.TB, dir, text string) {
	t.Helper()
	f, err := os.OpenFile(Path(dir), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestAskIsHeardOnce(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ask(dir, Request{noon, "stop", "an earlier one"}))
	l := listen(t, dir)
	require.Empty(t, heard(t, l), "that was asked of another process")

	asked := []Request{{noon, "save", "watch, process 4711 on host"}, {noon.Add(time.Second), "halve_lr", `"x" <y> & ü`}}
	for _, r := range asked {
		require.NoError(t, Ask(dir, r))
	}
	got, err := l.Poll()
	require.NoError(t, err)
	require.Equal(t, asked, got)
	require.Empty(t, heard(t, l))

	text, err := os.ReadFile(Path(dir))
	require.NoError(t, err)
	require.Equal(t, `{"time":"2026-03-01T12:00:00Z","action":"stop","by":"an earlier one"}
{"time":"2026-03-01T12:00:00Z","action":"save","by":"watch, process 4711 on host"}
{"time":"2026-03-01T12:00:01Z","action":"halve_lr","by":"\"x\" <y> & ü"}
`, string(text))
}

// A listener is there before the file, and before the directory too.
func TestListenBeforeThereIsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	l := listen(t, dir)
	require.Empty(t, heard(t, l))
	require.NoError(t, os.Mkdir(dir, 0o777))
	require.NoError(t, Ask(dir, Request{noon, "save", "me"}))
	require.Equal(t, []string{"save by me"}, heard(t, l))
}

func TestAskRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := t.TempDir()
	require.NoError(t, syscall.Mkfifo(Path(fifo), 0o666))
	linked := t.TempDir()
	require.NoError(t, os.Symlink("another's", Path(linked)))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for _, test := range []struct {
		dir, action, by, want string
	}{
		{dir, "", "me", "a request that asks for nothing; name an action"},
		{filepath.Join(dir, "none"), "save", "me", "none: no run directory is there; name one, as in runs/NAME"},
		{file, "save", "me", "file: no run directory is there"},
		{dir, "save", strings.Repeat("x", MaxLine), "at most 4096 fit on a line"},
		{fifo, "save", "me", "control.jsonl is no regular file; remove it"},
		{linked, "save", "me", "control.jsonl is a link, which is not written to; remove it"},
	} {
		require.ErrorContains(t, Ask(test.dir, Request{noon, test.action, test.by}), test.want)
	}
	require.NoFileExists(t, filepath.Join(linked, "another's"))
	require.NoFileExists(t, Path(dir), "who is refused leaves nothing behind")
	require.Contains(t, advice(&os.PathError{Err: syscall.EACCES}), "ask as the user who trains it")
	require.Contains(t, advice(&os.PathError{Err: syscall.EROFS}), "ask as the user who trains it")
	require.Contains(t, advice(&os.PathError{Err: syscall.ENOSPC}), "make room there")
	require.Empty(t, advice(syscall.EIO))

	_, err := listen(t, fifo).Poll() // and does not wait for a writer
	require.ErrorContains(t, err, "control.jsonl is no regular file; remove it")
}

func TestAskWhereNobodyMayWrite(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere; the advice itself is tested above")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o555))
	require.ErrorContains(t, Ask(dir, Request{noon, "save", "me"}), "permission denied; ask as the user who trains it")
}

// Of many who ask at the same moment all are heard, each whole and in its own order.
func TestAskAtOnce(t *testing.T) {
	const askers, each = 8, 200
	dir := t.TempDir()
	l := listen(t, dir)
	var all sync.WaitGroup
	for a := range askers {
		all.Go(func() {
			for n := range each {
				err := Ask(dir, Request{noon, fmt.Sprint(n), fmt.Sprint(a)})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	next := make(map[string]int, askers)
	count := 0
	for over := false; ; {
		requests, err := l.Poll()
		require.NoError(t, err)
		for _, r := range requests {
			require.Equal(t, fmt.Sprint(next[r.By]), r.Action, "of asker %s", r.By)
			next[r.By]++
			count++
		}
		if over && len(requests) == 0 {
			break
		}
		select {
		case <-done:
			over = true
		default:
		}
	}
	require.Equal(t, askers*each, count)
}

func TestPoll(t *testing.T) {
	const a, b = `{"action":"a","by":"x"}` + "\n", `{"action":"b","by":"y"}` + "\n"
	long := strings.Repeat("z", MaxLine+1)
	tests := map[string]struct {
		writes []string // each is followed by a poll
		want   []string
		errs   []string
	}{
		"nothing":                   {[]string{"", ""}, nil, nil},
		"one":                       {[]string{a}, []string{"a by x"}, nil},
		"two at once":               {[]string{a + b}, []string{"a by x", "b by y"}, nil},
		"two, one by one":           {[]string{a, b}, []string{"a by x", "b by y"}, nil},
		"torn":                      {[]string{a[:9], a[9:20], a[20:] + b[:1], b[1:]}, []string{"a by x", "b by y"}, nil},
		"empty lines":               {[]string{"\n\n" + a + "\r\n \n" + b}, []string{"a by x", "b by y"}, nil},
		"what a shell writes":       {[]string{`{"action":"save"}` + "\n"}, []string{"save by somebody"}, nil},
		"fields of a newer one":     {[]string{`{"action":"a","by":"x","why":[1]}` + "\n"}, []string{"a by x"}, nil},
		"escape codes":              {[]string{`{"action":"a\n","by":"\u001b[31mx\ud800"}` + "\n"}, []string{"a by �[31mx�"}, nil},
		"bad JSON stops no other":   {[]string{a + "save\n" + b}, []string{"a by x", "b by y"}, []string{"the line at byte 24 is no request: invalid character"}},
		"many bad lines, one error": {[]string{a + "1\n[]\nnull\n{}\n" + b + "2\n"}, []string{"a by x", "b by y"}, []string{"5 lines are no requests, the first at byte 24: json: cannot unmarshal number"}},
		"nothing is asked":          {[]string{`{"by":"x"}` + "\n"}, nil, []string{`no "action"`}},
		"no time":                   {[]string{`{"action":"a","time":"noon"}` + "\n"}, nil, []string{"parsing time"}},
		"two on a line":             {[]string{a[:len(a)-1] + b}, nil, []string{"invalid character '{' after top-level value"}},
		"too long":                  {[]string{a + long + "\n" + b}, []string{"a by x", "b by y"}, []string{"the line at byte 24 is no request: more than 4096 bytes"}},
		"too long, in pieces":       {[]string{a + long, long, long[:7] + "\n" + b, a}, []string{"a by x", "b by y", "a by x"}, []string{"the line at byte 24 is no request: more than 4096 bytes"}},
		"too long for one call":     {[]string{a + strings.Repeat("z", 3*maxPoll) + "\n" + b, "", "", ""}, []string{"a by x", "b by y"}, []string{"more than 4096 bytes"}},
		"as long as it may be":      {[]string{fmt.Sprintf(`{"action":"%s"}`, strings.Repeat("z", MaxLine-13)) + "\n"}, []string{strings.Repeat("z", MaxLine-13) + " by somebody"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, `{"action":"stop","by":"an earlier one"}`+"\n")
			begin, err := os.Stat(Path(dir))
			require.NoError(t, err)
			l := listen(t, dir)
			var got, errs []string
			for _, text := range test.writes {
				write(t, dir, text)
				requests, err := l.Poll()
				got = append(got, brief(requests)...)
				if err != nil {
					errs = append(errs, err.Error())
				}
			}
			require.Equal(t, test.want, got)
			require.Len(t, errs, len(test.errs), "%q", errs)
			for i, want := range test.errs {
				want = strings.Replace(want, "byte 24", fmt.Sprintf("byte %d", begin.Size()+24), 1)
				require.Contains(t, errs[i], want)
			}
			require.Empty(t, heard(t, l))
		})
	}
}

// Half a line that somebody left spoils nothing that is asked after it.
func TestAskAfterHalfALine(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, `{"action":"st`)
	l := listen(t, dir)
	require.NoError(t, Ask(dir, Request{noon, "save", "me"}))
	require.Equal(t, []string{"save by me"}, heard(t, l))

	write(t, dir, `{"action":"st`)
	require.NoError(t, Ask(dir, Request{noon, "evaluate", "me"}))
	requests, err := l.Poll()
	require.ErrorContains(t, err, "is no request: unexpected end of JSON input")
	require.Equal(t, []string{"evaluate by me"}, brief(requests))
}

// A file that was emptied, removed or replaced by a shorter one is read anew; one in
// whose place another has come, with the same beginning, goes on where it was.
func TestPollOfAnotherFile(t *testing.T) {
	dir := t.TempDir()
	now := noon.AddDate(0, 0, -7)
	ask := func(action string) {
		now = now.Add(time.Second)
		require.NoError(t, Ask(dir, Request{now, action, "me"}))
	}
	ask("stop")
	ask("halve_lr")
	l := listen(t, dir)
	now = noon
	require.Empty(t, heard(t, l))

	// What was asked of another process is not heard because its file was away.
	away := filepath.Join(dir, "away")
	require.NoError(t, os.Rename(Path(dir), away))
	require.Empty(t, heard(t, l))
	require.NoError(t, os.Rename(away, Path(dir)))
	require.Empty(t, heard(t, l))
	ask("a")
	ask("b")
	require.Equal(t, []string{"a by me", "b by me"}, heard(t, l))

	// Nor is what this one heard heard again.
	require.NoError(t, os.Rename(Path(dir), away))
	require.Empty(t, heard(t, l))
	require.NoError(t, os.Rename(away, Path(dir)))
	ask("b2")
	require.Equal(t, []string{"b2 by me"}, heard(t, l))

	require.NoError(t, os.Truncate(Path(dir), 0))
	ask("c")
	require.Equal(t, []string{"c by me"}, heard(t, l))

	require.NoError(t, os.Remove(Path(dir)))
	require.Empty(t, heard(t, l))
	ask("d")
	ask("e")
	require.Equal(t, []string{"d by me", "e by me"}, heard(t, l))

	text, err := os.ReadFile(Path(dir))
	require.NoError(t, err)
	other := filepath.Join(dir, "other")
	require.NoError(t, os.WriteFile(other, text, 0o666))
	require.NoError(t, os.Rename(other, Path(dir)))
	require.Empty(t, heard(t, l), "nothing is asked twice")
	ask("f")
	require.Equal(t, []string{"f by me"}, heard(t, l))

	require.NoError(t, os.WriteFile(other, []byte(`{"action":"g","by":"me"}`+"\n"), 0o666))
	require.NoError(t, os.Rename(other, Path(dir)))
	require.Equal(t, []string{"g by me"}, heard(t, l), "one without a time may be new")

	// Whose clock is behind is heard as long as the file is the same.
	now = noon.Add(-time.Hour)
	other = t.TempDir()
	require.NoError(t, Ask(other, Request{now, "stop", "me"}))
	l = listen(t, other)
	require.NoError(t, Ask(other, Request{now, "h", "me"}))
	require.Equal(t, []string{"h by me"}, heard(t, l))
}

// A file that was away when the listener began holds nothing for it, but for what was
// asked since.
func TestPollOfAFileThatWasAway(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ask(dir, Request{noon.AddDate(0, 0, -7), "stop", "me"}))
	away := filepath.Join(dir, "away")
	require.NoError(t, os.Rename(Path(dir), away))
	l := listen(t, dir)
	require.Empty(t, heard(t, l))
	require.NoError(t, os.Rename(away, Path(dir)))
	require.Empty(t, heard(t, l))
	require.NoError(t, Ask(dir, Request{noon, "save", "me"}))
	require.Equal(t, []string{"save by me"}, heard(t, l))
}

// One call reads so much and no more, and the next one goes on there.
func TestPollIsBounded(t *testing.T) {
	dir := t.TempDir()
	l := listen(t, dir)
	const line = `{"action":"save","by":"me"}` + "\n"
	write(t, dir, strings.Repeat(line, 5000))
	count, polls := 0, 0
	for {
		n := len(heard(t, l))
		if n == 0 {
			break
		}
		require.LessOrEqual(t, n*len(line), maxPoll)
		count, polls = count+n, polls+1
	}
	require.Equal(t, 5000, count)
	require.Equal(t, (5000*len(line)+maxPoll-1)/maxPoll, polls)
}

// slowly is what a file asks, told the obvious way.
func slowly(text string) []string {
	var requests []Request
	lines := strings.Split(text, "\n")
	for _, line := range lines[:len(lines)-1] {
		if r, err := decode([]byte(line)); err == nil && len(line) <= MaxLine {
			requests = append(requests, r)
		}
	}
	return brief(requests)
}

// Whatever stands in the file, and however it came there, each whole line is heard
// once, and the request behind it all is heard too. The file is in memory, or the
// fuzzer would wait for the disk.
func FuzzPoll(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte(`{"action":"save","by":"me"}`+"\nx\n"), uint16(7), uint16(0))
	f.Add([]byte(`{"action":"save"}`+"\n\n"), uint16(18), uint16(MaxLine+1))
	f.Add([]byte("{\"action\":\"\\u001b\"}\n\n\xff\n{\"action\":1}\n"), uint16(0), uint16(MaxLine))
	f.Fuzz(func(t *testing.T, text []byte, cut, filling uint16) {
		at := min(int(cut), len(text))
		parts := []string{
			string(text[:at]), strings.Repeat("z", int(filling)), string(text[at:]),
			"\n" + `{"action":"end","by":"me"}` + "\n",
		}
		var l Listener
		var file string
		var got []string
		for _, part := range parts {
			file += part
			for before := int64(-1); before != l.offset; {
				before = l.offset
				requests, _ := l.take([]byte(file[l.offset:min(int(l.offset)+maxPoll, len(file))]))
				got = append(got, brief(requests)...)
			}
		}
		require.Equal(t, slowly(file), got)
		require.Contains(t, got, "end by me")
	})
}
