package tui

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/train/event"
)

func TestAboveASCII(t *testing.T) {
	require.Equal(t, []string{"plain", "", "stra?e  ????", "\x1b[31mr?t\x1b[m", "e? ??!"},
		asciiOnly([]string{"plain", "", "straße  東京", "\x1b[31mröt\x1b[m", "e\u0301\ufffd 👩‍🚀!"}))
}

// Names come from data sets and directories all over the world.
func TestASCIIScreenOfForeignNames(t *testing.T) {
	source := camvid(t, atStep(912))
	for i, r := range source.records {
		if s, ok := r.(event.Started); ok {
			s.Data, s.Plugin = "folder:Straßen", "プラグイン"
			s.Classes = append([]string{"空", "bâtiment"}, s.Classes[2:]...)
			source.records[i] = s
		}
	}
	source.say(event.Note{Head: event.Head{Time: source.now}, Text: strings.Repeat("日本", 1000)})
	for _, size := range [][2]int{{60, 16}, {80, 24}, {120, 40}, {200, 60}} {
		m := dashboard(t, source)
		m.setASCII(true)
		lines := m.Screen(size[0], size[1])
		require.Len(t, lines, size[1])
		for _, line := range lines {
			require.Equal(t, size[0], visible(line), line)
			require.Negative(t, strings.IndexFunc(line, aboveASCII), line)
		}
	}
}
