package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fcnx/fcnx/memtest"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Name{
		"hf:smp-hub/vgg16.imagenet/model.safetensors":     {"smp-hub", "vgg16.imagenet", "main", "model.safetensors"},
		"hf:a/b@v1.0/c.npz":                               {"a", "b", "v1.0", "c.npz"},
		"hf:a/b@main/sub/dir/c.pth":                       {"a", "b", "main", "sub/dir/c.pth"},
		"hf:a/b@" + strings.Repeat("0123", 10) + "/c.pth": {"a", "b", strings.Repeat("0123", 10), "c.pth"},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		again, err := Parse(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	for text, want := range map[string]string{
		"a/b/c":                               "does not name a file on a hub",
		"hf:":                                 "does not name a file on a hub",
		"hf:a/b":                              "does not name a file on a hub",
		"hf:a/b@main":                         "does not name a file on a hub",
		"hf:a/b/":                             "is empty",
		"hf:/b/c":                             "is empty",
		"hf:a/b@/c":                           "is empty",
		"hf:a//c":                             "is empty",
		"hf:a/b/../c":                         `".." begins with a dot`,
		"hf:a/b@.git/c":                       "begins with a dot",
		"hf:a/b/c?x=1":                        "the character '?'",
		"hf:a/b@x@y/c":                        "the character '@'",
		"hf:a/b/c\\d":                         `the character '\\'`,
		"hf:a/b%2f/c":                         "the character '%'",
		"hf:a/b/c d":                          "the character ' '",
		"hf:a/b/" + strings.Repeat("x", 1000): "has 1000 characters",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

func FuzzParse(f *testing.F) {
	memtest.Cap(f)
	f.Add("hf:a/b@main/c/d.pth")
	f.Add("hf:a/b/..")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		again, err := Parse(n.String())
		require.NoError(t, err)
		require.Equal(t, n, again)
		// Below whichever directory it is kept, it stays there.
		require.True(t, filepath.IsLocal(filepath.Join(n.Owner+"--"+n.Repo, n.Revision, n.File)))
	})
}

const commit = "0123456789abcdef0123456789abcdef01234567"

// fakeHub speaks the two requests, with a redirect to another place for the file itself
// as a hub does for large ones.
type fakeHub struct {
	*httptest.Server
	storage *httptest.Server
	content []byte
	token   string // empty: open to everyone
	sha     string // what it says; empty: the right one
	cut     int    // bytes that are really sent; 0: all
	silent  bool   // stalls after the first bytes
	asked   []string
	leaked  string // the token that the storage was sent
}

func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{content: bytes.Repeat([]byte("weights"), 1000)}
	quit := make(chan struct{})
	h.storage = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.leaked = r.Header.Get("Authorization")
		w.Header().Set("Content-Length", fmt.Sprint(len(h.content)))
		if h.cut > 0 {
			_, _ = w.Write(h.content[:h.cut])
			w.(http.Flusher).Flush()
			if h.silent {
				<-quit
			}
			return
		}
		_, _ = w.Write(h.content)
	}))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked = append(h.asked, r.URL.Path)
		if h.token != "" && r.Header.Get("Authorization") != "Bearer "+h.token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		sum := sha256.Sum256(h.content)
		sha := hex.EncodeToString(sum[:])
		if h.sha != "" {
			sha = h.sha
		}
		switch r.URL.Path {
		case "/api/models/fcn/tiny/revision/main", "/api/models/fcn/tiny/revision/" + commit:
			_ = json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": []any{
				map[string]any{"rfilename": "README.md", "size": 3},
				map[string]any{"rfilename": "model.safetensors", "size": len(h.content), "lfs": map[string]any{"sha256": sha}},
			}})
		case "/fcn/tiny/resolve/" + commit + "/model.safetensors":
			// Another name of this machine is another host.
			http.Redirect(w, r, strings.Replace(h.storage.URL, "127.0.0.1", "localhost", 1)+"/blob?signature=secret", http.StatusFound)
		case "/api/models/fcn/busy/revision/main":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/api/models/fcn/page/revision/main":
			_, _ = io.WriteString(w, "<html>")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(h.Server.Close)
	t.Cleanup(h.storage.Close)
	t.Cleanup(func() { close(quit) })
	return h
}

