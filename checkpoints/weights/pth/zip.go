package pth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A zip file ends with a directory of its entries, and a record that says where that
// is. Only as much of the format is read as torch.save writes: nothing is compressed,
// encrypted or split, and sizes may need 64 bits. archive/zip would do, but for its
// allocations, which follow what the file claims.
//
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
const (
	localSignature     = "PK\x03\x04"
	directorySignature = "PK\x01\x02"
	endSignature       = "PK\x05\x06"
	end64Signature     = "PK\x06\x06"
	locator64Signature = "PK\x06\x07"

	localLength     = 30 // of the fixed part, in bytes, as the ones below
	directoryLength = 46
	endLength       = 22
	end64Length     = 56
	locator64Length = 20

	maxEntries   = 200_000
	maxDirectory = 32 << 20
)

// entry is a file in the zip file.
type entry struct {
	name   string
	header int64 // where its local header is
	size   int64
	crc    uint32
	packed bool  // compressed or encrypted
	end    int64 // where the entries end in the zip file
}

var errNoEnd = errors.New("it begins as a zip file and does not end as one: is it cut off?")

// readDirectory reads the entries by name.
func readDirectory(r io.ReaderAt, size int64) (map[string]entry, error) {
	at, length, count, err := findDirectory(r, size)
	if err != nil {
		return nil, err
	}
	if count > maxEntries || length > maxDirectory {
		return nil, fmt.Errorf("it has %d entries in %d bytes, and at most %d in %d are allowed", count, length, maxEntries, maxDirectory)
	}
	directory := make([]byte, length)
	if err := readAt(r, directory, int64(at)); err != nil { // #nosec G115 -- findDirectory has held it to the file
		return nil, err
	}
	entries := map[string]entry{}
	for range count {
		e, rest, err := parseEntry(directory)
		if err != nil {
			return nil, err
		}
		if _, twice := entries[e.name]; twice {
			return nil, fmt.Errorf("it has two entries %.80q", e.name)
		}
		e.end = int64(at) // #nosec G115 -- as above
		entries[e.name] = e
		directory = rest
	}
	if len(directory) > 0 {
		return nil, fmt.Errorf("%d bytes follow the last entry of its directory", len(directory))
	}
	return entries, nil
}

// findDirectory finds the directory, which lies in the file as far as at and length
// say.
func findDirectory(r io.ReaderAt, size int64) (at, length, count uint64, err error) {
	tail := make([]byte, min(size, endLength+math.MaxUint16))
	tailAt := size - int64(len(tail))
	if err := readAt(r, tail, tailAt); err != nil {
		return 0, 0, 0, err
	}
	i := len(tail) - endLength
	for ; i >= 0; i-- {
		if bytes.HasPrefix(tail[i:], []byte(endSignature)) && int(binary.LittleEndian.Uint16(tail[i+20:])) == len(tail)-i-endLength {
			break
		}
	}
	if i < 0 {
		return 0, 0, 0, errNoEnd
	}
	end := tail[i:]
	count = uint64(binary.LittleEndian.Uint16(end[10:]))
	length = uint64(binary.LittleEndian.Uint32(end[12:]))
	at = uint64(binary.LittleEndian.Uint32(end[16:]))
	limit := uint64(tailAt) + uint64(i) // #nosec G115 -- places in a file: the directory is before it
	if count == math.MaxUint16 || length == math.MaxUint32 || at == math.MaxUint32 {
		if i < locator64Length || !bytes.HasPrefix(tail[i-locator64Length:], []byte(locator64Signature)) {
			return 0, 0, 0, errNoEnd
		}
		end64At := binary.LittleEndian.Uint64(tail[i-locator64Length+8:])
		if limit < end64Length || end64At > limit-end64Length {
			return 0, 0, 0, fmt.Errorf("its directory would be described at %d, outside of the file", end64At)
		}
		end64 := make([]byte, end64Length)
		if err := readAt(r, end64, int64(end64At)); err != nil { // #nosec G115 -- before limit, which is in the file
			return 0, 0, 0, err
		}
		if !bytes.HasPrefix(end64, []byte(end64Signature)) {
			return 0, 0, 0, errNoEnd
		}
		count = binary.LittleEndian.Uint64(end64[32:])
		length = binary.LittleEndian.Uint64(end64[40:])
		at = binary.LittleEndian.Uint64(end64[48:])
		limit = end64At
	}
	if at > limit || length > limit-at || count > length/directoryLength {
		return 0, 0, 0, fmt.Errorf("its directory of %d entries in %d bytes at %d does not fit the file, which has %d", count, length, at, size)
	}
	return at, length, count, nil
}

