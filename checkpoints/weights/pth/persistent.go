package pth

import (
	"errors"
	"fmt"
)

var (
	errPersistent = errors.New("the pickle refers to a storage in a way that torch.save does not")
	errModule     = errors.New("the file holds a whole module with its source, not a state dict: save net.state_dict()")
)

// storageID is what a persistent id says of a storage.
type storageID struct {
	key, class string
	elements   int64
}

// identify takes the begin of a persistent id apart: ("storage", class, key, device,
// elements). There are five parts at least.
func identify(parts tuple) (storageID, error) {
	class, isGlobal := parts[1].(*global)
	key, isString := parts[2].(string)
	elements, isInt := parts[4].(int64)
	if parts[0] != "storage" || !isGlobal || !isString || !isInt || elements < 0 {
		return storageID{}, errPersistent
	}
	return storageID{key, class.name, elements}, nil
}

// storage is what an id says, with a size that fits 63 bits.
func (id storageID) storage() (*storage, error) {
	class, isStorage := storageTypes[id.class]
	if !isStorage {
		return nil, errPersistent
	}
	size, fits := multiply(id.elements, class.width)
	if !fits {
		return nil, fmt.Errorf("the size of storage %.40q overflows: %d elements", id.key, id.elements)
	}
	return &storage{key: id.key, dtype: class.dtype, size: size}, nil
}
