//go:build unix

package files

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A program may replace only what it made.
func TestMayReplace(t *testing.T) {
	const own = "# HELP winnow_"
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"folder", "run/sub"} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, "run/"+RunMark, "{}")
	write(t, "ours", own+"exit_code")
	write(t, "empty", "")
	write(t, "theirs", "email\na@example.com\n")
	write(t, "shorter", own[:5])
	if err := os.Symlink("ours", "link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("ours", "run/link"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("n", 255)
	for _, c := range []struct {
		path, own string
		inputs    []string
		want      string // "": it is written
	}{
		{"new", own, nil, ""},
		{long, own, nil, ""},
		{"empty", own, nil, ""},
		{"ours", own, nil, ""},
		{"ours", own, []string{"theirs", "", "-"}, ""},
		{"ours", own, []string{"./ours"}, "is read too, and would be replaced"},
		{"later", own, []string{"./folder/../later"}, "is read too, and would be replaced"},
		{"empty", "", nil, "is there already, and winnow did not write it"},
		{"theirs", own, nil, "is there already, and winnow did not write it"},
		{"theirs", "", nil, "is there already, and winnow did not write it"},
		{"shorter", own, nil, "is there already, and winnow did not write it"},
		{"folder", own, nil, "it is a folder"},
		{"link", own, nil, "it is a link or a device"},
		{"pipe", own, nil, "it is a link or a device"},
		{"/dev/null", own, nil, "it is a link or a device"},
		{"none/new", own, nil, "the folder none does not exist"},
		{"theirs/new", own, nil, "not a directory"},
		{"run/new", own, nil, "would lie in the run folder"},
		{"run/sub/new", own, nil, "would lie in the run folder"},
	} {
		content := func() string {
			if !Regular(c.path) {
				return ""
			}
			b, err := os.ReadFile(c.path)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		before := content()
		err := Write(c.path, c.own, []byte(own+"new"), c.inputs...)
		after := content()
		switch {
		case c.want == "" && (err != nil || after != own+"new"):
			t.Errorf("%s: %v, %q", c.path, err, after)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || before != after):
			t.Errorf("%s: %v, want %s; it holds %q", c.path, err, c.want, after)
		}
		if c.want == "" {
			if info, err := os.Stat(c.path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", c.path, info.Mode(), err)
			}
		}
	}
	leftovers(t, dir)
}

// leftovers fails when a temporary file is left.
func leftovers(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestAbandon(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(filepath.Join(dir, "a"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	w.Abandon()
	leftovers(t, dir)
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Error("the half of a file appeared")
	}
}

// A folder into which nobody may write, and a disk that is full: what was there
// stands, and nothing else is left.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a"), "own 1")
	if os.Getenv("WINNOW_TEST_FULL") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriteFails$")
		cmd.Env = append(os.Environ(), "WINNOW_TEST_FULL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if os.Geteuid() == 0 {
			return // root may write everywhere
		}
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
		if err := Write(path, "own", []byte("own 2")); err == nil || !strings.Contains(err.Error(), "cannot write "+path+": permission denied") {
			t.Errorf("%v", err)
		}
	} else {
		limit := syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10} // a file cannot grow beyond it: EFBIG
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Skipf("skipped: %v", err)
		}
		if err := Write(path, "own", make([]byte, 1<<20)); err == nil || !strings.Contains(err.Error(), "cannot write "+path+": ") {
			t.Errorf("%v", err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "own 1" {
		t.Errorf("%q, %v", b, err)
	}
	leftovers(t, dir)
}
