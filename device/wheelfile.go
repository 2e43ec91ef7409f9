package device

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxLibrary bounds what an archive may unpack to; the CUDA plugin, the largest,
// has 400 MB.
const maxLibrary = 2 << 30

// unpack copies one member of the wheel at file to a new file at to, syncs it, and
// returns its size and sha256. No name in the archive is ever used as a path. An
// empty member means the only shared library in it.
func unpack(ctx context.Context, file, member, to string) (size int64, sum string, err error) {
	archive, err := zip.OpenReader(file)
	if errors.Is(err, zip.ErrInsecurePath) {
		archive.Close()
		return 0, "", fmt.Errorf("%s: a name in it leads out of the archive, which no wheel needs; nothing of it was unpacked", file)
	}
	if err != nil {
		return 0, "", fmt.Errorf("%s is no wheel (a zip archive): %w", file, err)
	}
	defer archive.Close()
	entry, err := findMember(&archive.Reader, file, member)
	if err != nil {
		return 0, "", err
	}
	if entry.UncompressedSize64 > maxLibrary {
		return 0, "", fmt.Errorf("%s: %s unpacks to %d bytes; %d are the limit", file, entry.Name, entry.UncompressedSize64, maxLibrary)
	}
	in, err := entry.Open()
	if err != nil {
		return 0, "", fmt.Errorf("%s: %s: %w", file, entry.Name, err)
	}
	defer in.Close()
	// The zip reader ends with an error where the data does not have the size and
	// checksum that the directory promised.
	size, sum, err = writeSynced(ctx, to, in)
	if err != nil {
		return 0, "", fmt.Errorf("unpacking %s of %s: %w", entry.Name, filepath.Base(file), err)
	}
	return size, sum, nil
}

func findMember(archive *zip.Reader, file, member string) (*zip.File, error) {
	var found []*zip.File
	for _, f := range archive.File {
		if f.Name == member || member == "" && path.Ext(f.Name) == ".so" {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if member == "" {
			member = "shared library"
		}
		return nil, fmt.Errorf("%s holds no %s, so it is not the package of a PJRT plugin", file, member)
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.Name
	}
	return nil, fmt.Errorf("%s holds several libraries (%s); unpack it and give the right one to --from", file, strings.Join(names, ", "))
}

// writeSynced writes all of r to a new file that is on the disk when it returns.
func writeSynced(ctx context.Context, to string, r io.Reader) (size int64, sum string, err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, "", err
	}
	defer func() {
		if closing := out.Close(); err == nil {
			err = closing
		}
	}()
	h := sha256.New()
	size, err = io.CopyBuffer(io.MultiWriter(out, h), &contextReader{ctx, r}, make([]byte, 1<<20))
	if err != nil {
		return 0, "", err
	}
	return size, hex.EncodeToString(h.Sum(nil)), out.Sync()
}
