package export

import "os"

// placeTwice exchanges two directories where the file system cannot do it in
// one step: between its renames there is no run directory, but never a mixed
// one. What was there is at from afterwards.
func placeTwice(from, to string) (exchanged bool, err error) {
	aside := from + ".old"
	if err := os.Rename(to, aside); err != nil {
		return false, err
	}
	if err := os.Rename(from, to); err != nil {
		if back := os.Rename(aside, to); back != nil {
			return false, back
		}
		return false, err
	}
	return true, os.Rename(aside, from)
}
