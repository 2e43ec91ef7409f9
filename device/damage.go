package device

import (
	"fmt"
	"strings"
	"unicode"
)

// Damage is an error about an installed plugin that is not opened as it is.
type Damage struct {
	What   string // the sentence without a way on: "/a/b.so is no file"
	Repair string // the command that mends it
	effect string // what that command does
}

func (d *Damage) Error() string { return fmt.Sprintf("%s; `%s` %s", d.What, d.Repair, d.effect) }

// damagef is damage that installing the plugin again repairs.
func (p Plugin) damagef(format string, args ...any) *Damage {
	return &Damage{fmt.Sprintf(format, args...), p.install(p.Source), "replaces it"}
}

// install is the command that installs the plugin anew. A library that is only pointed at
// comes from where it was; of any other the pinned package can take the place.
func (p Plugin) install(from string) string {
	command := "fcnx plugins install --force " + p.Kind
	if p.Kind != CUDA || from == "" || from == "pip" {
		return command
	}
	if strings.ContainsFunc(from, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+", r)
	}) {
		from = "'" + from + "'"
	}
	return command + " --from " + from
}
