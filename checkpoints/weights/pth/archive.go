package pth

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// The zip kind has these entries, below a directory that is named after the file:
//
//	data.pkl     the object; a storage is a persistent id ("storage", class, key, device, elements)
//	data/KEY     the numbers of a storage
//	byteorder    "little" or "big", since torch 2.1
//	version, .data/serialization_id, .format_version, .storage_alignment
//
// Nothing is compressed. https://github.com/pytorch/pytorch/blob/main/torch/serialization.py
type archive struct {
	r       io.ReaderAt
	entries map[string]entry
	prefix  string // of all names, with its slash
	// Whether the checksums are in use: torch can be told to leave them zero.
	hasSums  bool
	storages map[storageID]*storage
}

func readArchive(r io.ReaderAt, size int64) (Index, error) {
	entries, err := readDirectory(r, size)
	if err != nil {
		return Index{}, err
	}
	a := &archive{r: r, entries: entries, storages: map[storageID]*storage{}}
	for name, e := range entries {
		a.hasSums = a.hasSums || e.crc != 0
		prefix, isObject := strings.CutSuffix(name, "/data.pkl")
		if !isObject || strings.Contains(prefix, "/") {
			continue
		}
		if a.prefix != "" {
			return Index{}, errors.New("it has two entries data.pkl")
		}
		a.prefix = prefix + "/"
	}
	switch _, isScript := entries[a.prefix+"constants.pkl"]; {
	case a.prefix == "":
		return Index{}, errors.New("it is a zip file without an entry data.pkl, which neither torch.save nor numpy.savez wrote; if there is a file of weights in it, unpack it")
	case isScript:
		return Index{}, errors.New("it is a TorchScript program, not a state dict: save torch.jit.load(FILE).state_dict() by torch.save")
	}
	if err := a.checkOrder(); err != nil {
		return Index{}, err
	}
	at, length, err := a.open("data.pkl")
	if err != nil {
		return Index{}, err
	}
	if length > maxPickle {
		return Index{}, fmt.Errorf("its entry data.pkl has %d bytes, and at most %d are allowed", length, maxPickle)
	}
	if err := a.verify("data.pkl", at, length); err != nil {
		return Index{}, err
	}
	m := newMachine(newSource(r, at, length))
	m.persistent = a.persistent
	root, err := m.load()
	if err != nil {
		return Index{}, err
	}
	return indexOf(Zip, root, a.place)
}

// checkOrder refuses numbers with their most significant byte first.
func (a *archive) checkOrder() error {
	if _, present := a.entries[a.prefix+"byteorder"]; !present {
		return nil
	}
	at, length, err := a.open("byteorder")
	if err != nil {
		return err
	}
	order := make([]byte, min(length, 16))
	if err := readAt(a.r, order, at); err != nil {
		return err
	}
	switch string(order) {
	case "little":
		return a.verify("byteorder", at, length)
	case "big":
		return errBigEndian
	}
	return fmt.Errorf("its byte order is %.16q", order)
}

var errBigEndian = errors.New("it was written on a big-endian machine, whose numbers are not read here: load it in PyTorch and save it again on this one")

// open finds an entry's bytes.
func (a *archive) open(name string) (at, length int64, err error) {
	e, present := a.entries[a.prefix+name]
	if !present {
		return 0, 0, fmt.Errorf("it has no entry %.80q", a.prefix+name)
	}
	at, err = e.data(a.r)
	return at, e.size, err
}

// verify holds a small entry to its checksum.
func (a *archive) verify(name string, at, length int64) error {
	if !a.hasSums {
		return nil
	}
	sum := crc32.NewIEEE()
	if _, err := io.Copy(sum, io.NewSectionReader(a.r, at, length)); err != nil {
		return err
	}
	if sum.Sum32() != a.entries[a.prefix+name].crc {
		return fmt.Errorf("its entry %.80q is damaged: the checksum is wrong", a.prefix+name)
	}
	return nil
}

// persistent makes a storage of its id.
func (a *archive) persistent(v value) (value, error) {
	parts, _ := v.(tuple)
	if len(parts) != 5 {
		return nil, errPersistent
	}
	id, err := identify(parts)
	if err != nil {
		return nil, err
	}
	if s, known := a.storages[id]; known {
		return s, nil
	}
	s, err := id.storage()
	if err != nil {
		return nil, err
	}
	e, present := a.entries[a.prefix+"data/"+id.key]
	switch {
	case !present:
		return nil, fmt.Errorf("storage %.40q has no entry in the zip file", id.key)
	case e.size != s.size:
		return nil, fmt.Errorf("storage %.40q should have %d bytes, and its entry has %d", id.key, s.size, e.size)
	}
	a.storages[id] = s
	return s, nil
}

// place is where a storage that persistent has made lies in the file.
func (a *archive) place(s *storage) (Storage, error) {
	at, length, err := a.open("data/" + s.key)
	if err != nil {
		return Storage{}, err
	}
	placed := Storage{Offset: at, Size: length}
	if a.hasSums {
		crc := a.entries[a.prefix+"data/"+s.key].crc
		placed.CRC32 = &crc
	}
	return placed, nil
}
