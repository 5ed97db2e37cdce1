package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The ways to move a directory.
const (
	moveOver  = iota // as rename(2): only an empty directory is replaced
	moveNew          // nothing may be at the new place
	moveTwice        // the two change places in one step; errors.ErrUnsupported where the file system cannot
)

// parkedName is where, inside a private directory, the earlier run stands while the
// new one is put into its place on a file system that cannot exchange the two.
const parkedName = "run.old"

// place makes the run appear under its name, in place of what is there, and says how
// to take that back.
func (d *Dir) place() (undo func() error, err error) {
	run, parked := d.run(), filepath.Join(d.private, parkedName)
	if _, err := os.Lstat(d.path); errors.Is(err, fs.ErrNotExist) {
		return func() error { return d.move(d.path, run, moveOver) }, d.move(run, d.path, moveNew)
	}
	if err = d.move(run, d.path, moveTwice); !errors.Is(err, errors.ErrUnsupported) {
		return func() error { return d.move(run, d.path, moveTwice) }, err
	}
	// NFS, SMB and some FUSE file systems. Between the two renames there is no run
	// under the name, but never a mixed one: whoever is killed there leaves the
	// earlier run parked, and the next to come puts it back.
	if err := d.move(d.path, parked, moveOver); err != nil {
		return nil, err
	}
	if err := d.move(run, d.path, moveOver); err != nil {
		return nil, errors.Join(err, d.putBack(d.private))
	}
	return func() error {
		if err := d.move(d.path, run, moveOver); err != nil {
			return err
		}
		return d.move(parked, d.path, moveOver)
	}, nil
}

// putBack puts the run that is parked in a private directory, if one is, back under
// its name, unless a run stands there. After an error private may not be removed.
func (d *Dir) putBack(private string) error {
	parked := filepath.Join(private, parkedName)
	if _, err := os.Lstat(parked); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(d.path, d.account)); err == nil {
		return nil // the new one stands
	}
	if err := d.move(parked, d.path, moveOver); err != nil {
		return fmt.Errorf("the earlier run is in %s and cannot be put back: %w; rename it to %s", parked, withoutPath(err), d.path)
	}
	return nil
}

// clear puts back what a killed run had parked, and removes the rest of it. The lock
// is held: whatever private directory is there belongs to a dead run.
func (d *Dir) clear(parent, prefix string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return nil // a folder that can be written to but not read
	}
	var dead []string
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), prefix); ok && e.IsDir() && n != "" && n[0] >= '0' && n[0] <= '9' {
			dead = append(dead, filepath.Join(parent, e.Name()))
		}
	}
	for _, private := range dead {
		if err := d.putBack(private); err != nil {
			return err
		}
	}
	for _, private := range dead {
		if err := os.RemoveAll(private); err != nil {
			return fmt.Errorf("cannot remove what a broken run left: %w", err)
		}
	}
	return nil
}

// withoutPath takes the private names, for which nobody asked, out of an error.
func withoutPath(err error) error {
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
