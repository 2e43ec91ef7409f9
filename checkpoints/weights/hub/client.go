package hub

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Client fetches files from one hub.
type Client struct {
	Endpoint string // https://HOST, without a slash at the end
	Token    string // may be empty
	Dir      string // where files are kept
	HTTP     *http.Client
	Stall    time.Duration // a download that brings nothing for so long is given up
	// Progress hears of a download from time to time; total is -1 where it is not known.
	// It may be nil.
	Progress func(done, total int64)
}

// The times after which a silent hub is given up.
const (
	dialTimeout   = 20 * time.Second
	answerTimeout = 60 * time.Second
)

// FromEnv makes a client of the variables that the hub's own library reads: HF_ENDPOINT
// says which hub, HF_TOKEN who asks. The token comes from nowhere else. Files are kept
// below XDG_CACHE_HOME or ~/.cache, in fcnx/hub.
func FromEnv(getenv func(string) string) (*Client, error) {
	endpoint := strings.TrimRight(getenv("HF_ENDPOINT"), "/")
	if endpoint == "" {
		return nil, errors.New("which hub is meant? Set HF_ENDPOINT to its address, https://HOST")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("HF_ENDPOINT is not the address of a hub, such as https://HOST")
	}
	token := strings.TrimSpace(getenv("HF_TOKEN"))
	if token != "" && u.Scheme == "http" && !isThisMachine(u.Hostname()) {
		return nil, fmt.Errorf("HF_TOKEN would travel to %s unencrypted: begin HF_ENDPOINT with https://, or leave HF_TOKEN out", u.Host)
	}
	cache := getenv("XDG_CACHE_HOME")
	if cache == "" {
		home := getenv("HOME")
		if home == "" {
			return nil, errors.New("there is no place to keep files of a hub: neither HOME nor XDG_CACHE_HOME is set")
		}
		cache = filepath.Join(home, ".cache")
	}
	return &Client{
		Endpoint: endpoint,
		Token:    token,
		Dir:      filepath.Join(cache, "fcnx", "hub"),
		HTTP: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSHandshakeTimeout:   dialTimeout,
				ResponseHeaderTimeout: answerTimeout,
				ForceAttemptHTTP2:     true,
			},
			CheckRedirect: checkRedirect,
		},
		Stall: answerTimeout,
	}, nil
}

func isThisMachine(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// checkRedirect follows the hub to wherever it keeps large files. The standard library
// leaves the token behind when the host changes, but not for hosts below the hub's own
// (cdn.HOST), and the token is for the hub alone. What was encrypted must stay so.
func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("it redirects in circles")
	}
	if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return errors.New("it redirects to an unencrypted address")
	}
	if request.URL.Host != via[0].URL.Host {
		request.Header.Del("Authorization")
	}
	return nil
}

// host names the hub in messages.
func (c *Client) host() string {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return c.Endpoint
	}
	return u.Host
}

// repoDir is where the files of a repository are kept, each below its commit.
func (c *Client) repoDir(n Name) string { return filepath.Join(c.Dir, n.Owner+"--"+n.Repo) }

func (c *Client) cached(n Name, commit string) string {
	return filepath.Join(c.repoDir(n), commit, filepath.FromSlash(n.File))
}

// kept lists the commits of which the file is here, as names that need no hub.
func (c *Client) kept(n Name) []string {
	entries, err := os.ReadDir(c.repoDir(n))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		if _, err := os.Stat(c.cached(n, entry.Name())); isCommit(entry.Name()) && err == nil {
			n.Revision = entry.Name()
			names = append(names, n.String())
		}
	}
	return names
}

// unreachable is the error of a hub that did not answer.
func (c *Client) unreachable(n Name, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address of a redirect may carry a secret
	}
	if kept := c.kept(n); len(kept) > 0 {
		return fmt.Errorf("%s: %s cannot be reached (%w); %s is here and needs no network", n, c.host(), err, strings.Join(kept, " or "))
	}
	return fmt.Errorf("%s: %s cannot be reached: %w", n, c.host(), err)
}

// refused is the error of a hub that answered otherwise.
func (c *Client) refused(n Name, status int) error {
	where := fmt.Sprintf("%s: %s", n, c.host())
	switch {
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && c.Token == "":
		return fmt.Errorf("%s does not show it to strangers: set HF_TOKEN to a token that may read it, and see that owner and repository are spelt right", where)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%s does not show it to the owner of HF_TOKEN: is the token valid, and was access asked for on the repository's page?", where)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s has no such repository or revision", where)
	case status == http.StatusTooManyRequests || status >= 500:
		return fmt.Errorf("%s answers with status %d: try again later", where, status)
	}
	return fmt.Errorf("%s answers with status %d", where, status)
}
