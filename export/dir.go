package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

// Dir is a run directory that is being written. Nothing of it can be seen
// under its name until Commit, which makes all of it appear at once, in place
// of the run that was there before.
//
// Beside the directory DIR stand, while the run lasts, a lock file
// .DIR.winnow-lock and a private directory .DIR.winnow-N. Both go at the end.
// What a killed run left is removed when the next one starts.
type Dir struct {
	placement
	name   string // as the user named it, for messages
	unlock func() error
	files  []*File
	done   bool
}

// Create starts a run directory at path. It refuses a path that is not empty
// and was not made by winnow, one that holds a file winnow did not write, one
// that another run is writing, and one that holds one of the inputs.
func Create(path string, inputs ...string) (*Dir, error) {
	return CreateAs(path, summary.Name, inputs...)
}

// CreateAs is Create for a directory of another kind: it is known by the file
// account, an object with a schema_version and its files as outputs, which
// CommitAs writes.
func CreateAs(path, account string, inputs ...string) (*Dir, error) {
	d := &Dir{name: path, placement: placement{account: account, move: move}}
	if err := d.create(inputs); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Dir) create(inputs []string) error {
	path := d.name
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	} else if real, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(real, filepath.Base(abs))
	}
	d.path = abs
	parent, base := filepath.Split(abs)
	if base == "" {
		return fmt.Errorf("cannot write the run to %s: give it a folder of its own", path)
	}
	switch st, err := os.Stat(parent); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot write the run to %s: the folder %s does not exist", path, filepath.Clean(parent))
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("cannot write the run to %s: %s is not a folder", path, filepath.Clean(parent))
	}
	if up := files.RunAbove(abs); up != "" {
		return fmt.Errorf("%s would lie in the run folder %s, which stays as its run wrote it: write beside it", path, up)
	}
	if err := d.checkInputs(inputs); err != nil {
		return err
	}
	if err := d.checkTarget(); err != nil {
		return err
	}
	d.unlock, err = files.Lock(filepath.Join(parent, "."+base+".winnow-lock"))
	if err == files.ErrLocked {
		return fmt.Errorf("another run is writing %s: wait for it to end, or write to another folder", path)
	}
	if err != nil {
		return err
	}
	if err := d.clear(parent, "."+base+".winnow-"); err != nil {
		return err
	}
	d.private, err = os.MkdirTemp(parent, "."+base+".winnow-*") // mode 0700
	if err == nil {
		err = os.Mkdir(d.run(), 0o700)
	}
	if err == nil {
		err = os.Mkdir(d.Temp(), 0o700)
	}
	if err != nil {
		return fmt.Errorf("cannot write the run to %s: %w", path, withoutPath(err))
	}
	return nil
}

// Temp returns a private folder on the disk of the run directory for what has
// to be kept while the run lasts. It is removed at the end.
func (d *Dir) Temp() string { return filepath.Join(d.private, "tmp") }

// Earlier returns the summary of the run that stands there until Commit; nil when there
// is none.
func (d *Dir) Earlier() *summary.Summary {
	s, err := summary.Read(d.path)
	if err != nil {
		return nil
	}
	return s
}

// checkInputs refuses an output that is, or holds, an input.
func (d *Dir) checkInputs(inputs []string) error {
	for _, in := range inputs {
		if in == "-" || in == "" {
			continue
		}
		abs, err := filepath.Abs(in)
		if err != nil {
			return err
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		if abs == d.path {
			return fmt.Errorf("the output %s is also an input: give the run a folder of its own", d.name)
		}
		if rel, err := filepath.Rel(d.path, abs); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("the input %s lies in the output folder %s, which the run would replace: write to another folder", in, d.name)
		}
	}
	return nil
}