func (h *fakeHub) client(t *testing.T, token string) *Client {
	dir := t.TempDir()
	c, err := FromEnv(func(name string) string {
		return map[string]string{"HF_ENDPOINT": h.URL + "/", "HF_TOKEN": token, "XDG_CACHE_HOME": dir}[name]
	})
	require.NoError(t, err)
	return c
}

func named(t *testing.T, text string) Name {
	n, err := Parse(text)
	require.NoError(t, err)
	return n
}

func TestFetch(t *testing.T) {
	h := newFakeHub(t)
	h.token = "hf_secret"
	c := h.client(t, "hf_secret")
	var done, total int64
	c.Progress = func(d, n int64) { done, total = d, n }
	got, err := c.Fetch(t.Context(), named(t, "hf:fcn/tiny/model.safetensors"))
	require.NoError(t, err)
	require.Equal(t, commit, got.Revision)
	raw, err := os.ReadFile(got.Path)
	require.NoError(t, err)
	require.Equal(t, h.content, raw)
	require.Equal(t, int64(7000), done)
	require.Equal(t, int64(7000), total)
	require.Empty(t, h.leaked, "the token goes to the hub only")

	// A branch is looked up anew, and the file is not fetched again.
	h.asked = nil
	_, err = c.Fetch(t.Context(), named(t, "hf:fcn/tiny/model.safetensors"))
	require.NoError(t, err)
	require.Equal(t, []string{"/api/models/fcn/tiny/revision/main"}, h.asked)

	// A commit needs no hub; a branch says which commit would do.
	h.Server.Close()
	again, err := c.Fetch(t.Context(), named(t, got.Name.String()))
	require.NoError(t, err)
	require.Equal(t, got, again)
	_, err = c.Fetch(t.Context(), named(t, "hf:fcn/tiny/model.safetensors"))
	require.ErrorContains(t, err, "cannot be reached")
	require.ErrorContains(t, err, "hf:fcn/tiny@"+commit+"/model.safetensors is here and needs no network")
}

func TestFetchSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, file, token, want string
		change                  func(*fakeHub)
	}{
		{"no token", "hf:fcn/tiny/model.safetensors", "", "set HF_TOKEN", func(h *fakeHub) { h.token = "t" }},
		{"wrong token", "hf:fcn/tiny/model.safetensors", "x", "is the token valid", func(h *fakeHub) { h.token = "t" }},
		{"no repository", "hf:fcn/none/model.safetensors", "", "has no such repository or revision", nil},
		{"no file", "hf:fcn/tiny/model.bin", "", "it has README.md, model.safetensors", nil},
		{"busy", "hf:fcn/busy/model.bin", "", "answers with status 503: try again later", nil},
		{"not a hub", "hf:fcn/page/model.bin", "", "is HF_ENDPOINT a hub?", nil},
		{"cut off", "hf:fcn/tiny/model.safetensors", "", "broken off after 100 bytes", func(h *fakeHub) { h.cut = 100 }},
		{"silent", "hf:fcn/tiny/model.safetensors", "", "nothing came any more", func(h *fakeHub) { h.cut, h.silent = 100, true }},
		{"another file", "hf:fcn/tiny/model.safetensors", "", "its SHA-256 is another one", func(h *fakeHub) { h.sha = strings.Repeat("0", 64) }},
		{"stopped", "hf:fcn/tiny/model.safetensors", "", "context canceled", func(h *fakeHub) { h.Server.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHub(t)
			if c.change != nil {
				c.change(h)
			}
			client := h.client(t, c.token)
			if c.name == "silent" {
				client.Stall = 50 * time.Millisecond
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.name == "stopped" {
				cancel()
			}
			_, err := client.Fetch(ctx, named(t, c.file))
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "secret", "signed addresses and tokens stay out of messages")
			require.NoError(t, filepath.WalkDir(client.Dir, func(path string, d os.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					t.Errorf("%s was left behind", path)
				}
				return nil
			}))
		})
	}
}

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOME": "/home/a"}, "Set HF_ENDPOINT"},
		{map[string]string{"HF_ENDPOINT": "ftp://hub", "HOME": "/home/a"}, "HF_ENDPOINT is not the address of a hub"},
		{map[string]string{"HF_ENDPOINT": "https://user:secret@hub", "HOME": "/home/a"}, "HF_ENDPOINT is not the address of a hub"},
		{map[string]string{"HF_ENDPOINT": "https://hub"}, "neither HOME nor XDG_CACHE_HOME"},
	} {
		_, err := FromEnv(func(name string) string { return c.env[name] })
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "secret")
	}
	client, err := FromEnv(func(name string) string {
		return map[string]string{"HF_ENDPOINT": "https://hub/", "HOME": "/home/a"}[name]
	})
	require.NoError(t, err)
	require.Equal(t, "https://hub", client.Endpoint)
	require.Equal(t, "/home/a/.cache/fcnx/hub", client.Dir)
}

