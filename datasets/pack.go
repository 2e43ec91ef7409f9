package datasets

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
)

// PackConfig says where the decoded samples of a source are kept. Only Path must be
// given.
type PackConfig struct {
	// Path is the file ([PackName] gives it a name). Its directory is made where there
	// is none.
	Path string
	// Height and Width are the size that images are brought to before they are packed,
	// as [Resize] does it; both 0: their own. Labels keep theirs.
	Height, Width int
	Workers       int // samples decoded at a time; 0: one a core
	// Check has every record read at once, so that one that is damaged has the pack made
	// anew. Without it damage is found when the sample is asked for.
	Check bool
	// Say hears what takes long: that a pack is made, or waited for. nil: nobody does.
	Say func(text string)
	// Warn hears of a pack that was of no use, and why. It may be called from any
	// goroutine, and later too, when damage is found. nil: nobody does.
	Warn func(text string)
}

// Pack is a [Source] whose samples were decoded before, and lie in one file. It gives
// the pixels of the source that it was made from, to the byte, but for the size of
// images where [PackConfig] asks for another. What cannot be had from the file, since
// it could not be decoded or is damaged, comes from that source.
type Pack struct {
	src     Source
	cfg     PackConfig
	file    *os.File
	entries []packEntry
	buffers sync.Pool // *[]byte, a record each
	damaged sync.Once

	// Made tells that it was not there before, or of no use.
	Made bool
	// Bytes is the size of the file.
	Bytes int64
	// Bad counts the samples that could not be decoded.
	Bad int
}

// OpenPack opens the pack of src, and makes it where there is none, or one that is
// damaged, cut off, of another version or of files that have changed since; Warn hears
// why. Of two processes that would make the same pack one waits for the other.
//
// The error is that of ctx, of a source that cannot be packed, or of the disk; in the
// latter there is an [*fs.PathError] or [*os.LinkError], of the pack's directory or of a
// file in it. Samples that cannot be decoded are no error.
func OpenPack(ctx context.Context, src Source, cfg PackConfig) (*Pack, error) {
	if (cfg.Height == 0) != (cfg.Width == 0) || cfg.Height < 0 || cfg.Width < 0 || max(cfg.Height, cfg.Width) > maxSide {
		return nil, fmt.Errorf("a pack of images of %dx%d: give both height and width, up to %d, or neither", cfg.Height, cfg.Width, maxSide)
	}
	cfg.Workers = cmp.Or(cfg.Workers, runtime.GOMAXPROCS(0))
	silent := func(string) {}
	if cfg.Say == nil {
		cfg.Say = silent
	}
	if cfg.Warn == nil {
		cfg.Warn = silent
	}
	key, err := packKey(src, extent{cfg.Height, cfg.Width})
	if err != nil {
		return nil, err
	}
	p := &Pack{src: src, cfg: cfg}
	err = p.open(ctx, key)
	var useless uselessPack
	switch {
	case err == nil:
		return p, nil
	case errors.As(err, &useless):
		cfg.Warn(fmt.Sprintf("the pack %s is not used, and made anew: %v", Printable(cfg.Path), err))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the pack %s: %w", Printable(cfg.Path), err)
	}
	if err := p.make(ctx, key); err != nil {
		return nil, err
	}
	return p, nil
}

// open opens the file if it is there and good: a [uselessPack] says why one is not.
func (p *Pack) open(ctx context.Context, key [32]byte) error {
	file, err := openRegular(os.Stat, os.OpenFile, p.cfg.Path)
	if err != nil {
		return err
	}
	entries, bytes, err := readPack(file, key, p.src)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	p.file, p.entries, p.Bytes, p.Bad = file, entries, bytes, 0
	if p.cfg.Check {
		if err := p.check(ctx); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	for _, e := range entries {
		if e.missing() {
			p.Bad++
		}
	}
	return nil
}

// check reads every record: a [uselessPack] names the first that is damaged.
func (p *Pack) check(ctx context.Context) error {
	p.cfg.Say(fmt.Sprintf("checking the pack %s", Printable(p.cfg.Path)))
	for i, e := range p.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.missing() {
			continue
		}
		if _, err := p.read(e); err != nil {
			return uselessPack(fmt.Sprintf("it is damaged at sample %d: %v", i, err))
		}
	}
	return nil
}

