//go:build !linux

package esp

import "os"

func exchange(tmp, dir string) error {
	if _, err := os.Lstat(dir); err != nil {
		return os.Rename(tmp, dir)
	}
	return swap(tmp, dir)
}
