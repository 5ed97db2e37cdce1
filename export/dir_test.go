package export

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/winnow-email/winnow/export/summary"
)

// run writes a run directory with one file.
func run(t *testing.T, path, text string) error {
	t.Helper()
	d, err := Create(path)
	if err != nil {
		return err
	}
	defer d.Close()
	f, err := d.File("cleaned.csv")
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte(text)); err != nil {
		return err
	}
	f.Records = 1
	if err := d.Commit(&summary.Summary{Records: 7}); err != nil {
		return err
	}
	return d.Close()
}

// names lists what is in a folder, hidden files too.
func names(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range es {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

func TestCommitReplaces(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	for _, text := range []string{"one\n", "two\n", "three\n"} {
		if err := run(t, out, text); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(out, "cleaned.csv")); err != nil || string(b) != text {
			t.Fatalf("%q, %v", b, err)
		}
		if got := names(t, parent); got != "out" {
			t.Fatalf("left behind: %s", got)
		}
	}
	var s summary.Summary
	b, err := os.ReadFile(filepath.Join(out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Outputs) != 1 || s.Outputs[0].Records != 1 || s.Outputs[0].Bytes != 6 || s.SchemaVersion != summary.SchemaVersion ||
		s.Outputs[0].SHA256 != "f6936912184481f5edd4c304ce27c5a1a827804fc7f329f43d273b8621870776" {
		t.Errorf("%+v", s.Outputs)
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, "cleaned.csv": 0o600, "summary.json": 0o600} {
		if st, err := os.Stat(filepath.Join(out, name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, st.Mode(), err)
		}
	}
}

func TestAbortChangesNothing(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	if err := run(t, out, "old\n"); err != nil {
		t.Fatal(err)
	}
	d, err := Create(out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.File("cleaned.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new\n")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error("a second Close:", err)
	}
	if b, _ := os.ReadFile(filepath.Join(out, "cleaned.csv")); string(b) != "old\n" {
		t.Errorf("%q", b)
	}
	if got := names(t, parent); got != "out" {
		t.Errorf("left behind: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	parent := t.TempDir()
	in := filepath.Join(parent, "list.csv")
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mk := func(name string, files ...string) string {
		d := filepath.Join(parent, name)
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(d, f), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	ours := filepath.Join(parent, "ours")
	if err := run(t, ours, "x\n"); err != nil {
		t.Fatal(err)
	}
	guest := filepath.Join(parent, "guest")
	if err := run(t, guest, "x\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(guest, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(parent, "link")
	if err := os.Symlink(ours, link); err != nil {
		t.Fatal(err)
	}
	nested, mine := mk("nested"), filepath.Join(parent, "mine")
	if err := run(t, mine, "x\n"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(nested, "a", "b"), filepath.Join(mine, "keep")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what, path, input, want string
	}{
		{"a stranger's folder", mk("photos", "a.jpg"), "", "not a run of winnow"},
		{"another program's summary", mk("other", "summary.json"), "", "not winnow's"},
		{"a run with a file of the user", guest, "", "notes.txt"},
		{"the input itself", in, in, "also an input"},
		{"a file", in, "", "file of that name"},
		{"an input in the folder", ours, filepath.Join(ours, "cleaned.csv"), "lies in the output folder"},
		{"an input in the folder, by a link", link, filepath.Join(ours, "cleaned.csv"), "lies in the output folder"},
		{"no such parent", filepath.Join(parent, "no", "out"), "", "does not exist"},
		{"the root", "/", "", "folder of its own"},
		{"a folder of empty folders", nested, "", "not a run of winnow"},
		{"a run with a folder of the user", mine, "", "holds keep, which winnow did not write"},
	} {
		d, err := Create(c.path, c.input)
		if err == nil {
			d.Close()
			t.Errorf("%s: allowed", c.what)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if runtime.GOOS == "linux" {
		if _, err := Create("/proc"); err == nil || !strings.Contains(err.Error(), "mounted there") {
			t.Errorf("a mount point: %v", err)
		}
	}
	// An empty folder and a link to a run may be written.
	if err := run(t, mk("empty"), "x\n"); err != nil {
		t.Error(err)
	}
	if err := run(t, link, "by the link\n"); err != nil {
		t.Error(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if b, _ := os.ReadFile(filepath.Join(ours, "cleaned.csv")); string(b) != "by the link\n" {
		t.Errorf("%q", b)
	}
}

// On a file system that cannot exchange two directories a run that is killed
// between its renames leaves the earlier run parked. Whatever the next run does, it
// puts that one back first, and never deletes it before its own stands.
func TestWithoutExchange(t *testing.T) {
	killed, broken := errors.New("killed"), errors.New("broken")
	content := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "cleaned.csv"))
		if err != nil {
			return "none"
		}
		return string(b)
	}
	for _, c := range []struct {
		what   string
		faults []error // of the renames, in their order; nil: none
		commit bool    // whether the run succeeds
		back   bool    // whether its end puts the old one back
	}{
		{"no fault", nil, true, false},
		{"parking fails", []error{broken}, false, true},
		{"placing fails", []error{nil, broken}, false, true},
		{"placing and putting back fail", []error{nil, broken, broken, broken}, false, false},
		{"killed when the old run is parked", []error{nil, killed}, false, false},
	} {
		parent := t.TempDir()
		out := filepath.Join(parent, "out")
		if err := run(t, out, "old\n"); err != nil {
			t.Fatal(err)
		}
		d, err := Create(out)
		if err != nil {
			t.Fatal(err)
		}
		n, dead := 0, false
		d.move = func(from, to string, how int) error {
			if how == moveTwice {
				return errors.ErrUnsupported
			}
			var fault error
			if n < len(c.faults) {
				fault = c.faults[n]
			}
			n++
			if dead = dead || fault == killed; dead {
				return killed
			}
			if fault != nil {
				return fault
			}
			return move(from, to, how)
		}
		f, err := d.File("cleaned.csv")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("new\n")); err != nil {
			t.Fatal(err)
		}
		err = d.Commit(&summary.Summary{})
		if (err == nil) != c.commit {
			t.Errorf("%s: %v", c.what, err)
		}
		if dead { // nothing of it runs any more, and its lock is gone
			if err := d.unlock(); err != nil {
				t.Fatal(err)
			}
		} else if err := d.Close(); (err == nil) != (c.commit || c.back) {
			t.Errorf("%s: %v", c.what, err)
		}
		if c.commit {
			if got := content(out) + names(t, parent); got != "new\nout" {
				t.Errorf("%s: %q", c.what, got)
			}
			continue
		}
		if c.back && content(out) != "old\n" {
			t.Errorf("%s: the old run is not back: %s", c.what, names(t, parent))
		}
		// The next run fails, and the one after it succeeds.
		d, err = Create(out)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if got := content(out); got != "old\n" || d.Earlier() == nil || d.Earlier().Records != 7 {
			t.Errorf("%s: after the start of the next run: %s", c.what, got)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := content(out) + names(t, parent); got != "old\nout" {
			t.Errorf("%s: after a failed run: %q", c.what, got)
		}
		if err := run(t, out, "newest\n"); err != nil {
			t.Error(err)
		}
		if got := content(out) + names(t, parent); got != "newest\nout" {
			t.Errorf("%s: after a further run: %q", c.what, got)
		}
	}
}

// When the folder cannot be synced, the earlier run is put back also without an exchange.
func TestTakenBack(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	if err := run(t, out, "old\n"); err != nil {
		t.Fatal(err)
	}
	for _, exchange := range []error{nil, errors.ErrUnsupported} {
		d, err := Create(out)
		if err != nil {
			t.Fatal(err)
		}
		d.move = func(from, to string, how int) error {
			if how == moveTwice && exchange != nil {
				return exchange
			}
			return move(from, to, how)
		}
		if err := os.WriteFile(filepath.Join(d.run(), "cleaned.csv"), []byte("new\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		undo, err := d.place()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(filepath.Join(out, "cleaned.csv")); string(b) != "new\n" {
			t.Errorf("placed: %q", b)
		}
		if err := errors.Join(undo(), d.Close()); err != nil {
			t.Error(err)
		}
		if b, _ := os.ReadFile(filepath.Join(out, "cleaned.csv")); string(b) != "old\n" || names(t, parent) != "out" {
			t.Errorf("taken back: %q, %s", b, names(t, parent))
		}
	}
}

// Of many runs that write one directory at a time, each is refused or whole.
func TestLock(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, refused := 0, 0
	for range 100 {
		wg.Go(func() {
			err := run(t, out, "x\n")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case strings.Contains(err.Error(), "another run is writing"):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done == 0 || done+refused != 100 {
		t.Errorf("%d done, %d refused", done, refused)
	}
	if got := names(t, parent); got != "out" {
		t.Errorf("left behind: %s", got)
	}
	d, err := Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(out); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second run: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// What a killed run left is removed by the next one, and nothing else is.
func TestDeadRun(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{".out.winnow-123/run", ".out.winnow-123/tmp", ".out.winnow-mine", ".other.winnow-123"} {
		if err := os.MkdirAll(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, ".out.winnow-lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t, filepath.Join(parent, "out"), "x\n"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, parent); got != ".other.winnow-123 .out.winnow-mine out" {
		t.Errorf("there is: %s", got)
	}
}

func TestWriteError(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	d, err := Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	f, err := d.File("cleaned.csv")
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("skipped: no /dev/full")
	}
	f.f.Close()
	f.f = full
	f.buf.Reset(full)
	if _, err = f.Write([]byte("x")); err == nil {
		err = f.Close()
	}
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "writing "+filepath.Join(out, "cleaned.csv")) || strings.Contains(err.Error(), "winnow-") {
		t.Errorf("%v", err)
	}
}
