package event_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fcnx/fcnx/train/event"
)

func ExampleReader() {
	file := strings.NewReader(`{"kind":"step","time":"2026-03-01T12:00:00Z","step":1,"loss":1.61}
{"kind":"step","time":"2026-03-01T12:00:01Z","step":2,"loss":"NaN"}
{"kind":"step","time":"2026-03-01T12:0`)
	r := event.NewReader(file)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		if step, ok := rec.(event.Step); ok {
			fmt.Println(step.Step, step.Loss)
		}
	}
	fmt.Println("good up to byte", r.Offset())
	// Output:
	// 1 1.61
	// 2 NaN
	// good up to byte 135
}
