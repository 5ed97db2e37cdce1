// Package files touches files as a whole: it hashes and locks them, and writes
// private ones that appear complete or not at all.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// RunMark is the file that makes a folder a run folder. Such a folder stays as its
// run wrote it.
const RunMark = "summary.json"

// Plain returns what is wrong, without the path: who prints it names the file.
func Plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Hash returns the SHA-256, in hexadecimal, and the length of a file.
func Hash(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read %s: %w", path, Plain(err))
	}
	defer f.Close() // only read
	h := sha256.New()
	buf := make([]byte, 1<<18)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, fmt.Errorf("cannot read %s: %w", path, Plain(err))
		}
		if ctx.Err() != nil {
			return "", 0, ctx.Err()
		}
	}
}

// There returns an error unless there is something at path.
func There(path string) error {
	if _, err := os.Stat(path); err != nil {
		return inputError(path, err)
	}
	return nil
}

// Regular reports whether there is a regular file at path.
func Regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Same reports whether two paths name one file, or would if it were there.
func Same(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	if err1 == nil && err2 == nil {
		return os.SameFile(x, y)
	}
	return err1 != nil && err2 != nil && real(a) == real(b)
}

// Inside reports whether a file lies, or would lie, in a folder or below it.
func Inside(file, folder string) bool {
	dir, within := filepath.Dir(real(file)), real(folder)
	for {
		if dir == within || Same(dir, within) {
			return true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return false
		}
		dir = up
	}
}

// real returns the absolute path, with the links of as much of it as is there resolved.
func real(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for at := abs; ; at = filepath.Dir(at) {
		if found, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(found, rest)
		}
		if at == filepath.Dir(at) {
			return abs
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// HashAll is Hash for a file or a folder. The SHA-256 of a folder is that of what
// sha256sum prints of the files below it, folder by folder in the order of their names. What
// can be read only once, such as a pipe, has none.
func HashAll(ctx context.Context, path string) (sum string, size int64, err error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("cannot read %s: %w", path, Plain(err))
	case st.Mode().IsRegular():
		return Hash(ctx, path)
	case !st.IsDir():
		return "", 0, nil
	}
	h := sha256.New()
	err = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		one, n, err := Hash(ctx, p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(path, p)
		size += n
		fmt.Fprintf(h, "%s  %s\n", one, filepath.ToSlash(rel))
		return err
	})
	return hex.EncodeToString(h.Sum(nil)), size, err
}
