package event_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
	"github.com/fcnx/fcnx/train/event"
)

func encode(t testing.TB, records ...event.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, r := range records {
		line, err := event.Marshal(r)
		require.NoError(t, err)
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// Every prefix of a file is what some crash leaves behind.
func TestReaderOfEveryPrefix(t *testing.T) {
	records := everyRecord()
	var ends []int64
	for i := range records {
		ends = append(ends, int64(len(encode(t, records[:i+1]...))))
	}
	file := encode(t, records...)
	for cut := range len(file) + 1 {
		whole, offset := 0, int64(0)
		for whole < len(ends) && ends[whole] <= int64(cut) {
			offset = ends[whole]
			whole++
		}
		r := event.NewReader(bytes.NewReader(file[:cut]))
		for i := range whole {
			got, err := r.Next()
			require.NoError(t, err)
			require.Equal(t, records[i], got)
		}
		_, err := r.Next()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, offset, r.Offset())
	}
}

// growing gives one byte a read and io.EOF after each, like a file that is
// looked at more often than it is written.
type growing struct {
	rest []byte
	gave bool
}

func (g *growing) Read(p []byte) (int, error) {
	if g.gave = !g.gave; !g.gave || len(g.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func TestReaderFollowsAFileThatGrows(t *testing.T) {
	records := everyRecord()
	file := encode(t, records...)
	r := event.NewReader(&growing{rest: file})
	var got []event.Record
	for range 3 * len(file) {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			continue
		}
		require.NoError(t, err)
		got = append(got, rec)
	}
	require.Equal(t, records, got)
	require.Equal(t, int64(len(file)), r.Offset())
}

func TestReaderNamesTheBadLineAndGoesOn(t *testing.T) {
	good := string(encode(t, event.Note{Head: event.Head{Time: noon}, Text: "one"}))
	file := good + "{\"kind\":\n" + good + "\n" + strings.Repeat("x", event.MaxLine+1) + "\n" + good + "torn"
	r := event.NewReader(iotest.HalfReader(strings.NewReader(file)))

	var got []string
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var bad *event.LineError
			require.ErrorAs(t, err, &bad)
			got = append(got, bad.Error())
			if bad.Line == 2 {
				require.Equal(t, int64(len(good)), bad.Offset)
				require.Equal(t, int64(len(good)), r.Offset())
			}
			continue
		}
		got = append(got, rec.(event.Note).Text)
	}
	require.Equal(t, []string{
		"one",
		"line 2: not JSON at byte 8: unexpected end of JSON input",
		"one",
		"line 4: not JSON at byte 0: unexpected end of JSON input",
		"line 5: 1048577 bytes, where a record has at most 1048576",
		"one",
	}, got)
	require.Equal(t, int64(len(file)-len("torn")), r.Offset())
}

func TestReaderPassesOnWhatTheInputSays(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := event.NewReader(iotest.ErrReader(broken)).Next()
	require.ErrorIs(t, err, broken)
}

func FuzzReader(f *testing.F) {
	memtest.Cap(f)
	f.Add(encode(f, everyRecord()...))
	f.Add([]byte("{\"kind\":\"step\",\"time\":\"2026-03-01T12:00:00Z\",\"loss\":\"NaN\"}\n{\"kind\":"))
	f.Add([]byte("{\"kind\":\"weather\",\"time\":\"2026-03-01T12:00:00+14:00\",\"rain\":1}\r\n\n\x00\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		memtest.Bound{Any: 64 << 10, PerByte: 512}.Within(t, len(file), func() {
			for r, err := event.NewReader(bytes.NewReader(file)), error(nil); !errors.Is(err, io.EOF); {
				_, err = r.Next()
			}
		})
		r := event.NewReader(bytes.NewReader(file))
		for lines := 0; ; lines++ {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				require.LessOrEqual(t, lines, bytes.Count(file, []byte("\n")))
				return
			}
			var bad *event.LineError
			if errors.As(err, &bad) {
				require.Equal(t, lines+1, bad.Line)
				continue
			}
			require.NoError(t, err)
			require.True(t, r.Offset() > 0 && file[r.Offset()-1] == '\n')

			// What was read can be written, and then reads the same.
			line, err := event.Marshal(rec)
			if err != nil {
				continue // a time zone that RFC 3339 cannot say again, a line grown too long
			}
			again, err := event.Unmarshal(line)
			require.NoError(t, err)
			twice, err := event.Marshal(again)
			require.NoError(t, err)
			require.Equal(t, string(line), string(twice))
		}
	})
}
