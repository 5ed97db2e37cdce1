package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-email/winnow/internal/files"
)

// Secret is a key or token. Nothing that prints or encodes shows it.
type Secret struct{ s string }

func (s Secret) String() string { return "***" }

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return "***" }

// Format keeps every verb of fmt from showing it.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// MarshalText keeps encoders from showing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Keys are the credentials of one account. What was taken from them is hidden in
// everything that a Client says.
type Keys struct {
	look func(name string) string
	mask masker
}

// NewKeys takes keys from look, by the names of environment variables.
func NewKeys(look func(name string) string) *Keys {
	return &Keys{look: look}
}

// NoKeyError says which credentials are missing.
type NoKeyError struct{ Names []string }

func (e *NoKeyError) Error() string {
	return "no credentials: set " + strings.Join(e.Names, " and ") + " in the environment, or name a private file with --key-file"
}

// Need returns the secrets of those names. When some are not there the error is a
// *NoKeyError.
func (k *Keys) Need(names ...string) ([]Secret, error) {
	all := make([]Secret, len(names))
	var missing []string
	for i, name := range names {
		if all[i] = k.Optional(name); all[i].s == "" {
			missing = append(missing, name)
		} else if strings.ContainsAny(all[i].s, "\r\n\x00") {
			return nil, fmt.Errorf("%s holds more than one line", name)
		}
	}
	if missing != nil {
		return nil, &NoKeyError{missing}
	}
	return all, nil
}

// Optional returns the secret of a name, which may be empty.
func (k *Keys) Optional(name string) Secret {
	s := k.look(name)
	k.mask.add(s)
	if _, token, ok := strings.Cut(s, ":"); ok { // user:token
		k.mask.add(token)
	}
	return Secret{s}
}

// Setting returns what belongs to the account and is no secret, as its Region.
func (k *Keys) Setting(name string) string { return k.look(name) }

// FromFile returns a source for NewKeys: first the lines NAME=value of a private
// file, then getenv. A file with nothing but a key gives that key to the first
// name that is asked for; without a file there is getenv only.
func FromFile(ctx context.Context, file string, getenv func(string) string) (func(name string) string, error) {
	if file == "" {
		return getenv, nil
	}
	b, err := files.ReadSecret(ctx, file)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, fmt.Errorf("%s is empty", file)
	}
	named, bare := map[string]string{}, ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if ok && name != "" && strings.ToUpper(name) == name && !strings.ContainsAny(name, " -.:/+") {
			named[name] = strings.Trim(value, `"'`)
		} else if bare == "" {
			bare = line
		}
	}
	first := ""
	return func(name string) string {
		if v, ok := named[name]; ok {
			return v
		}
		if first == "" {
			first = name
		}
		if name == first && bare != "" {
			return bare
		}
		return getenv(name)
	}, nil
}
