package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// InputError says why a file that was named cannot be read, in one line, and what
// to do next.
type InputError struct {
	Path string // as it was named
	What string
	Next string // "" when there is nothing to say
	Err  error  // of the system; nil when winnow refuses it
}

func (e *InputError) Error() string { return e.Path + ": " + e.What }
func (e *InputError) Hint() string  { return e.Next }
func (e *InputError) Unwrap() error { return e.Err }

// inputError puts an error of the system into words.
func inputError(path string, err error) *InputError {
	e := &InputError{Path: path, What: Plain(err).Error(), Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Next = "check the path"
	case errors.Is(err, fs.ErrPermission):
		e.Next = "check who may read it (ls -ld)"
	case errors.Is(err, syscall.ENOTDIR):
		e.Next = "a part of the path is a file, not a folder"
	}
	return e
}

// Look returns what is at path when it can be an input: a regular file, or
// something that gives its content once (a pipe, a terminal).
func Look(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, inputError(path, err)
	case info.IsDir():
		return nil, &InputError{Path: path, What: "is a folder", Next: "name a file in it"}
	case info.Mode()&fs.ModeSocket != 0, info.Mode()&fs.ModeDevice != 0 && info.Mode()&fs.ModeCharDevice == 0:
		return nil, &InputError{Path: path, What: "is a socket or a disk, not a file", Next: "name a file"}
	}
	return info, nil
}

// Readable returns an error unless the file at path can be read. A pipe is not opened:
// somebody may be waiting to write into it once.
func Readable(path string) error {
	info, err := Look(path)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return inputError(path, err)
	}
	return f.Close()
}

// Open opens an input. A regular file is returned as the *os.File that it is; of
// anything else both the opening, which waits for a pipe's other end, and the
// reading end with the error of ctx when ctx is done. Its errors are InputErrors.
func Open(ctx context.Context, path string) (io.ReadCloser, error) {
	info, err := Look(path)
	if err != nil {
		return nil, err
	}
	var f *os.File
	if info.Mode()&fs.ModeNamedPipe != 0 {
		f, err = openPipe(ctx, path)
	} else {
		f, err = os.Open(path)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, inputError(path, err)
	case info.Mode().IsRegular():
		return f, nil
	}
	return &stream{Reader: Until(ctx, f), Closer: f}, nil
}

type stream struct {
	io.Reader
	io.Closer
}

// openPipe opens a named pipe, which waits until somebody opens it for writing.
func openPipe(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	got := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		got <- opened{f, err}
	}()
	select {
	case o := <-got:
		return o.f, o.err
	case <-ctx.Done():
	}
	// To come as a writer, for a moment, is what ends the waiting; without a reader
	// that waits, O_NONBLOCK makes it an error.
	if w, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		w.Close()
		if o := <-got; o.f != nil {
			o.f.Close()
		}
	}
	return nil, ctx.Err()
}

// ReadAll reads an input of at most limit bytes.
func ReadAll(ctx context.Context, path string, limit int64) ([]byte, error) {
	f, err := Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, inputError(path, err)
	case int64(len(b)) > limit:
		return nil, &InputError{Path: path, What: fmt.Sprintf("is larger than %d MiB", limit>>20), Next: "is it the right file?"}
	}
	return b, nil
}

// Until returns a reader of r that ends with the error of ctx as soon as ctx is
// done, also while r waits for somebody to type. What r reads after that is lost.
// A regular file never waits: it is returned as it is.
func Until(ctx context.Context, r io.Reader) io.Reader {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return r
		}
	}
	return &untilDone{ctx: ctx, r: r, buf: make([]byte, 1<<16), got: make(chan readDone, 1)}
}

type untilDone struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte // lent to the read that is under way
	got  chan readDone
	rest []byte // read, and not taken yet
	err  error
}

type readDone struct {
	n   int
	err error
}

func (d *untilDone) Read(p []byte) (int, error) {
	if len(d.rest) == 0 && d.err == nil {
		if d.err = d.ctx.Err(); d.err != nil {
			return 0, d.err
		}
		go func() {
			n, err := d.r.Read(d.buf)
			d.got <- readDone{n, err}
		}()
		select {
		case got := <-d.got:
			d.rest, d.err = d.buf[:got.n], got.err
		case <-d.ctx.Done():
			d.err = d.ctx.Err()
		}
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// Glob returns the files in the folder base that a pattern matches, in order. Only
// the pattern is one: brackets and stars in the name of the folder are themselves.
// A pattern that is the name of a file stands for that file.
func Glob(base, pattern string) ([]string, error) {
	whole := pattern
	if !filepath.IsAbs(pattern) && base != "." && base != "" {
		whole = filepath.Join(base, pattern)
	}
	if _, err := os.Lstat(whole); err == nil {
		return []string{noDash(whole)}, nil
	}
	if whole != pattern {
		whole = filepath.Join(Literal(base), pattern)
	}
	found, err := filepath.Glob(whole)
	for i := range found {
		found[i] = noDash(found[i])
	}
	return found, err
}

// noDash keeps a file of the name "-" from being taken for standard input.
func noDash(path string) string {
	if path == "-" {
		return "." + string(filepath.Separator) + path
	}
	return path
}

// Literal makes a pattern that matches a path and nothing else.
func Literal(path string) string {
	if os.PathSeparator == '\\' {
		return path // there a backslash divides folders, and nothing can be escaped
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// maxSecret is how large a file with a key can be.
const maxSecret = 64 << 10

// ReadSecret reads a key from a file that only its owner may read, without the line
// ends behind it. (A pipe has no others that could read it later.)
func ReadSecret(ctx context.Context, path string) ([]byte, error) {
	info, err := Look(path)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		return nil, &InputError{Path: path, What: fmt.Sprintf("can be read by others (mode %04o)", info.Mode().Perm()), Next: "chmod 600 " + path}
	}
	b, err := ReadAll(ctx, path, maxSecret)
	if err != nil {
		return nil, err
	}
	if b = bytes.TrimRight(b, "\r\n"); len(b) == 0 {
		return nil, &InputError{Path: path, What: "is empty"}
	}
	return b, nil
}
