package tui

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page about the dashboard has the key table as it is.
func TestKeysAreDocumented(t *testing.T) {
	var rows strings.Builder
	for _, b := range bindings() {
		fmt.Fprintf(&rows, "| `%s` | %s |\n", b.name(), b.help)
	}
	page, err := os.ReadFile("../docs/dashboard.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "| --- | --- |\n"+rows.String()+"\n")
}
