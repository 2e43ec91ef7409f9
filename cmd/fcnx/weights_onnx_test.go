package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/fcnx/fcnx/checkpoints"
)

// makeNaN is the command of the scripts that copies a file of weights, all of whose
// biases become NaN:
//
//	mknan FROM TO
func makeNaN() {
	if len(os.Args) != 3 {
		fatal(fmt.Errorf("usage: mknan FROM TO"))
	}
	if err := copyWithNaN(os.Args[1], os.Args[2]); err != nil {
		fatal(err)
	}
}

func copyWithNaN(from, to string) error {
	file, err := checkpoints.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	shapes := map[string][]int{}
	for _, info := range file.Infos() {
		shapes[info.Name] = info.Shape
	}
	_, err = checkpoints.WriteFile(to, file.Infos(), file.Metadata(), func(name string, w io.Writer) error {
		raw, err := file.Read(name)
		if err != nil {
			return err
		}
		if len(shapes[name]) == 1 {
			for i := 0; i < len(raw); i += 4 {
				binary.LittleEndian.PutUint32(raw[i:], math.Float32bits(float32(math.NaN())))
			}
		}
		_, err = w.Write(raw)
		return err
	})
	return err
}
