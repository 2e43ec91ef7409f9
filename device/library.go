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
// that help nobody. Its errors leave it to the caller to name the file.
func checkLibrary(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("no shared library (%w)", err)
	}
	defer f.Close()
	if f.Type != elf.ET_DYN {
		return fmt.Errorf("no shared library but an ELF file of type %v", f.Type)
	}
	if f.Class != elf.ELFCLASS64 {
		return fmt.Errorf("built for another machine: %v of %v, here is 64-bit %v", f.Class, f.Machine, machines[runtime.GOARCH])
	}
	if want := machines[runtime.GOARCH]; f.Machine != want {
		return fmt.Errorf("built for another machine: %v, here is %v", f.Machine, want)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("its table of symbols is damaged: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return errors.New("a shared library but no PJRT plugin: it exports no GetPjrtApi")
}
