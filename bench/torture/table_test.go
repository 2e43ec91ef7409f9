package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(path, []byte("before\n\n"+tableBegin+"old\n"+tableEnd+"\nafter\n"), 0o644))
	r := report{
		machine: "2 cores", when: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), took: 19*time.Minute + 40*time.Second, seed: 7,
		rows: []row{
			{fault: fault{name: "a", injected: "by hand"}, outcome: outcome{tries: 3,
				recovered: []time.Duration{1500 * time.Millisecond, 20 * time.Millisecond, 300 * time.Microsecond}}},
			{fault: fault{name: "b", injected: "by chance"}, outcome: outcome{tries: 2, lost: 1, seen: "much"}},
		},
	}
	for range 2 { // what is there already is replaced
		require.NoError(t, writeTable(path, r))
		page, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, `before

<!-- make torture writes from here -->
2 cores; 2026-03-01; seed 7; 20 minutes; 5 tries, 1 lost.

| fault | injected by | tries | lost | time to recover: median, longest | seen |
| --- | --- | ---: | ---: | --- | --- |
| a | by hand | 3 | 0 | 20 ms, 1.5 s |  |
| b | by chance | 2 | 1 | - | much |
<!-- to here -->

after
`, string(page))
	}
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o644))
	require.ErrorContains(t, writeTable(path, r), "has no place for the table")
}

// The page has a place for the table.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	require.NoError(t, err)
	require.Regexp(t, tableBegin+`(?s).*`+tableEnd, string(page))
}
