package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Fetched is a file that lies on this machine.
type Fetched struct {
	Name // with the commit as its revision
	Path string
}

// Fetch returns the file, from the hub or from an earlier time. A commit that is here
// already needs no hub. A download is checked against the size and, where the hub says
// it, the SHA-256; what is broken off leaves nothing behind. Errors are for the person
// who gave the name.
func (c *Client) Fetch(ctx context.Context, n Name) (Fetched, error) {
	if isCommit(n.Revision) {
		if path := c.cached(n, n.Revision); isFile(path) {
			return Fetched{n, path}, nil
		}
	}
	commit, want, err := c.look(ctx, n)
	if err != nil {
		return Fetched{}, err
	}
	asked := n
	n.Revision = commit
	path := c.cached(n, commit)
	if isFile(path) {
		return Fetched{n, path}, nil
	}
	if err := c.download(ctx, n, want, path); err != nil {
		if ctx.Err() != nil {
			return Fetched{}, fmt.Errorf("%s: %w", asked, context.Cause(ctx))
		}
		return Fetched{}, err
	}
	return Fetched{n, path}, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// file is what the hub says of a file.
type file struct {
	Name string `json:"rfilename"`
	Size *int64 `json:"size"`
	LFS  *struct {
		SHA256 string `json:"sha256"`
	} `json:"lfs"`
}

// maxAnswer is how long a description of a repository may be.
const maxAnswer = 32 << 20

// look asks which commit a revision is, and what the hub knows of the file.
func (c *Client) look(ctx context.Context, n Name) (commit string, want file, err error) {
	answer, err := c.get(ctx, n, fmt.Sprintf("%s/api/models/%s/%s/revision/%s?blobs=true", c.Endpoint, n.Owner, n.Repo, n.Revision))
	if err != nil {
		return "", file{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return "", file{}, c.unreachable(n, err)
	}
	commit, want, ok, err := parseDescription(text, n)
	if !ok {
		return "", file{}, fmt.Errorf("%s: what %s answers does not describe a repository; is HF_ENDPOINT a hub?", n, c.host())
	}
	return commit, want, err
}

// parseDescription finds the commit and the file in a hub's description of the
// repository; ok is false where the text is none.
func parseDescription(text []byte, n Name) (commit string, want file, ok bool, err error) {
	var repo struct {
		SHA      string `json:"sha"`
		Siblings []file `json:"siblings"`
	}
	if err := json.Unmarshal(text, &repo); err != nil || !isCommit(repo.SHA) {
		return "", file{}, false, nil
	}
	i := slices.IndexFunc(repo.Siblings, func(f file) bool { return f.Name == n.File })
	if i >= 0 {
		return repo.SHA, repo.Siblings[i], true, nil
	}
	var names []string
	for _, f := range repo.Siblings {
		if len(names) < 12 && checkPart(strings.ReplaceAll(f.Name, "/", "-")) == nil {
			names = append(names, f.Name)
		}
	}
	return "", file{}, true, fmt.Errorf("%s: there is no such file in the repository; it has %s", n, strings.Join(names, ", "))
}

// get sends a request, and returns an answer of status 200.
func (c *Client) get(ctx context.Context, n Name, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	request.Header.Set("User-Agent", "fcnx")
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	answer, err := c.HTTP.Do(request)
	if err != nil {
		return nil, c.unreachable(n, err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, c.refused(n, answer.StatusCode)
	}
	return answer, nil
}

// errStalled is why a download was given up.
var errStalled = errors.New("nothing came any more")

// download writes the file beside its place, checks it and moves it there.
func (c *Client) download(ctx context.Context, n Name, want file, path string) (err error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	silence := time.AfterFunc(c.Stall, func() { giveUp(errStalled) })
	defer silence.Stop()

	answer, err := c.get(ctx, n, fmt.Sprintf("%s/%s/%s/resolve/%s/%s", c.Endpoint, n.Owner, n.Repo, n.Revision, n.File))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".download-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	total := answer.ContentLength
	if want.Size != nil {
		total = *want.Size
	}
	sum := sha256.New()
	heard := &listener{from: answer.Body, total: total, silence: silence, stall: c.Stall, tell: c.Progress}
	if total >= 0 {
		// One byte more than there should be is enough to know.
		heard.from = io.LimitReader(answer.Body, total+1)
	}
	written, err := io.Copy(io.MultiWriter(f, sum), heard)
	switch {
	case heard.failed != nil && context.Cause(ctx) != nil:
		return c.unreachable(n, context.Cause(ctx))
	case heard.failed != nil:
		return c.unreachable(n, fmt.Errorf("broken off after %d bytes: %w", written, heard.failed))
	case err != nil: // a full disk, say
		return err
	case total >= 0 && written != total:
		return fmt.Errorf("%s: %d bytes came, and the file has %d; try again", n, written, total)
	case want.LFS != nil && want.LFS.SHA256 != hex.EncodeToString(sum.Sum(nil)):
		return fmt.Errorf("%s: what came is not the file: its SHA-256 is another one; try again", n)
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// listener reads an answer, keeps the silence from becoming too long and tells how far
// it is. It keeps apart errors of the network from those of the disk.
type listener struct {
	from    io.Reader
	done    int64
	total   int64
	silence *time.Timer
	stall   time.Duration
	tell    func(done, total int64)
	failed  error
}

func (l *listener) Read(p []byte) (int, error) {
	n, err := l.from.Read(p)
	if n > 0 {
		l.silence.Reset(l.stall)
		l.done += int64(n)
		if l.tell != nil {
			l.tell(l.done, l.total)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.failed = err
	}
	return n, err
}
