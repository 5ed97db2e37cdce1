package esp

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// exchange renames tmp to dir; a directory that is there takes tmp's name, to
// be removed, so that at no moment there is none.
func exchange(tmp, dir string) error {
	if _, err := os.Lstat(dir); err != nil {
		return os.Rename(tmp, dir)
	}
	err := unix.Renameat2(unix.AT_FDCWD, tmp, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without it
		return swap(tmp, dir)
	}
	return err
}
