package esp

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is a key or token. Nothing that prints or encodes shows it.
type Secret struct{ s string }

// NewSecret wraps a key.
func NewSecret(s string) Secret { return Secret{s} }

func (s Secret) String() string { return "***" }

// GoString keeps %#v from showing it.
func (s Secret) GoString() string { return "***" }

// Format keeps every verb of fmt from showing it.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// MarshalText keeps encoders from showing it.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// readKeyFile reads a key from a file that only its owner can read, without
// white space at its ends.
func readKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Mode().IsRegular() && fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o); chmod 600 %s", path, fi.Mode().Perm(), path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return b, nil
}

// Keys looks up keys by the names of environment variables: in the private file
// when it has lines NAME=value, then in the environment. A file with nothing
// but a key gives that key to the first name that is asked for.
func Keys(file string, getenv func(string) string) (func(name string) Secret, error) {
	if file == "" {
		return func(name string) Secret { return Secret{getenv(name)} }, nil
	}
	b, err := readKeyFile(file)
	if err != nil {
		return nil, err
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
	return func(name string) Secret {
		if v, ok := named[name]; ok {
			return Secret{v}
		}
		if first == "" {
			first = name
		}
		if name == first && bare != "" {
			return Secret{bare}
		}
		return Secret{getenv(name)}
	}, nil
}
