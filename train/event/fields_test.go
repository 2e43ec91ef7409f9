package event_test

import (
	"reflect"
	"strings"

	"github.com/fcnx/fcnx/train/event"
)

// fieldNames are the JSON names of a record's fields.
func fieldNames(rec event.Record) []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(rec)) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
