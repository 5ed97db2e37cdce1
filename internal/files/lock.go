package files

import (
	"errors"
	"fmt"
	"os"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("locked")

// Lock keeps other processes away until the function that it returns is called
// or the process ends, however it ends. It creates the file at path for it, and
// the function removes it. While another holds the lock the error is ErrLocked.
func Lock(path string) (unlock func() error, err error) {
	for {
		l := flock.New(path, flock.SetPermissions(0o600))
		ok, err := l.TryLock()
		if err != nil {
			return nil, fmt.Errorf("cannot lock %s: %w", path, Plain(err))
		}
		if !ok {
			return nil, ErrLocked
		}
		// The holder before us may have removed the file after we opened it: then
		// our lock is on a file that nobody else can find.
		mine, err := l.Stat()
		there, lerr := os.Lstat(path)
		switch {
		case err == nil && lerr == nil && os.SameFile(mine, there):
			return func() error { return errors.Join(os.Remove(path), l.Close()) }, nil
		case lerr == nil && !there.Mode().IsRegular():
			l.Close()
			return nil, fmt.Errorf("cannot lock %s: it is not a regular file", path)
		}
		l.Close()
	}
}

// LockFile is Lock on a file that is there and stays.
func LockFile(path string) (unlock func() error, err error) {
	l := flock.New(path, flock.SetFlag(os.O_RDONLY))
	switch ok, err := l.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("cannot lock %s: %w", path, Plain(err))
	case !ok:
		return nil, ErrLocked
	}
	return l.Close, nil
}
