package history

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// child is the part of the tests below that runs in a process of its own: it
// imports events into a history in small batches, and reads in between.
func TestMain(m *testing.M) {
	path := os.Getenv("HISTORY_TEST_CHILD")
	if path == "" {
		os.Exit(m.Run())
	}
	seed, _ := strconv.ParseUint(os.Getenv("HISTORY_TEST_SEED"), 10, 64)
	if err := child(path, someEvents(rand.New(rand.NewPCG(seed, 5)), 6000)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(path string, events []bounceimport.Event) error {
	s, err := Create(path)
	if err != nil {
		return err
	}
	m := s.Begin(context.Background())
	m.limit, m.txRows = 1<<18, 100
	for i := range events {
		if err := m.Add(&events[i]); err != nil {
			return err
		}
		if i%2000 == 0 {
			if err := s.Records(context.Background(), now, nil, func(string, bounceimport.Record) error { return nil }); err != nil {
				return err
			}
		}
	}
	if err := m.Done(); err != nil {
		return err
	}
	return s.Close()
}

func startChild(t *testing.T, path string, seed uint64) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HISTORY_TEST_CHILD="+path, fmt.Sprint("HISTORY_TEST_SEED=", seed))
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

func sound(t *testing.T, s *Store) {
	t.Helper()
	err := sqlitex.Execute(s.conn, "PRAGMA integrity_check", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		if got := st.ColumnText(0); got != "ok" {
			t.Errorf("integrity: %s", got)
		}
		return nil
	}})
	if err != nil {
		t.Error(err)
	}
}

// An import that is killed leaves a sound history; importing again completes it.
func TestKilledImport(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: kills processes")
	}
	events := someEvents(rand.New(rand.NewPCG(1, 5)), 6000)
	want := create(t)
	add(t, want, events...)
	path := filepath.Join(t.TempDir(), "winnow.db")
	r := rand.New(rand.NewPCG(8, 8))
	for range 12 {
		cmd, _ := startChild(t, path, 1)
		time.Sleep(time.Duration(5+r.IntN(150)) * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
		if _, err := os.Stat(path); err != nil {
			continue // killed before it began
		}
		s, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		sound(t, s)
		s.Close()
	}
	cmd, out := startChild(t, path, 1)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, out)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := dump(t, s), dump(t, want); got != want {
		t.Error(firstDifference(got, want))
	}
}

// Several processes import and read at once.
func TestProcessesAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: starts processes")
	}
	path := filepath.Join(t.TempDir(), "winnow.db")
	want := create(t)
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for seed := range uint64(4) {
		cmd, out := startChild(t, path, seed)
		cmds, outs = append(cmds, cmd), append(outs, out)
		add(t, want, someEvents(rand.New(rand.NewPCG(seed, 5)), 6000)...)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outs[i])
		}
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sound(t, s)
	if got, want := dump(t, s), dump(t, want); got != want {
		t.Error(firstDifference(got, want))
	}
}

// What was forgotten is gone from the bytes of the file, however often its pages
// were split and moved before.
func TestForgottenIsGone(t *testing.T) {
	ctx := context.Background()
	for seed := range rounds(3, 20) {
		r := rand.New(rand.NewPCG(seed, 6))
		s := create(t)
		canary := fmt.Sprintf("canary%d", seed)
		for range 12 {
			m := s.Begin(ctx)
			for i := range 400 {
				e := event(fmt.Sprintf("%c%x.user@example%d.org", 'a'+r.IntN(26), r.Uint32(), i%7), "user_unknown", bounceimport.SuppressNow, now.AddDate(0, 0, -r.IntN(300)), strings.Repeat("550 no ", 1+r.IntN(60)))
				if i%40 == 0 {
					e.Recipient = fmt.Sprintf("%s.%d@example.org", canary, r.IntN(30))
				}
				if err := m.Add(&e); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Done(); err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 { // the next batch meets a file without a log
				path := s.path
				s.Close()
				var err error
				if s, err = Open(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		var keys []string
		for i := range 30 {
			keys = append(keys, fmt.Sprintf("%s.%d@example.org", canary, i))
		}
		if n, err := s.Forget(ctx, now, false, keys...); err != nil || n < 30 {
			t.Fatal(n, err)
		}
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path), "*"))
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if i := bytes.Index(b, []byte(canary)); i >= 0 {
				t.Errorf("seed %d: %s holds %q at %d", seed, filepath.Base(name), b[i:min(i+40, len(b))], i)
			}
		}
		s.Close()
	}
}

// What is read back from the temporary file is what was written, and bytes that
// were not are an error and no more.
func FuzzRow(f *testing.F) {
	r := row{key: "a@example.org", category: "user_unknown", action: bounceimport.SuppressNow, day: 20000, first: 1, last: -2, soft: true, reply: "550 no", code: 550}
	f.Add(r.encode(nil))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again row
		if a.decode(b, map[string]string{}) != nil {
			return
		}
		if err := again.decode(a.encode(nil), map[string]string{}); err != nil || again != a {
			t.Fatalf("%+v: %+v, %v", a, again, err)
		}
	})
}
