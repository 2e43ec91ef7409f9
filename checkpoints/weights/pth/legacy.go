package pth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The older kind is a row of pickles with the storages after them:
//
//	a magic number, the version of the format, {"little_endian": ..., ...},
//	the object, in which a storage is a persistent id
//	  ("storage", class, key, device, elements, None or (key of the view, first element, elements)),
//	[keys of storages], and for each of these in turn
//	the number of its elements in 8 bytes, and the elements.
const (
	legacyMagic   = bigInt("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
	legacyVersion = int64(1001)
)

type legacy struct {
	size  int64 // of the file
	roots map[string]root
}

// root is a storage that views may look at.
type root struct {
	elements int64
	width    int64
}

func readLegacy(r io.ReaderAt, size int64) (Index, error) {
	l := &legacy{size, map[string]root{}}
	src := newSource(r, 0, size)
	m := newMachine(src)
	if magic, err := m.load(); err != nil || magic != legacyMagic {
		return Index{}, errors.New("it is a Python pickle, and not one of torch.save: it has another beginning; nothing of it was run")
	}
	switch version, err := m.load(); {
	case err != nil:
		return Index{}, err
	case version != legacyVersion:
		return Index{}, errors.New("it is of a version of torch.save's format that is not known")
	}
	if err := readMachine(m); err != nil {
		return Index{}, err
	}
	none := m.persistent
	m.persistent = l.persistent
	object, err := m.load()
	if err != nil {
		return Index{}, err
	}
	m.persistent = none
	keys, err := m.load()
	if err != nil {
		return Index{}, err
	}
	places, err := l.places(r, src.at, keys)
	if err != nil {
		return Index{}, err
	}
	return indexOf(Legacy, object, func(s *storage) (Storage, error) {
		place, known := places[s.key]
		if !known {
			return Storage{}, fmt.Errorf("storage %.40q is not in the file", s.key)
		}
		return place, nil
	})
}

// readMachine reads what the file says of the machine that wrote it.
func readMachine(m *machine) error {
	v, err := m.load()
	if err != nil {
		return err
	}
	about, isDict := v.(*dict)
	if !isDict {
		return errors.New("it does not say which machine wrote it")
	}
	for key, v := range about.all() {
		if key == "little_endian" && v == false {
			return errBigEndian
		}
	}
	return nil
}

// persistent makes a storage, or a view of one, of its id.
func (l *legacy) persistent(v value) (value, error) {
	parts, _ := v.(tuple)
	if len(parts) == 0 {
		return nil, errPersistent
	}
	if parts[0] == "module" {
		return nil, errModule
	}
	if len(parts) != 6 {
		return nil, errPersistent
	}
	id, err := identify(parts)
	if err != nil {
		return nil, err
	}
	s, err := id.storage()
	if err != nil {
		return nil, err
	}
	if s.size > l.size {
		return nil, fmt.Errorf("storage %.40q should have %d bytes, and the file has %d: is it cut off?", s.key, s.size, l.size)
	}
	width := storageTypes[id.class].width
	if before, known := l.roots[s.key]; !known {
		l.roots[s.key] = root{id.elements, width}
	} else if before.elements*before.width != s.size {
		return nil, fmt.Errorf("storage %.40q has two sizes", s.key)
	}
	if parts[5] == nil {
		return s, nil
	}
	view, _ := parts[5].(tuple)
	if len(view) != 3 {
		return nil, errPersistent
	}
	first, isFirst := view[1].(int64)
	elements, isElements := view[2].(int64)
	if !isFirst || !isElements || first < 0 || elements < 0 || first > id.elements || elements > id.elements-first {
		return nil, fmt.Errorf("storage %.40q has a view that does not lie in it", s.key)
	}
	s.first = first * width
	return s, nil
}

// places walks over the storages, which begin at the given byte of the file.
func (l *legacy) places(r io.ReaderAt, at int64, keys value) (map[string]Storage, error) {
	list, isList := keys.(*list)
	if !isList {
		return nil, errors.New("it has no list of its storages")
	}
	places := map[string]Storage{}
	for _, key := range list.items {
		key, isString := key.(string)
		s, known := l.roots[key]
		if !isString || !known {
			return nil, fmt.Errorf("it has a storage %.40q that no tensor has", key)
		}
		if _, twice := places[key]; twice {
			return nil, fmt.Errorf("it has storage %.40q twice", key)
		}
		size := s.elements * s.width
		if at > l.size-8 || size > l.size-8-at {
			return nil, fmt.Errorf("storage %.40q of %d bytes at %d does not lie in the file, which has %d: is it cut off?", key, size, at, l.size)
		}
		var b [8]byte
		if err := readAt(r, b[:], at); err != nil {
			return nil, err
		}
		if n := binary.LittleEndian.Uint64(b[:]); n != uint64(s.elements) { // #nosec G115 -- a count
			return nil, fmt.Errorf("storage %.40q has %d elements at %d, and %d are wanted", key, n, at, s.elements)
		}
		places[key] = Storage{Offset: at + 8, Size: size}
		at += 8 + size
	}
	return places, nil
}
