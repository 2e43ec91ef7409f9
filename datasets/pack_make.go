package datasets

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// packTmp marks a pack that is not finished.
const packTmp = ".tmp"

// make makes the pack, or waits for another process that does. A crash leaves the old
// file or the new one, and perhaps an unfinished one that the next maker overwrites.
func (p *Pack) make(ctx context.Context, key [32]byte) error {
	dir := filepath.Dir(p.cfg.Path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return p.failed(err)
	}
	file, err := p.lock(ctx)
	if err != nil {
		return err
	}
	// The file keeps its lock until it has its name, so that nobody takes it for left over.
	defer file.Close()
	tmp := file.Name()
	if p.open(ctx, key) == nil {
		return p.failed(os.Remove(tmp)) // another process was faster
	}
	err = p.write(ctx, file, key)
	if err == nil {
		err = p.failed(os.Rename(tmp, p.cfg.Path))
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if err := syncDirectory(dir); err != nil {
		return p.failed(err)
	}
	p.Made, p.cfg.Check = true, false
	return p.failed(p.open(ctx, key))
}

// failed says what an error of the disk is about, and what to do.
func (p *Pack) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("making the pack %s: %w; make room, or give data.pack a directory on another disk, or none", Printable(p.cfg.Path), err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("making the pack %s: %w; give data.pack a directory that can be written to, or make the pack there first with fcnx data pack", Printable(p.cfg.Path), err)
	}
	return fmt.Errorf("making the pack %s: %w", Printable(p.cfg.Path), err)
}

// lock makes the unfinished file and locks it. The lock is flock's, so that what a
// process leaves that was killed keeps nobody waiting.
func (p *Pack) lock(ctx context.Context) (*os.File, error) {
	name := p.cfg.Path + packTmp
	for told := false; ; {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o666)
		if err != nil {
			return nil, p.failed(err)
		}
		mine, err := file.Stat()
		if err == nil {
			err = mustBeRegular(mine)
		}
		if err == nil {
			err = flock(file)
		}
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(p.failed(fmt.Errorf("%s: %w", Printable(name), err)), file.Close())
		}
		if err == nil {
			// Whoever had the lock may have given the file its name, or removed it.
			if named, err := os.Lstat(name); err == nil && os.SameFile(mine, named) {
				return file, nil
			}
			file.Close()
			continue
		}
		file.Close()
		if !told {
			told = true
			p.cfg.Say(fmt.Sprintf("another process is making the pack %s; waiting for it", Printable(p.cfg.Path)))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func flock(file *os.File) error {
	for {
		// A signal that the Go runtime handles may interrupt the call.
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// write fills the unfinished file and returns when its bytes are on disk.
func (p *Pack) write(ctx context.Context, file *os.File, key [32]byte) error {
	if err := file.Truncate(0); err != nil {
		return p.failed(err)
	}
	need, err := p.forecast(ctx)
	if err != nil {
		return err
	}
	var disk unix.Statfs_t
	// Of a file system that does not know how full it is the write will tell.
	if err := unix.Fstatfs(int(file.Fd()), &disk); err == nil && disk.Blocks > 0 && need/uint64(disk.Bsize) >= disk.Bavail {
		return p.failed(fmt.Errorf("it takes %.1f GB, and %.1f GB are free: %w", float64(need)/1e9, float64(disk.Bavail)*float64(disk.Bsize)/1e9,
			&fs.PathError{Op: "write", Path: file.Name(), Err: syscall.ENOSPC}))
	}
	p.cfg.Say(fmt.Sprintf("making the pack %s: %d samples, %.2f GB", Printable(p.cfg.Path), p.src.Len(), float64(need)/1e9))
	out := bufio.NewWriterSize(file, 1<<20)
	if _, err := out.Write(make([]byte, packHeaderSize)); err != nil {
		return p.failed(err)
	}
	var index []byte
	next := int64(packHeaderSize)
	err = p.decodeAll(ctx, func(r packedRecord) error {
		r.entry.offset = next
		next += int64(len(r.bytes))
		index = r.entry.append(index)
		_, err := out.Write(r.bytes)
		return p.failed(err)
	})
	if err != nil {
		return err
	}
	head := packHeader{samples: uint64(p.src.Len()), index: uint64(next), key: key, hash: sha256.Sum256(index)}
	if _, err := out.Write(index); err != nil {
		return p.failed(err)
	}
	if err := out.Flush(); err != nil {
		return p.failed(err)
	}
	if _, err := file.WriteAt(head.encode(), 0); err != nil {
		return p.failed(err)
	}
	return p.failed(file.Sync())
}

// forecast is about how many bytes the file will have, from the headers of images.
func (p *Pack) forecast(ctx context.Context) (uint64, error) {
	sizes, err := readSizes(ctx, p.src, LoaderConfig{Workers: p.cfg.Workers, SkipBad: true})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return packHeaderSize, nil // not one can be read: there is nothing to pack
	}
	need := uint64(packHeaderSize)
	for _, size := range sizes {
		image := size
		if p.cfg.Height > 0 {
			image = extent{p.cfg.Height, p.cfg.Width}
		}
		need += 3*uint64(image.area()) + uint64(size.area()) + packEntrySize
	}
	return need, nil
}

// packedRecord is one sample on its way to the file.
type packedRecord struct {
	bytes []byte
	entry packEntry
}

// decodeAll gives the records in order; a few more of them are in memory than there are
// workers. A sample that cannot be decoded has an entry without a record.
func (p *Pack) decodeAll(ctx context.Context, put func(packedRecord) error) error {
	ctx, cancel := context.WithCancel(ctx)
	queue := make(chan chan packedRecord, p.cfg.Workers)
	fed := make(chan struct{})
	defer func() {
		cancel()
		<-fed
		for waiting := range queue {
			<-waiting // whoever is decoding finishes, and is not left behind
		}
	}()
	go func() {
		defer close(fed)
		defer close(queue)
		for i := range p.src.Len() {
			ready := make(chan packedRecord, 1)
			select {
			case queue <- ready:
			case <-ctx.Done():
				return
			}
			go func() {
				var r packedRecord
				if s, err := p.decode(i); err == nil && len(s.ID) <= maxPackedID {
					r = newRecord(s)
				}
				ready <- r
			}()
		}
	}()
	for ready := range queue {
		if err := put(<-ready); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// syncDirectory makes the names in dir as durable as the files that they name.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
