//go:build unix

package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUntil(t *testing.T) {
	text := strings.Repeat("line\n", 50_000)
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text[:500])), iotest.DataErrReader(strings.NewReader(text))} {
		b, err := io.ReadAll(Until(context.Background(), r))
		if err != nil || string(b) != text[:len(b)] || len(b)%500 != 0 || len(b) == 0 {
			t.Errorf("%d octets, %v", len(b), err)
		}
	}
	if _, err := io.ReadAll(Until(context.Background(), iotest.ErrReader(io.ErrClosedPipe))); err != io.ErrClosedPipe {
		t.Errorf("%v", err)
	}
	f, err := os.Open(write(t, filepath.Join(t.TempDir(), "a"), text))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Until(context.Background(), f) != io.Reader(f) {
		t.Error("a regular file goes through a goroutine")
	}
}

// What waits for a stranger ends when the context does: a pipe nobody opens, a pipe
// into which nobody writes.
func TestOpenIsInterrupted(t *testing.T) {
	for _, writer := range []bool{false, true} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Skipf("skipped: no named pipes: %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if writer {
			w, err := os.OpenFile(pipe, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
		}
		done := make(chan error, 1)
		go func() {
			f, err := Open(ctx, pipe)
			if err == nil {
				defer f.Close()
				_, err = io.ReadAll(f)
			}
			done <- err
		}()
		time.Sleep(20 * time.Millisecond) // for it to wait; the outcome does not depend on it
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("writer %v: %v", writer, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("writer %v: it still waits", writer)
		}
	}
}

// A pipe with a writer is read to its end.
func TestOpenPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("skipped: no named pipes: %v", err)
	}
	go func() {
		if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			io.WriteString(w, "text")
			w.Close()
		}
	}()
	if b, err := ReadAll(context.Background(), pipe, 100); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "12345")
	locked := write(t, filepath.Join(dir, "locked"), "x")
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want, hint string }{
		{filepath.Join(dir, "none"), "no such file or directory", "check the path"},
		{dir, "is a folder", "name a file in it"},
		{filepath.Join(file, "below"), "not a directory", "a part of the path is a file, not a folder"},
		{locked, "permission denied", "check who may read it (ls -ld)"},
		{file, "is larger than 0 MiB", "is it the right file?"},
	} {
		if c.path == locked && os.Geteuid() == 0 {
			continue // root reads everything
		}
		_, err := ReadAll(context.Background(), c.path, 4)
		var ie *InputError
		if !errors.As(err, &ie) || err.Error() != c.path+": "+c.want || ie.Hint() != c.hint {
			t.Errorf("%s: %v; want %s", c.path, err, c.want)
		}
	}
	if b, err := ReadAll(context.Background(), file, 5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	key := write(t, filepath.Join(dir, "key"), "s3cret\r\n")
	if b, err := ReadSecret(context.Background(), key); err != nil || string(b) != "s3cret" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := ReadSecret(context.Background(), write(t, filepath.Join(dir, "empty"), "\n")); err == nil || !strings.HasSuffix(err.Error(), "is empty") {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(context.Background(), key); err == nil || !strings.HasSuffix(err.Error(), "can be read by others (mode 0640)") {
		t.Errorf("%v", err)
	}
}

// The name of a folder is never a pattern; a pattern that is a file's name is that file.
func TestGlob(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"srv[1]/a.csv", "srv[1]/b.csv", "srv[1]/c[2].csv", "srv1/wrong.csv", "star*/a.csv", `back\slash/a.csv`, "what?/a.csv"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, "")
	}
	for _, c := range []struct{ base, pattern, want string }{
		{"srv[1]", "*.csv", "a.csv b.csv c[2].csv"},
		{"srv[1]", "c[2].csv", "c[2].csv"},
		{"srv[1]", "[ab].csv", "a.csv b.csv"},
		{"srv[1]", "none*", ""},
		{"star*", "*", "a.csv"},
		{`back\slash`, "*", "a.csv"},
		{"what?", "?.csv", "a.csv"},
	} {
		found, err := Glob(filepath.Join(dir, c.base), c.pattern)
		var names []string
		for _, f := range found {
			names = append(names, filepath.Base(f))
			if filepath.Base(filepath.Dir(f)) != c.base {
				t.Errorf("%s: found in %s", c.base, filepath.Dir(f))
			}
		}
		if err != nil || !slices.Equal(names, strings.Fields(c.want)) {
			t.Errorf("%s %s: %q, %v", c.base, c.pattern, names, err)
		}
	}
	if _, err := Glob(dir, "[a"); err == nil {
		t.Error("[a is taken for a pattern")
	}
	t.Chdir(dir)
	write(t, "-", "")
	for _, base := range []string{".", ""} {
		if found, err := Glob(base, "-*"); err != nil || !slices.Equal(found, []string{"./-"}) { // "-" would be standard input
			t.Errorf("%q, %v", found, err)
		}
	}
}

func TestSameAndInside(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, "a/b/file", "")
	if err := errors.Join(os.Symlink("a/b", "short"), os.Link("a/b/file", "hard")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b         string
		same, inside bool
	}{
		{"a/b/file", "./a/../a/b/file", true, false},
		{"a/b/file", "short/file", true, false},
		{"a/b/file", "hard", true, false},
		{"a/new", "./a/b/../new", true, false},
		{"short/new", "a/b/new", true, false},
		{"a/new", "a/b/file", false, false},
		{"a/b/file", "a", false, true},
		{"short/new/below", "a", false, true},
		{"short/new/below", "a/b/new", false, true},
		{"a", "a/b", false, false},
	} {
		if Same(c.a, c.b) != c.same || Inside(c.a, c.b) != c.inside {
			t.Errorf("%s, %s: same %v, inside %v", c.a, c.b, Same(c.a, c.b), Inside(c.a, c.b))
		}
	}
}
