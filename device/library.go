package device

import (
	"debug/elf"
	"errors"
	"fmt"
	"runtime"
)

// machines are the ELF names of the architectures that plugins are built for.
var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64,
	"arm64": elf.EM_AARCH64,
}

// checkLibrary looks at the headers of a file, without running any of it: is it a
// PJRT plugin for this machine? The dynamic loader would find out too, in words
// that help nobody.
func checkLibrary(path string) error {
	f, err := elf.Open(path)
	var format *elf.FormatError
	switch {
	case errors.As(err, &format):
		return fmt.Errorf("%s is no shared library", path)
	case err != nil:
		return fmt.Errorf("%s is no shared library: %w", path, err)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("%s is no shared library but an ELF file of type %v", path, f.Type)
	}
	if want := machines[runtime.GOARCH]; f.Machine != want {
		return fmt.Errorf("%s is built for another machine: %v, here is %v", path, f.Machine, want)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("%s has a damaged table of symbols: %w", path, err)
	}
	for _, s := range symbols {
		if s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fmt.Errorf("%s is a shared library but no PJRT plugin: it exports no GetPjrtApi", path)
}
