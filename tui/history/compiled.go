package history

import (
	"slices"

	"github.com/fcnx/fcnx/train/event"
	"github.com/fcnx/fcnx/train/event/wording"
)

// maxCompiled is how many compilations are remembered: a run has a handful of shapes.
const maxCompiled = 100

// compile takes in a compilation.
func (r *Run) compile(rec event.Compiled) {
	rec.What = cut(wording.Printable(rec.What))
	if len(r.compiled) == maxCompiled {
		r.compiled = slices.Delete(r.compiled, 0, 1)
	}
	r.compiled = append(r.compiled, rec)
	r.passes.evalCompiled = r.passes.evalCompiled || rec.Background
	r.say(rec.Time, event.LevelInfo, wording.Compiled(rec))
}

// Compiled is the ledger of the newest process: what it has compiled, in the order in which
// it was done with it; the newest 100. Each What is printable. The caller only reads them,
// until the next Add.
func (r *Run) Compiled() []event.Compiled { return r.compiled }
