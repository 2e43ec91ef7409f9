package device

import "fmt"

// Damage is an error about an installed plugin that is not opened as it is.
type Damage struct {
	What   string // the sentence without a way on: "/a/b.so is no file"
	Repair string // the command that mends it
	effect string // what that command does
}

func (d *Damage) Error() string { return fmt.Sprintf("%s; `%s` %s", d.What, d.Repair, d.effect) }

// damagef is damage that installing the plugin again repairs.
func (p Plugin) damagef(format string, args ...any) *Damage {
	return &Damage{fmt.Sprintf(format, args...), "fcnx plugins install --force " + p.Kind, "replaces it"}
}