// The token is for the hub, and not for a host below it that keeps its files, to which
// the standard library would take it along.
func TestRedirectLeavesTheTokenBehind(t *testing.T) {
	ask := func(address, token string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", token)
		return r
	}
	first := ask("https://hub.example/a", "Bearer secret")
	for address, want := range map[string]string{
		"https://hub.example/b":      "Bearer secret",
		"https://cdn.hub.example/b":  "",
		"https://hub.example:8443/b": "",
	} {
		next := ask(address, "Bearer secret")
		require.NoError(t, checkRedirect(next, []*http.Request{first}))
		require.Equal(t, want, next.Header.Get("Authorization"), address)
	}
	require.ErrorContains(t, checkRedirect(ask("http://hub.example/b", ""), []*http.Request{first}), "unencrypted")
}

func TestTokenIsNotSentUnencrypted(t *testing.T) {
	env := func(endpoint, token string) func(string) string {
		return func(key string) string {
			return map[string]string{"HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HOME": "/home/x"}[key]
		}
	}
	_, err := FromEnv(env("http://hub.example", "secret"))
	require.EqualError(t, err, "HF_TOKEN would travel to hub.example unencrypted: begin HF_ENDPOINT with https://, or leave HF_TOKEN out")
	for _, good := range [][2]string{{"https://hub.example", "secret"}, {"http://hub.example", ""}, {"http://127.0.0.1:8080", "secret"}, {"http://localhost", "secret"}, {"http://[::1]:1", "secret"}} {
		_, err := FromEnv(env(good[0], good[1]))
		require.NoError(t, err, good)
	}
}

// Whatever a hub answers, the commit is one that can be a directory's name.
func FuzzDescription(f *testing.F) {
	memtest.Cap(f)
	f.Add([]byte(`{"sha":"` + commit + `","siblings":[{"rfilename":"a.pth","size":3,"lfs":{"sha256":"00"}},{"rfilename":"\u001b[2J"}]}`))
	f.Add([]byte(`{"sha":"` + commit + `","siblings":[{"rfilename":"../b"},{"rfilename":"c","size":-1e3}]}`))
	f.Add([]byte(`{"sha":"../..","siblings":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var got string
		var want file
		var ok bool
		var err error
		memtest.Bound{Any: 64 << 10, PerByte: 128}.Within(t, len(text), func() {
			got, want, ok, err = parseDescription(text, Name{"a", "b", "main", "a.pth"})
		})
		switch {
		case !ok:
			require.NoError(t, err)
		case err != nil:
			require.NotContains(t, err.Error(), "\x1b")
			require.NotContains(t, err.Error(), "\n")
		default:
			require.Regexp(t, `^[0-9a-f]{40}$`, got)
			require.Equal(t, "a.pth", want.Name)
		}
	})
}
