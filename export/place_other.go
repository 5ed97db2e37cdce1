//go:build !linux

package export

import (
	"errors"
	"io/fs"
	"os"
)

func place(from, to string) (exchanged bool, err error) {
	if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
		return false, os.Rename(from, to)
	}
	return placeTwice(from, to)
}

func unplace(from, to string, exchanged bool) error {
	if exchanged {
		_, err := placeTwice(from, to)
		return err
	}
	return os.Rename(to, from)
}
