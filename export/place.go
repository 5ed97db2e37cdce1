package export

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// parkedName is where, inside a private directory, the earlier run stands while the
// new one is put into its place on a file system that cannot exchange the two.
const parkedName = "run.old"

// placement is where a run directory is written, and where it appears.
type placement struct {
	path    string // absolute, symbolic links resolved
	account string // the file by which the directory is known
	private string // .DIR.winnow-N
	move    func(from, to string, how int) error
}

func (p *placement) run() string { return filepath.Join(p.private, "run") }

// place makes the run appear under its name, in place of what is there, and says how
// to take that back.
func (p *placement) place() (undo func() error, err error) {
	run, parked := p.run(), filepath.Join(p.private, parkedName)
	if _, err := os.Lstat(p.path); errors.Is(err, fs.ErrNotExist) {
		return func() error { return p.move(p.path, run, moveOver) }, p.move(run, p.path, moveNew)
	}
	if err = p.move(run, p.path, moveTwice); !errors.Is(err, errors.ErrUnsupported) {
		return func() error { return p.move(run, p.path, moveTwice) }, err
	}
	// NFS, SMB and some FUSE file systems. Between the two renames there is no run
	// under the name, but never a mixed one: whoever is killed there leaves the
	// earlier run parked, and the next to come puts it back.
	if err := p.move(p.path, parked, moveOver); err != nil {
		return nil, err
	}
	if err := p.move(run, p.path, moveOver); err != nil {
		return nil, errors.Join(err, p.putBack(p.private))
	}
	return func() error {
		if err := p.move(p.path, run, moveOver); err != nil {
			return err
		}
		return p.move(parked, p.path, moveOver)
	}, nil
}

// putBack puts the run that is parked in a private directory, if one is, back under
// its name, unless a run stands there. After an error private may not be removed.
func (p *placement) putBack(private string) error {
	parked := filepath.Join(private, parkedName)
	if _, err := os.Lstat(parked); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(p.path, p.account)); err == nil {
		return nil // the new one stands
	}
	if err := p.move(parked, p.path, moveOver); err != nil {
		return fmt.Errorf("the earlier run is in %s and cannot be put back: %w; rename it to %s", parked, withoutPath(err), p.path)
	}
	return nil
}

// clear puts back what a killed run had parked, and removes the rest of it. The lock
// is held: whatever private directory is there belongs to a dead run.
func (p *placement) clear(parent, prefix string) error {
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
		if err := p.putBack(private); err != nil {
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