// parseEntry reads the first entry of a directory.
func parseEntry(b []byte) (e entry, rest []byte, err error) {
	if len(b) < directoryLength || !bytes.HasPrefix(b, []byte(directorySignature)) {
		return e, nil, errors.New("its directory is damaged")
	}
	flags := binary.LittleEndian.Uint16(b[8:])
	method := binary.LittleEndian.Uint16(b[10:])
	packed := uint64(binary.LittleEndian.Uint32(b[20:]))
	size := uint64(binary.LittleEndian.Uint32(b[24:]))
	name := int(binary.LittleEndian.Uint16(b[28:]))
	extra := int(binary.LittleEndian.Uint16(b[30:]))
	comment := int(binary.LittleEndian.Uint16(b[32:]))
	header := uint64(binary.LittleEndian.Uint32(b[42:]))
	e.crc = binary.LittleEndian.Uint32(b[16:])
	rest = b[directoryLength:]
	if len(rest) < name+extra+comment {
		return e, nil, errors.New("its directory is damaged")
	}
	e.name = string(rest[:name])
	for _, field := range []*uint64{&size, &packed, &header} {
		if *field != math.MaxUint32 {
			continue
		}
		wide := zip64Field(rest[name : name+extra])
		done := 0
		for _, f := range []*uint64{&size, &packed, &header} {
			if *f == math.MaxUint32 {
				if len(wide) < done+8 {
					return e, nil, fmt.Errorf("its entry %.80q has no size of 64 bits", e.name)
				}
				*f = binary.LittleEndian.Uint64(wide[done:])
				done += 8
			}
		}
		break
	}
	if size > math.MaxInt64 || header > math.MaxInt64 {
		return e, nil, fmt.Errorf("its entry %.80q has %d bytes at %d", e.name, size, header)
	}
	const encrypted = 1
	e.packed = method != 0 || packed != size || flags&encrypted != 0
	e.size, e.header = int64(size), int64(header)
	return e, rest[name+extra+comment:], nil
}

// zip64Field is the extra field with numbers of 64 bits, or nothing.
func zip64Field(extra []byte) []byte {
	for len(extra) >= 4 {
		id := binary.LittleEndian.Uint16(extra)
		length := int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if length > len(extra) {
			return nil
		}
		if id == 1 {
			return extra[:length]
		}
		extra = extra[length:]
	}
	return nil
}

// data is where the entry's bytes are, of which all lie before the directory.
func (e entry) data(r io.ReaderAt) (at int64, err error) {
	if e.packed {
		return 0, fmt.Errorf("its entry %.80q is compressed or encrypted, as torch.save never does it: unzip the file, and zip it again with zip -0", e.name)
	}
	outside := fmt.Errorf("its entry %.80q of %d bytes at %d does not lie in the file: is it cut off?", e.name, e.size, e.header)
	if e.end < localLength || e.header > e.end-localLength {
		return 0, outside
	}
	var b [localLength]byte
	if err := readAt(r, b[:], e.header); err != nil {
		return 0, err
	}
	name := int64(binary.LittleEndian.Uint16(b[26:]))
	extra := int64(binary.LittleEndian.Uint16(b[28:]))
	at = e.header + localLength + name + extra
	switch {
	case !bytes.HasPrefix(b[:], []byte(localSignature)) || name != int64(len(e.name)):
		return 0, fmt.Errorf("its entry %.80q is damaged: there is another thing at %d", e.name, e.header)
	case at > e.end || e.size > e.end-at:
		return 0, outside
	}
	return at, nil
}
