package train

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// KeyError is what is wrong with one key.
type KeyError struct {
	Key    string // "train.batch"
	Origin string // where its value was given: "a.toml:3:1", "FCNX_TRAIN_BATCH", "--batch", "--set"; or ""
	Err    error
}

func (e *KeyError) Error() string {
	text := e.Err.Error()
	if e.Key != "" {
		text = shown(e.Key) + ": " + text
	}
	if e.Origin != "" {
		text = e.Origin + ": " + text
	}
	return text
}

func (e *KeyError) Unwrap() error { return e.Err }

// shown is a key as it can be printed: TOML allows quoted keys, and with them
// characters that move a terminal's cursor.
func shown(key string) string {
	if len(key) > 80 || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return describe(key)
	}
	return key
}

// Origins says where the value of a key was given. Keys that have their default
// are not in it.
type Origins map[string]string

// Explain adds to the errors of [Config.Validate] where the values were given.
func (o Origins) Explain(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var explained []error
		for _, e := range joined.Unwrap() {
			explained = append(explained, o.Explain(e))
		}
		return errors.Join(explained...)
	}
	var key *KeyError
	if errors.As(err, &key) && key.Origin == "" {
		return &KeyError{key.Key, o[key.Key], key.Err}
	}
	return err
}

// noSuchKey is the error for a key that is none.
func noSuchKey(key, origin string) error {
	return &KeyError{key, origin, errors.New("no such key" + didYouMean(nearestKeys(key)...))}
}

// didYouMean ends a message with what may have been meant.
func didYouMean(names ...string) string {
	if len(names) == 0 || names[0] == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(names, " or "))
}
