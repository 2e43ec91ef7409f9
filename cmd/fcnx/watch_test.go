package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
	"github.com/fcnx/fcnx/tui"
	"github.com/fcnx/fcnx/tui/feed"
)

// told is a source whose chunks are known beforehand, one a look. Its process is
// gone after the last of them.
type told struct {
	tui.Source
	replayed bool
	chunks   []feed.Chunk
}

func (s *told) Next() (feed.Chunk, error) {
	if len(s.chunks) == 0 {
		return feed.Chunk{}, nil
	}
	c := s.chunks[0]
	s.chunks = s.chunks[1:]
	return c, nil
}

func (s *told) Life() (tui.Life, error) {
	if len(s.chunks) > 0 {
		return tui.Running, nil
	}
	return tui.Gone, nil
}

func (s *told) Replayed() bool { return s.replayed }

// Where the lines of `fcnx watch` end.
func TestTellPlainly(t *testing.T) {
	at := func(seconds int) event.Head {
		return event.Head{Time: time.Date(2026, 3, 1, 12, 0, seconds, 0, time.UTC)}
	}
	begin, step := event.Started{Head: at(0), Run: "a"}, event.Step{Head: at(1), Step: 1}
	later := event.Step{Head: at(2), Step: 2} // too soon after the first for a line of its own
	end := event.Finished{Head: at(3), Step: 2, Reason: event.ReasonInterrupted}
	again := event.Started{Head: at(9), Run: "a", Resumed: true, Step: 2}
	after := event.Note{Head: at(4), Text: "a word after the last"}
	chunk := func(records ...event.Record) feed.Chunk { return feed.Chunk{Records: records} }
	ended := func(c feed.Chunk) feed.Chunk { c.Ended = true; return c }
	more := func(c feed.Chunk) feed.Chunk { c.More = true; return c }
	for name, test := range map[string]struct {
		source told
		want   string // the first words of the lines
	}{
		"ends":                   {told{chunks: []feed.Chunk{chunk(begin, step), {}, chunk(later, end), chunk(again)}}, "run data step step interrupted"},
		"has a word after":       {told{chunks: []feed.Chunk{chunk(begin, step, later, end, after), chunk(again)}}, "run data step step interrupted a"},
		"is read in pieces":      {told{chunks: []feed.Chunk{more(chunk(begin, step, end)), chunk(again, end), chunk(again)}}, "run data step interrupted resumed data interrupted"},
		"is killed":              {told{chunks: []feed.Chunk{chunk(begin, step), chunk(later)}}, "run data step step the"},
		"is killed at once":      {told{}, "the"},
		"ended and was resumed":  {told{chunks: []feed.Chunk{chunk(begin, end, again), chunk(end)}}, "run data interrupted resumed data interrupted"},
		"is replayed":            {told{replayed: true, chunks: []feed.Chunk{chunk(begin, end), chunk(again), ended(chunk(end))}}, "run data interrupted resumed data interrupted"},
		"is replayed, no end":    {told{replayed: true, chunks: []feed.Chunk{chunk(begin, step), ended(chunk(later))}}, "run data step step"},
		"is replayed in a while": {told{replayed: true, chunks: []feed.Chunk{{}, {}, chunk(begin), {}, ended(chunk())}}, "run data"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				require.NoError(t, tellPlainly(t.Context(), &test.source, &out))
				var words []string
				for line := range strings.Lines(out.String()) {
					word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
					words = append(words, word)
				}
				require.Equal(t, test.want, strings.Join(words, " "))
				if strings.HasSuffix(test.want, "the") {
					require.Contains(t, out.String(), wording.Lost)
				}
			})
		})
	}
}
