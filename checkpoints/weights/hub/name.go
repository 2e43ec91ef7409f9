// Package hub fetches files of weights from a model hub that speaks Hugging Face's
// protocol, and keeps them.
package hub

import (
	"errors"
	"fmt"
	"strings"
)

// Scheme is what names of files on a hub begin with.
const Scheme = "hf:"

// Name is a file of a repository on a hub.
type Name struct {
	Owner, Repo string
	Revision    string // a branch, a tag or a commit
	File        string // its path in the repository, with slashes
}

// mainRevision is the branch that is meant where none is said.
const mainRevision = "main"

// longest is the number of bytes that one part of a name may have.
const longest = 200

// Parse reads hf:owner/repo@revision/file. Without @revision the branch main is meant.
// Every part is made of letters, digits, dots, dashes and underscores and does not begin
// with a dot; file may have directories.
func Parse(text string) (Name, error) {
	rest, ok := strings.CutPrefix(text, Scheme)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 3 {
		return Name{}, fmt.Errorf("%.200q does not name a file on a hub; hf:owner/repo/file or hf:owner/repo@revision/file does", text)
	}
	repo, revision, said := strings.Cut(parts[1], "@")
	if !said {
		revision = mainRevision
	}
	for _, part := range append([]string{parts[0], repo, revision}, parts[2:]...) {
		if err := checkPart(part); err != nil {
			return Name{}, fmt.Errorf("%.200q: %w", text, err)
		}
	}
	return Name{parts[0], repo, revision, strings.Join(parts[2:], "/")}, nil
}

// checkPart lets through what is safe in a URL and as the name of a file.
func checkPart(part string) error {
	switch {
	case part == "":
		return errors.New("a part of the name is empty; hf:owner/repo@revision/file is meant")
	case len(part) > longest:
		return fmt.Errorf("a part of the name has %d characters, more than %d", len(part), longest)
	case part[0] == '.':
		return fmt.Errorf("%q begins with a dot", part)
	}
	for _, r := range part {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return fmt.Errorf("%q has the character %q; letters, digits, dots, dashes and underscores are possible", part, r)
		}
	}
	return nil
}

// String is the name as [Parse] reads it.
func (n Name) String() string {
	return Scheme + n.Owner + "/" + n.Repo + "@" + n.Revision + "/" + n.File
}

// isCommit tells whether the revision can never mean another state of the repository.
func isCommit(revision string) bool {
	return len(revision) == 40 && strings.Trim(revision, "0123456789abcdef") == ""
}
