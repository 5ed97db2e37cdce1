package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Whole is a private file (mode 0600) that appears under its name when it is
// complete: until Commit there is only a temporary file beside it.
type Whole struct {
	*os.File
	path string
}

// Create begins the file at path. A program may replace only what it made: a file
// that is there is replaced only when it is empty or begins with own, the first
// bytes of what winnow writes there; with an empty own nothing is replaced. Nor is
// one of the inputs ever replaced, whatever is in it, or anything in a run folder.
func Create(path, own string, inputs ...string) (*Whole, error) {
	if err := MayReplace(path, own, inputs...); err != nil {
		return nil, err
	}
	return Replace(path)
}

// Replace is Create in a folder that is winnow's own, where whatever stands at path
// is an earlier state of the same thing.
func Replace(path string) (*Whole, error) {
	base := filepath.Base(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+base[:min(len(base), 200)]+".*") // O_EXCL, 0600; a name has 255 bytes
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, Plain(err)) // not the temporary name, for which nobody asked
	}
	return &Whole{f, path}, nil
}

// Finish writes content and commits.
func (w *Whole) Finish(content []byte) error {
	if _, err := w.Write(content); err != nil {
		w.Abandon()
		return fmt.Errorf("cannot write %s: %w", w.path, Plain(err))
	}
	return w.Commit()
}

// Write writes content to the file at path, under the rules of Create.
func Write(path, own string, content []byte, inputs ...string) error {
	w, err := Create(path, own, inputs...)
	if err != nil {
		return err
	}
	return w.Finish(content)
}

// MayReplace returns the error that Create would, for a caller that writes later.
func MayReplace(path, own string, inputs ...string) error {
	if err := NotAny(path, inputs); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("cannot write %s: the folder %s does not exist", path, dir)
		}
	case err != nil:
		return fmt.Errorf("cannot write %s: %w", path, Plain(err))
	case st.IsDir():
		return fmt.Errorf("cannot write %s: it is a folder", path)
	case !st.Mode().IsRegular():
		return fmt.Errorf("cannot write %s: it is a link or a device, not a regular file; name the file itself", path)
	default:
		if err := begins(path, own); err != nil {
			return err
		}
	}
	if run := RunAbove(path); run != "" {
		return fmt.Errorf("%s would lie in the run folder %s, which stays as its run wrote it: write beside it", path, run)
	}
	return nil
}

// NotAny returns an error when path is one of the inputs, by any name.
func NotAny(path string, inputs []string) error {
	for _, in := range inputs {
		if in != "" && in != "-" && Same(path, in) {
			return fmt.Errorf("%s is read too, and would be replaced: name another file to write", path)
		}
	}
	return nil
}

// begins returns an error unless the file at path is empty or begins with own.
func begins(path, own string) error {
	if own != "" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", path, Plain(err))
		}
		defer f.Close() // only read
		head := make([]byte, len(own))
		n, err := io.ReadFull(f, head)
		if err == io.EOF && n == 0 || err == nil && string(head) == own {
			return nil
		}
	}
	return fmt.Errorf("%s is there already, and winnow did not write it: name another file, or remove it first", path)
}

// RunAbove returns the run folder that path would lie in, or "".
func RunAbove(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for up := filepath.Dir(abs); ; up = filepath.Dir(up) {
		if st, err := os.Stat(filepath.Join(up, RunMark)); err == nil && st.Mode().IsRegular() {
			return up
		}
		if up == filepath.Dir(up) {
			return ""
		}
	}
}

// Commit makes the file appear, or removes what there is of it.
func (w *Whole) Commit() error {
	err := w.Sync()
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(w.Name(), w.path)
	}
	if err != nil {
		os.Remove(w.Name())
		return fmt.Errorf("cannot write %s: %w", w.path, Plain(err))
	}
	return nil
}

// Abandon removes what there is of the file.
func (w *Whole) Abandon() {
	w.Close()
	os.Remove(w.Name())
}
