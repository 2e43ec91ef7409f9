package predict

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
)

// npy is a NumPy file of float32 [classes,h,w] in C order that is filled row by row,
// in any order: the scores of a large image are larger than memory should be.
// Its methods are safe for concurrent use.
//
// Source: NumPy, lib/format.py, version 1.0 of the format.
type npy struct {
	path    string
	file    *os.File
	h, w    int
	classes int
	data    int64 // where the numbers begin
}

// npyAlign is what the header's length is a multiple of, for those who map the file.
const npyAlign = 64

func npyHeader(classes, h, w int) []byte {
	const magic = "\x93NUMPY\x01\x00"
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d), }", classes, h, w)
	length := len(magic) + 2 + len(text) + 1
	text += strings.Repeat(" ", (npyAlign-length%npyAlign)%npyAlign) + "\n"
	header := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(text)))
	return append(header, text...)
}

// createNPY makes the file under another name; commit gives it its own.
func createNPY(path string, classes, h, w int) (*npy, error) {
	header := npyHeader(classes, h, w)
	file, err := createPartial(path)
	if err != nil {
		return nil, err
	}
	n := &npy{path, file, h, w, classes, int64(len(header))}
	if _, err := file.Write(header); err != nil {
		n.abandon()
		return nil, err
	}
	return n, nil
}

// putRow writes the scores of one class along a part of a row.
func (n *npy) putRow(class, y, x int, scores []float32) error {
	row := make([]byte, 0, 4*len(scores))
	for _, s := range scores {
		row = binary.LittleEndian.AppendUint32(row, math.Float32bits(s))
	}
	at := (int64(class)*int64(n.h)+int64(y))*int64(n.w) + int64(x)
	_, err := n.file.WriteAt(row, n.data+4*at)
	return err
}

// commit ends the file and gives it its name.
func (n *npy) commit() error {
	err := n.file.Close()
	if err == nil {
		err = os.Rename(n.file.Name(), n.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(n.file.Name()))
	}
	return nil
}

// abandon removes what was written. After commit it does nothing that matters.
func (n *npy) abandon() {
	_ = n.file.Close()
	_ = os.Remove(n.file.Name())
}
