package export

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// move moves a directory.
func move(from, to string, how int) error {
	flags := uint(0)
	switch how {
	case moveNew:
		flags = unix.RENAME_NOREPLACE
	case moveTwice:
		flags = unix.RENAME_EXCHANGE
	default:
		return os.Rename(from, to)
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags)
	// What file systems without flags answer (rename(2): EINVAL), and what kernels and
	// FUSE servers without the call do.
	if err != unix.EINVAL && err != unix.ENOSYS && err != unix.EOPNOTSUPP {
		return err
	}
	if how == moveTwice {
		return errors.ErrUnsupported
	}
	return os.Rename(from, to)
}

// mountPoint says whether something is mounted at a directory: it cannot be renamed then.
func mountPoint(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes_mask&st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
