//go:build !unix

package export

import (
	"errors"
	"io/fs"
	"os"
)

var errLocked = errors.New("locked")

// lockFile creates the file at path, which must not exist. A run that was
// killed leaves it behind, and a person has to remove it.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errLocked
	}
	return f, err
}

func unlockFile(f *os.File) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(f.Name())
}
