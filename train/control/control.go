// Package control is how a person asks something of a run that another process
// trains: [Ask] appends a request to the control file of the run directory, a
// [Listener] in the training process takes it up.
//
// A file works from every shell and host that sees the run directory, needs no port
// and no path short enough for a socket, and outlives the terminal that asked. What
// was asked before the listener began belongs to a process that is gone, and is
// passed over. The package knows nothing of what the requests mean.
package control

import "time"

// Request is one line of the control file.
type Request struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"` // event.ActionSave, ...
	By     string    `json:"by"`     // who asks: "watch, process 4711 on host"
}