// readPack reads header and index of a pack of src, and tells how large it is. It takes
// no more memory than an index of that many samples has.
func readPack(file *os.File, key [32]byte, src Source) (entries []packEntry, bytes int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	var head [packHeaderSize]byte
	if _, err := file.ReadAt(head[:], 0); errors.Is(err, io.EOF) {
		return nil, 0, uselessPack("it is cut off")
	} else if err != nil {
		return nil, 0, err
	}
	h, err := decodePackHeader(head)
	if err != nil {
		return nil, 0, err
	}
	index := make([]byte, src.Len()*packEntrySize)
	switch {
	case h.key != key || h.samples != uint64(src.Len()):
		return nil, 0, uselessPack("the data has changed since it was made, or is read in another way")
	case h.index > uint64(info.Size()) || info.Size()-int64(h.index) != int64(len(index)):
		return nil, 0, uselessPack("it is cut off, or too long")
	}
	if _, err := file.ReadAt(index, int64(h.index)); err != nil {
		return nil, 0, err
	}
	if sha256.Sum256(index) != h.hash {
		return nil, 0, uselessPack("its index is damaged")
	}
	entries, err = decodePackIndex(index, int64(h.index), pixelCap(src))
	return entries, info.Size(), err
}

// pixelCap is the most that an image of src has.
func pixelCap(src Source) int64 {
	if files, ok := src.(*pairs); ok {
		return max(files.maxPixels, maxSide*maxSide) // a resize may enlarge
	}
	return DefaultMaxPixels
}

// Len implements [Source].
func (p *Pack) Len() int { return len(p.entries) }

// Classes implements [Source].
func (p *Pack) Classes() []Class { return p.src.Classes() }

// Size implements [Source]: it is the size of the label, which of an image that was
// resized is the one that it had.
func (p *Pack) Size(i int) (h, w int, err error) {
	e := p.entries[i]
	switch {
	case e.missing():
		return p.src.Size(i)
	case e.label == extent{}:
		return e.image.h, e.image.w, nil
	}
	return e.label.h, e.label.w, nil
}

// At implements [Source].
func (p *Pack) At(i int) (Sample, error) {
	e := p.entries[i]
	if e.missing() {
		return p.decode(i)
	}
	s, err := p.read(e)
	if err != nil {
		p.damage(i, err)
		return p.decode(i)
	}
	return s, nil
}

// decode takes sample i from the source, and does with it what was done for the pack.
func (p *Pack) decode(i int) (Sample, error) {
	s, err := p.src.At(i)
	if err == nil && p.cfg.Height > 0 {
		s.Image = resizeImage(s.Image, p.cfg.Height, p.cfg.Width)
	}
	return s, err
}

// damage tells of the first record that is not what it was when it was written. The
// file goes, so that the next start makes a good one; this process has it open.
func (p *Pack) damage(i int, err error) {
	p.damaged.Do(func() {
		p.cfg.Warn(fmt.Sprintf("the pack %s is damaged at sample %d: %v. What is damaged is decoded from its files instead, "+
			"and the pack is removed, to be made anew at the next start", Printable(p.cfg.Path), i, err))
		mine, err := p.file.Stat()
		named, other := os.Stat(p.cfg.Path)
		if err == nil && other == nil && os.SameFile(mine, named) {
			_ = os.Remove(p.cfg.Path) // a directory that cannot be written to keeps it, and the next start is as this one
		}
	})
}

// Close gives the file back. No sample may be asked for any more.
func (p *Pack) Close() error { return p.file.Close() }
