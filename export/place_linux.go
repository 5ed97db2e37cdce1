package export

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// place makes the directory from appear as to in one step of the file system.
// Where there was one, the two change places (exchanged).
func place(from, to string) (exchanged bool, err error) {
	if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
		err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if err == unix.EINVAL || err == unix.ENOSYS { // a file system without flags
			err = os.Rename(from, to)
		}
		return false, err
	}
	err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		return placeTwice(from, to)
	}
	return err == nil, err
}

// unplace undoes place.
func unplace(from, to string, exchanged bool) error {
	if exchanged {
		return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	}
	return os.Rename(to, from)
}