// checkTarget returns nil when nothing, an empty folder, or a run of winnow
// and nothing else is at d.path.
func (d *Dir) checkTarget() error {
	st, err := os.Lstat(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("cannot write the run to %s: there is a file of that name", d.name)
	}
	if mountPoint(d.path) {
		return fmt.Errorf("cannot write the run to %s: a disk or volume is mounted there, and a run replaces its folder as a whole; write to a folder in it, as %s", d.name, filepath.Join(d.name, "run"))
	}
	var have []string
	err = filepath.WalkDir(d.path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(d.path, p)
		if err == nil && p != d.path {
			have = append(have, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot look into %s: %w", d.name, err)
	}
	if len(have) == 0 {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(d.path, d.account))
	if errors.Is(err, fs.ErrNotExist) {
		kind := "a run"
		if d.account != summary.Name {
			kind = "an export"
		}
		return fmt.Errorf("%s is not empty and not %s of winnow: choose a new folder", d.name, kind)
	}
	if err != nil {
		return err
	}
	var s struct {
		SchemaVersion int                  `json:"schema_version"`
		Outputs       []summary.OutputFile `json:"outputs"`
	}
	if err := json.Unmarshal(b, &s); err != nil || s.SchemaVersion == 0 {
		return fmt.Errorf("%s holds a %s that is not winnow's: choose a new folder", d.name, d.account)
	}
	ours := map[string]bool{d.account: true}
	for _, o := range s.Outputs {
		for name := o.Name; name != "."; name = path.Dir(name) { // and the folders it lies in
			ours[name] = true
		}
	}
	for _, h := range have {
		if !ours[h] {
			return fmt.Errorf("%s holds %s, which winnow did not write and would delete: move it, or choose a new folder", d.name, h)
		}
	}
	return nil
}

// File creates a file of the run. name may have a folder, with a slash.
func (d *Dir) File(name string) (*File, error) {
	p := filepath.Join(d.run(), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return nil, d.writeError(name, err)
	}
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, d.writeError(name, err)
	}
	w := &File{dir: d, name: name, f: f, sum: sha256.New()}
	w.buf = bufio.NewWriterSize(f, 1<<15) // for a report's many small pieces; the chunks of a list pass it by
	d.files = append(d.files, w)
	return w, nil
}

// Open opens a file of the run that is closed, for reading it.
func (d *Dir) Open(name string) (*os.File, error) {
	return os.Open(filepath.Join(d.run(), filepath.FromSlash(name)))
}

func (d *Dir) writeError(name string, err error) error {
	// The path is that of the private directory, which tells nothing.
	return fmt.Errorf("writing %s: %w; nothing was changed", filepath.Join(d.name, filepath.FromSlash(name)), withoutPath(err))
}

// Outputs closes the files written so far and says what they are, by name.
func (d *Dir) Outputs() ([]summary.OutputFile, error) {
	out := make([]summary.OutputFile, 0, len(d.files))
	for _, f := range d.files {
		if err := f.Close(); err != nil {
			return nil, err
		}
		out = append(out, summary.OutputFile{Name: f.name, Bytes: f.bytes, SHA256: hex.EncodeToString(f.sum.Sum(nil)), Records: f.Records})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Commit closes and syncs the files, fills s.Outputs, writes s as summary.json
// and makes the run directory appear. After an error the old run stands as it was.
func (d *Dir) Commit(s *summary.Summary) error {
	var err error
	if s.Outputs, err = d.Outputs(); err != nil {
		return err
	}
	s.SchemaVersion = summary.SchemaVersion
	b, err := s.Encode()
	if err != nil {
		return err
	}
	return d.CommitAs(b)
}

// CommitAs closes and syncs the files, writes the account of the directory and
// makes it appear. After an error what was there stands as it was.
func (d *Dir) CommitAs(account []byte) error {
	if _, err := d.Outputs(); err != nil {
		return err
	}
	f, err := d.File(d.account)
	if err != nil {
		return err
	}
	if _, err := f.Write(account); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := syncTree(d.run()); err != nil {
		return d.writeError("", err)
	}
	if err := d.checkTarget(); err != nil { // a second time: a run can take an hour
		return err
	}
	undo, err := d.place()
	if err != nil {
		return d.writeError("", err)
	}
	if err := syncDir(filepath.Dir(d.path)); err != nil {
		// It cannot be said what is on the disk. Go back, so that what is seen is
		// what the exit code says.
		return errors.Join(d.writeError("", err), undo())
	}
	d.done = true
	return nil
}

// Close ends the run directory: without a Commit before it, nothing has
// happened. It may be called twice.
func (d *Dir) Close() error {
	var errs []error
	for _, f := range d.files {
		if f.f != nil {
			f.f.Close() // of a file that is removed below: its error changes nothing
			f.f = nil
		}
	}
	if d.private != "" {
		if err := d.putBack(d.private); err != nil {
			errs = append(errs, err)
		} else if err := os.RemoveAll(d.private); err != nil && !d.done {
			errs = append(errs, fmt.Errorf("removing what was not finished: %w", err))
		} // after a Commit the next run removes it
		d.private = ""
	}
	if d.unlock != nil {
		if err := d.unlock(); err != nil && !d.done {
			errs = append(errs, err)
		}
		d.unlock = nil
	}
	return errors.Join(errs...)
}

// File is one file of a run directory.
type File struct {
	Records int64 // kept by the writer, for the summary
	dir     *Dir
	name    string
	f       *os.File
	buf     *bufio.Writer
	bytes   int64
	sum     hash.Hash
}

// Write appends p to the file.
func (f *File) Write(p []byte) (int, error) {
	if f.buf == nil {
		return 0, f.dir.writeError(f.name, fs.ErrClosed)
	}
	n, err := f.buf.Write(p)
	if err != nil {
		return n, f.dir.writeError(f.name, err)
	}
	f.bytes += int64(n)
	f.sum.Write(p)
	return n, nil
}

// Close syncs and closes the file. Commit does it too; a run with many files
// closes each when it is complete.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.buf.Flush()
	if serr := f.f.Sync(); err == nil {
		err = serr
	}
	if cerr := f.f.Close(); err == nil {
		err = cerr
	}
	f.f, f.buf = nil, nil // a run may have thousands of files
	if err != nil {
		return f.dir.writeError(f.name, err)
	}
	return nil
}

// syncTree syncs root and the folders below it.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(p)
	})
}

func syncDir(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that does not sync folders (fsync(2))
		err = nil
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
