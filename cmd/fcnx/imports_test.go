package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/fcnx/fcnx/"

// rooms are the packages of fcnx, and what each may be built from: packages of
// fcnx by name, and whether GoMLX and any module but the standard library. A new
// package needs a line here, which is the moment to think about its place.
var rooms = map[string]struct {
	own     []string
	gomlx   bool
	foreign bool
}{
	"bench/jpeg":                     {own: []string{"datasets"}, foreign: true},
	"datasets":                       {foreign: true},
	"models":                         {gomlx: true, foreign: true},
	"train":                          {own: []string{"datasets", "models", "train/event", "train/score"}, gomlx: true, foreign: true},
	"train/control":                  {},
	"train/event":                    {},
	"train/event/wording":            {own: []string{"train/event"}},
	"train/score":                    {},
	"train/sink":                     {own: []string{"train/event", "train/event/wording"}},
	"train/sink/metrics":             {own: []string{"train/event", "train/event/wording", "train/sink"}, foreign: true},
	"train/sink/sinktest":            {own: []string{"train/event", "train/event/wording", "train/sink"}},
	"checkpoints":                    {foreign: true},
	"checkpoints/storagetest":        {foreign: true},
	"checkpoints/weights":            {own: []string{"checkpoints", "checkpoints/weights/caffe", "checkpoints/weights/npz", "checkpoints/weights/pth"}, foreign: true},
	"checkpoints/weights/caffe":      {own: []string{"checkpoints"}, foreign: true},
	"checkpoints/weights/hub":        {foreign: true},
	"checkpoints/weights/npz":        {own: []string{"checkpoints"}, foreign: true},
	"checkpoints/weights/pth":        {own: []string{"checkpoints"}, foreign: true},
	"checkpoints/weights/readertest": {own: []string{"checkpoints"}, foreign: true},
	"memtest":                        {foreign: true},
	"onnx":                           {own: []string{"models"}, gomlx: true, foreign: true},
	"device":                         {gomlx: true, foreign: true},
	"device/devicetest":              {own: []string{"device"}, gomlx: true, foreign: true},
	"tui":                            {own: []string{"train/event", "train/event/wording", "train/score", "tui/feed", "tui/history", "tui/picture", "tui/plot"}, foreign: true},
	"tui/history":                    {own: []string{"train/event", "train/event/wording"}},
	"tui/feed":                       {own: []string{"train/event"}},
	"tui/plot":                       {own: []string{"train/event", "train/event/wording", "tui/history"}, foreign: true},
	"tui/picture":                    {foreign: true},
	"monitor":                        {own: []string{"train/event"}, foreign: true},
	"predict":                        {own: []string{"datasets", "train/score"}, foreign: true},
}

// Who may import whom decides what can be tested, read and replaced alone. Only
// cmd/fcnx sees all.
func TestImports(t *testing.T) {
	for _, path := range golist(t, "./...") {
		room := strings.TrimPrefix(path, module)
		if strings.HasPrefix(room, "cmd/") || strings.HasPrefix(room, "bench/") {
			continue
		}
		rule, known := rooms[room]
		if !known {
			t.Errorf("package %s has no line in rooms", room)
			continue
		}
		for _, dep := range golist(t, "-deps", path) {
			own, isOwn := strings.CutPrefix(dep, module)
			switch {
			case dep == path:
			case isOwn:
				if !slices.Contains(rule.own, own) {
					t.Errorf("%s is built from %s, which is not for it", room, own)
				}
			case strings.HasPrefix(dep, "github.com/gomlx/"):
				if !rule.gomlx {
					t.Errorf("%s is built from %s", room, dep)
				}
			case isForeign(dep) && !rule.foreign:
				t.Errorf("%s is built from %s, not from the standard library alone", room, dep)
			}
		}
	}
}

// GoMLX's default backends, and go-xla's installer, download plugins.
func TestNobodyImportsDownloaders(t *testing.T) {
	for _, line := range golist(t, "-f", `{{.ImportPath}} {{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "./...") {
		path, imports, _ := strings.Cut(line, " ")
		require.NotContains(t, imports, "github.com/gomlx/gomlx/backends", path)
		if path != module+"device" {
			require.NotContains(t, imports, "github.com/gomlx/go-xla/installer", path)
		}
	}
}

// isForeign says whether an import path is neither the standard library's nor
// among what that carries along.
func isForeign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}

func golist(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err, "go list %v", args)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
