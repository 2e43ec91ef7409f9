package history_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/tui/history"
)

// The ledger is one process's, over its stages, and does not grow for ever.
func TestCompiled(t *testing.T) {
	r := history.New()
	what := func() (all []string) {
		for _, c := range r.Compiled() {
			all = append(all, c.What)
		}
		return all
	}
	r.Add(event.Started{Head: at(0), PID: 7})
	r.Add(event.Compiled{Head: at(1), What: "a step\x1b"})
	r.Add(event.Started{Head: at(2), PID: 7, Step: 3, Stage: 2, Stages: 2})
	r.Add(event.Compiled{Head: at(3), What: "another"})
	require.Equal(t, []string{"a step\ufffd", "another"}, what())
	r.Add(event.Started{Head: at(4), PID: 8, Step: 3, Resumed: true})
	require.Empty(t, what())
	for i := range 120 {
		r.Add(event.Compiled{Head: at(5), What: fmt.Sprint(i)})
	}
	require.Len(t, what(), 100)
	require.Equal(t, "119", what()[99])
}
