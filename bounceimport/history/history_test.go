package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func create(t testing.TB) *Store {
	t.Helper()
	s, err := Create(filepath.Join(t.TempDir(), "winnow.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// rounds is how often a test is repeated with other random numbers: few times while
// one works, many with WINNOW_LONG.
func rounds(few, many uint64) uint64 {
	if os.Getenv("WINNOW_LONG") != "" {
		return many
	}
	return few
}

func add(t testing.TB, s *Store, events ...bounceimport.Event) Counts {
	t.Helper()
	m := s.Begin(context.Background())
	for i := range events {
		if err := m.Add(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Done(); err != nil {
		t.Fatal(err)
	}
	return m.Counts
}

// dump is the whole content of a history as text, in a canonical order. The key
// of the hashes is random and stands for nothing else.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var b strings.Builder
	for _, table := range []string{"event", "incident", "file", "forgotten"} {
		err := sqlitex.Execute(s.conn, "SELECT * FROM "+table+" ORDER BY 1, 2, 3", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			fmt.Fprintf(&b, "%s", table)
			for i := range st.ColumnCount() {
				fmt.Fprintf(&b, "|%s", st.ColumnText(i))
			}
			b.WriteByte('\n')
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func event(recipient, category string, action bounceimport.Action, at time.Time, reply string) bounceimport.Event {
	return bounceimport.Event{Recipient: recipient, Time: at, Reply: reply, Source: "test.csv:1",
		Class: bounceimport.Class{Category: category, Action: action, Rule: "r_" + category}}
}

// someEvents makes events of few addresses, so that they meet in all ways.
func someEvents(r *rand.Rand, n int) []bounceimport.Event {
	kinds := []struct {
		category string
		action   bounceimport.Action
		code     int
	}{
		{"user_unknown", bounceimport.SuppressNow, 550}, {"user_unknown", bounceimport.Count, 550}, {"mailbox_full", bounceimport.Count, 452},
		{"network_error", bounceimport.Count, 421}, {"unknown", bounceimport.Count, 554}, {"ip_reputation", bounceimport.Report, 554},
		{"delivered", bounceimport.Clear, 250}, {"complaint", bounceimport.SuppressNow, 0}, {"greylisted", bounceimport.Ignore, 451},
		{"domain_not_hosted", bounceimport.Count, 550}, {"not_spam", bounceimport.Clear, 0}, {"mailbox_disabled", bounceimport.SuppressNow, 550},
	}
	list := make([]bounceimport.Event, n)
	for i := range list {
		k := kinds[r.IntN(len(kinds))]
		e := event(fmt.Sprintf("User.%d@Example%d.org", r.IntN(12), r.IntN(4)), k.category, k.action, time.Time{}, "")
		if r.IntN(10) > 0 {
			e.Time = now.Add(-time.Duration(r.IntN(80*24*60)) * time.Minute)
		}
		if k.code != 0 && r.IntN(4) > 0 {
			e.Code, e.Reply = k.code, fmt.Sprintf("%d reply %d", k.code, r.IntN(5))
		}
		e.Provider = []string{"", "gmail", "yahoo"}[r.IntN(3)]
		e.Status, e.Remote, e.Phase, e.Hint = []string{"", "5.1.1"}[r.IntN(2)], []string{"", "mx1", "mx2"}[r.IntN(3)], []string{"", "rcpt"}[r.IntN(2)], []string{"", "unknown"}[r.IntN(2)]
		e.Source = fmt.Sprintf("folder/file%d.csv:%d", r.IntN(3), r.IntN(1000))
		list[i] = e
	}
	return list
}

// However events are ordered, repeated, split over imports and batches: the
// content is the same.
func TestImportIsASetUnion(t *testing.T) {
	for seed := range rounds(8, 100) {
		r := rand.New(rand.NewPCG(seed, 1))
		events := someEvents(r, 400)
		a := create(t)
		add(t, a, events...)
		want := dump(t, a)
		if c := add(t, a, events...); c.Changed != 0 {
			t.Fatalf("seed %d: the second import changed %d rows", seed, c.Changed)
		}
		b := create(t)
		again := append(slices.Clone(events), events[:r.IntN(len(events))]...)
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		for len(again) > 0 {
			n := 1 + r.IntN(len(again))
			m := b.Begin(context.Background())
			m.limit, m.txRows = 1<<(8+r.IntN(10)), 1+r.IntN(200)
			for i := range again[:n] {
				if err := m.Add(&again[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Done(); err != nil {
				t.Fatal(err)
			}
			again = again[n:]
		}
		if got := dump(t, b); got != want {
			t.Fatalf("seed %d: the order shows:\n%s", seed, firstDifference(got, want))
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}

func records(t testing.TB, s bounceimport.Source, at time.Time, want func(string) bool) map[string]bounceimport.Record {
	t.Helper()
	m := make(map[string]bounceimport.Record)
	err := s.Records(context.Background(), at, want, func(key string, r bounceimport.Record) error {
		if _, ok := m[key]; ok {
			t.Fatalf("%s came twice", key)
		}
		m[key] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A history and the ledger of a single run come to the same conclusion.
func TestRecordsAgreeWithLedger(t *testing.T) {
	for seed := range uint64(20) {
		events := someEvents(rand.New(rand.NewPCG(seed, 2)), 300)
		s := create(t)
		add(t, s, events...)
		var l bounceimport.Ledger
		for i := range events {
			l.Add(&events[i])
		}
		for _, at := range []time.Time{now, now.AddDate(0, 0, 60), now.AddDate(1, 0, 1)} {
			got, want := records(t, s, at, nil), records(t, &l, at, nil)
			for key, w := range want {
				g := got[key]
				suppresses := w.Action == bounceimport.SuppressNow || w.Action == bounceimport.Count
				if suppresses && (g.Category != w.Category || g.Action != w.Action || !g.Until.Truncate(time.Second).Equal(w.Until.Truncate(time.Second))) {
					t.Fatalf("seed %d, %s: history %+v\nledger %+v", seed, key, g, w)
				}
			}
			for key, g := range got {
				if w := want[key]; (g.Action == bounceimport.SuppressNow || g.Action == bounceimport.Count) && w.Action != g.Action {
					t.Fatalf("seed %d, %s: history %+v\nledger %+v", seed, key, g, w)
				}
			}
		}
	}
}

func TestRecordsStreamsWantedKeysInOrder(t *testing.T) {
	s := create(t)
	add(t, s, someEvents(rand.New(rand.NewPCG(7, 7)), 500)...)
	var last string
	err := s.Records(context.Background(), now, func(key string) bool { return strings.HasSuffix(key, "@example1.org") }, func(key string, r bounceimport.Record) error {
		if key <= last || !strings.HasSuffix(key, "@example1.org") {
			t.Errorf("%q after %q", key, last)
		}
		last = key
		return nil
	})
	if err != nil || last == "" {
		t.Fatal(err, last)
	}
	stop := errors.New("stop")
	if err := s.Records(context.Background(), now, nil, func(string, bounceimport.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of yield: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Records(ctx, now, nil, func(string, bounceimport.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	// The store is as good as before.
	if len(records(t, s, now, nil)) == 0 {
		t.Error("nothing after a cancelled scan")
	}
}

func TestShow(t *testing.T) {
	s := create(t)
	d := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	add(t, s,
		event("jane.doe@example.org", "mailbox_full", bounceimport.Count, d(20), "452 4.2.2 full"),
		event("jane.doe@example.org", "mailbox_full", bounceimport.Count, d(20).Add(time.Hour), "452 4.2.2 jane.doe@example.org is full"),
		event("jane.doe@example.org", "mailbox_full", bounceimport.Count, d(15), "452 4.2.2 full"),
		event("jane.doe@example.org", "mailbox_full", bounceimport.Count, d(10), "452 4.2.2 full"))
	dos, err := s.Show(context.Background(), "jane.doe@example.org", now)
	if err != nil {
		t.Fatal(err)
	}
	if len(dos.Events) != 3 || dos.Record.Action == bounceimport.Count {
		t.Errorf("three days of a full mailbox suppress: %+v", dos)
	}
	if r := dos.Events[0].Reply; r != "452 4.2.2 ***@example.org is full" {
		t.Errorf("reply %q", r)
	}
	add(t, s, event("jane.doe@example.org", "mailbox_full", bounceimport.Count, d(3), "452 4.2.2 full"))
	dos, _ = s.Show(context.Background(), "jane.doe@example.org", now)
	if dos.Record.Action != bounceimport.Count || !dos.Record.Until.Equal(d(3).AddDate(0, 0, 90)) {
		t.Errorf("four days over 17: %+v", dos.Record)
	}
	add(t, s, event("jane.doe@example.org", "delivered", bounceimport.Clear, d(1), ""))
	dos, _ = s.Show(context.Background(), "jane.doe@example.org", now)
	if dos.Record.Action == bounceimport.Count {
		t.Errorf("proof of life did not reset: %+v", dos.Record)
	}
}

func TestKnownIncidentIsHeld(t *testing.T) {
	s := create(t)
	in := time.Date(2020, 12, 15, 20, 0, 0, 0, time.UTC)
	e := event("jane@gmail.com", "user_unknown", bounceimport.SuppressNow, in, "550-5.1.1 The email account that you tried to reach does not exist.")
	e.Provider = "gmail"
	o := e
	o.Recipient, o.Time = "joe@gmail.com", in.Add(-6*time.Hour)
	twice, later := e, e
	twice.Recipient, later.Recipient, later.Time = "jim@gmail.com", "jim@gmail.com", in.AddDate(0, 1, 0)
	add(t, s, e, o, twice, later)
	m := records(t, s, now, nil)
	if m["jane@gmail.com"].Held == "" {
		t.Errorf("in the Gmail window: %+v", m["jane@gmail.com"])
	}
	for _, key := range []string{"joe@gmail.com", "jim@gmail.com"} {
		if r := m[key]; r.Held != "" || r.Action != bounceimport.SuppressNow {
			t.Errorf("%s: %+v", key, r)
		}
	}
}

func TestForget(t *testing.T) {
	s := create(t)
	ctx := context.Background()
	bounce := event("Jane.Canary.4711@example.org", "user_unknown", bounceimport.SuppressNow, now.AddDate(0, -1, 0), "550 5.1.1 <Jane.Canary.4711@example.org> no such user jane.canary.4711")
	add(t, s, bounce, event("other@example.org", "complaint", bounceimport.SuppressNow, now, ""))
	const key = "jane.canary.4711@example.org"
	n, err := s.Forget(ctx, now, false, key)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	for _, name := range []string{s.path, s.path + "-wal"} {
		if b, _ := os.ReadFile(name); bytes.Contains(bytes.ToLower(b), []byte("canary")) {
			t.Errorf("%s still holds the address", filepath.Base(name))
		}
	}
	lookup, err := s.Hashed(ctx)
	if err != nil || lookup == nil {
		t.Fatal("no hashes", err)
	}
	if r, ok := lookup(key); !ok || r.Action != bounceimport.SuppressNow || r.Category != "user_unknown" {
		t.Errorf("%v %+v", ok, r)
	}
	if _, ok := lookup("other@example.org"); ok {
		t.Error("another address is found by hash")
	}
	if c := add(t, s, bounce); c.Forgotten != 1 || c.Changed != 0 {
		t.Errorf("importing the file again: %+v", c)
	}
	if d, _ := s.Show(ctx, key, now); len(d.Events) != 0 || d.Forgotten.IsZero() || d.Record.Action != bounceimport.SuppressNow {
		t.Errorf("show: %+v", d)
	}
	if n, err := s.Forget(ctx, now, true, key); err != nil || n != 1 {
		t.Error(n, err)
	}
	if lookup, err := s.Hashed(ctx); err != nil || lookup != nil {
		t.Error("the hash is still there", err)
	}
}

func TestStats(t *testing.T) {
	s := create(t)
	m := s.Begin(context.Background())
	for _, e := range []bounceimport.Event{
		event("a@example.org", "user_unknown", bounceimport.SuppressNow, now, ""),
		event("b@example.org", "ip_reputation", bounceimport.Report, now.AddDate(0, 0, -2), ""),
		event("c@example.org", "complaint", bounceimport.SuppressNow, time.Time{}, ""),
		event("not an address", "complaint", bounceimport.SuppressNow, now, ""),
	} {
		m.Add(&e)
	}
	m.AddFile(File{Name: "some/folder/a.csv", SHA256: "ab", Format: "sendgrid_csv", Records: 4})
	if err := m.Done(); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(context.Background(), now)
	if err != nil {
		t.Fatal(err)
	}
	if st.Addresses != 3 || st.Suppressed != 2 || st.NoTime != 1 || !st.Newest.Equal(now) || !st.Oldest.Equal(now.AddDate(0, 0, -2)) ||
		len(st.Files) != 1 || st.Files[0].Name != "a.csv" || len(st.Categories) != 3 || m.Counts.Foreign != 1 {
		t.Errorf("%+v", st)
	}
}

// What is not a history, or not one for this winnow, is refused in one clear
// line and left as it was.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	made := func(name, script string) string {
		p := filepath.Join(dir, name)
		c, err := sqlite.OpenConn(p, sqlite.OpenReadWrite|sqlite.OpenCreate)
		if err != nil {
			t.Fatal(err)
		}
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
			t.Fatal(err)
		}
		c.Close()
		return p
	}
	good := create(t)
	add(t, good, someEvents(rand.New(rand.NewPCG(1, 1)), 500)...)
	good.Close()
	whole, err := os.ReadFile(good.path)
	if err != nil {
		t.Fatal(err)
	}
	torn := slices.Clone(whole)
	for i := 100; i < len(torn); i++ {
		torn[i] ^= 0x5a
	}
	newer := file("newer.db", whole)
	c, err := sqlite.OpenConn(newer, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(c, "PRAGMA user_version=99", nil); err != nil {
		t.Fatal(err)
	}
	c.Close()

	for _, tt := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.db"), "does not exist"},
		{"folder", dir, "is a folder"},
		{"text", file("list.csv", []byte("email,name\na@example.org,A\n")), "is not a winnow history"},
		{"foreign", made("foreign.db", "CREATE TABLE people (name TEXT);"), "another program's database"},
		{"foreign id", made("foreign2.db", "PRAGMA application_id=7; CREATE TABLE t (a);"), "another program's database"},
		{"newer", newer, "newer winnow (schema 99"},
		{"damaged", file("torn.db", torn), "is damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path)
			for _, o := range []func(string) (*Store, error){Open, Create} {
				s, err := o(tt.path)
				if tt.name == "missing" && err == nil {
					s.Close()
					continue
				}
				var e *Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || e.Hint() == "" {
					t.Errorf("got %v, want %q with a hint", err, tt.want)
				}
			}
			if after, _ := os.ReadFile(tt.path); tt.name != "missing" && !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// A history with damage in its middle says so instead of leaving things out.
func TestDamagedWhileReading(t *testing.T) {
	s := create(t)
	add(t, s, someEvents(rand.New(rand.NewPCG(1, 1)), 3000)...)
	s.Close()
	b, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	copy(b[len(b)/2:], bytes.Repeat([]byte{0xa5}, 8192))
	os.WriteFile(s.path, b, 0o600)
	s, err = Open(s.path)
	if err == nil {
		defer s.Close()
		err = s.Records(context.Background(), now, nil, func(string, bounceimport.Record) error { return nil })
	}
	if err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v", err)
	}
}

func TestMigration(t *testing.T) {
	p := filepath.Join(t.TempDir(), "winnow.db")
	s, err := Create(p)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, event("a@example.org", "complaint", bounceimport.SuppressNow, now, ""))
	want := dump(t, s)
	s.Close()
	more := append(slices.Clone(migrations), migration{sql: "CREATE TABLE later (a TEXT) STRICT;"}, migration{sql: "INSERT INTO later VALUES ('x');"})
	if s, err = open(p, false, more); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); got != want {
		t.Error(firstDifference(got, want))
	}
	if n, err := s.int("SELECT count(*) FROM later"); n != 1 || err != nil {
		t.Error(n, err)
	}
	s.Close()
	if _, err := Open(p); err == nil || !strings.Contains(err.Error(), "newer winnow") {
		t.Errorf("an older winnow opens it: %v", err)
	}
	// A step that fails leaves the file at the old version.
	p2 := filepath.Join(t.TempDir(), "b.db")
	s, _ = open(p2, true, migrations)
	s.Close()
	if _, err := open(p2, false, append(slices.Clone(migrations), migration{sql: "CREATE TABLE half (a); SELECT nonsense;"})); err == nil {
		t.Error("a broken step passed")
	}
	if s, err = Open(p2); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// A history of schema 1, as released programs wrote it: nothing of it is lost, and
// what it held against domains whose servers answered is a sign of life.
func TestFromSchema1(t *testing.T) {
	p := filepath.Join(t.TempDir(), "old.db")
	c, err := sqlite.OpenConn(p, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	const row = "INSERT INTO event VALUES ('%s', '%s', '%s', %d, %d, %d, 0, '', '%s', 'r', 'a.csv:1', %d, '', '', '', '', 1);"
	script := migrations[0].sql + "PRAGMA application_id=0x776e6e77; PRAGMA user_version=1;" +
		fmt.Sprintf(row, "gone@example.org", "user_unknown", "suppress_now", 20000, 1728000000, 1728000000, "550 no such user", 550) +
		"INSERT INTO forgotten VALUES (x'0102', 'unsubscribe', 5); INSERT INTO meta VALUES ('hash_key', x'aa');"
	day := now.Add(-40*24*time.Hour).Unix() / 86400
	for i := range int64(6) {
		d := day + 6*i
		script += fmt.Sprintf(row, "@busy.example", "server_error", "count", d, d*86400+60, d*86400+60, "451 4.3.0 try later", 451)
		script += fmt.Sprintf(row, "@slow.example", "network_error", "count", d, d*86400+60, d*86400+60, "", 0)
		script += fmt.Sprintf(row, "@mute.example", "server_error", "count", d, d*86400+60, d*86400+60, "", 0)
	}
	if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
		t.Fatal(err)
	}
	c.Close()
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	got := records(t, s, now, nil)
	if got["gone@example.org"].Action != bounceimport.SuppressNow || got["gone@example.org"].Reply != "550 no such user" || got["@slow.example"].Action != bounceimport.Count || len(got) != 2 {
		t.Errorf("%+v", got)
	}
	st, err := s.Stats(context.Background(), now)
	if err != nil || st.Forgotten != 1 || st.Rows != 1+6+1 {
		t.Errorf("%+v %v", st, err)
	}
}

func TestPrivateAndSingleFile(t *testing.T) {
	s := create(t)
	add(t, s, event("a@example.org", "complaint", bounceimport.SuppressNow, now, ""))
	for _, name := range []string{"", "-wal", "-shm"} {
		if st, err := os.Stat(s.path + name); err == nil && st.Mode().Perm() != 0o600 {
			t.Errorf("winnow.db%s has mode %v", name, st.Mode())
		}
	}
	s.Close()
	files, _ := os.ReadDir(filepath.Dir(s.path))
	if len(files) != 1 {
		t.Errorf("left beside the history: %v", files)
	}
}

// Where nothing can be written, a history can still be read: it needs no files
// beside it. (Permissions do not stop the superuser, so this looks inside.)
func TestReadOnlyPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%41#?.db")
	s, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, event("a@example.org", "complaint", bounceimport.SuppressNow, now, ""))
	s.Close()
	conn, err := connect(path, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &Store{conn: conn, path: path}
	defer r.Close()
	if err := r.admit(false, false, migrations); err != nil {
		t.Fatal(err)
	}
	if len(records(t, r, now, nil)) != 1 {
		t.Error("nothing read")
	}
	if _, err := r.Forget(context.Background(), now, false, "a@example.org"); err == nil || !strings.Contains(err.Error(), "cannot be opened or written") {
		t.Errorf("writing: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left beside the history: %v", files)
	}
}

// Several processes may import and read at once.
func TestConcurrentUse(t *testing.T) {
	events := someEvents(rand.New(rand.NewPCG(3, 3)), 2000)
	want := create(t)
	add(t, want, events...)

	p := filepath.Join(t.TempDir(), "winnow.db")
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			s, err := Create(p)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			m := s.Begin(context.Background())
			m.limit, m.txRows = 1<<14, 50
			for i := k * 300; i < min(k*300+1100, len(events)); i++ {
				if err := m.Add(&events[i]); err != nil {
					t.Error(err)
					return
				}
				if i%400 == 0 {
					if err := s.Records(context.Background(), now, nil, func(string, bounceimport.Record) error { return nil }); err != nil {
						t.Error(err)
					}
				}
			}
			if err := m.Done(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := dump(t, s), dump(t, want); got != want {
		t.Error(firstDifference(got, want))
	}
}

// Judging again by the same rules moves nothing; by better rules it moves what
// they judge otherwise, as if it had been imported with them.
func TestReclassify(t *testing.T) {
	var c reply.Classifier
	var events []bounceimport.Event
	replies := []string{
		"550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table",
		"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
		"452 4.2.2 The email account that you tried to reach is over quota.",
		"550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
		"554 zorglub failure", "554 Mail from jane@example.net rejected for policy reasons.", "421 4.4.2 Connection timed out", "550 5.7.515 Access denied, sending domain example.org does not meet the required authentication level.",
		"554 5.7.1 " + strings.Repeat("a very long line of a server that has a lot to say ", 20) + " user unknown",
	}
	for i, said := range replies {
		for k := range 3 {
			e := bounceimport.Event{Recipient: fmt.Sprintf("user.%d%d@example%d.org", i, k, k), Time: now.Add(-time.Duration(i*50+k) * time.Hour), Source: fmt.Sprintf("a.csv:%d", len(events))}
			e.Reply = strings.ReplaceAll(said, "%s", e.Recipient)
			if k == 1 {
				e.Remote = "example1-org.mail.protection.outlook.com"
			}
			if k == 2 {
				e.Hint = "esp_suppressed"
			}
			e = judged(e, c.Classify)
			events = append(events, e, e)
			events[len(events)-1].Time = e.Time.Add(-time.Minute)
		}
	}
	ctx := context.Background()
	s := create(t)
	add(t, s, events...)
	before := dump(t, s)
	moved, err := s.Reclassify(ctx, c.Classify, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s); got != before {
		t.Errorf("the same rules moved %v:\n%s", moved, firstDifference(got, before))
	}

	better := func(e reply.Evidence) reply.Verdict {
		v := c.Classify(e)
		if strings.Contains(e.Reply, "zorglub") {
			v.Class = bounceimport.Class{Category: "policy_block", Bucket: "policy", Side: bounceimport.Sender, Action: bounceimport.Report, Rule: "mine"}
		}
		return v
	}
	if moved, err = s.Reclassify(ctx, better, false); err != nil || len(moved) == 0 || dump(t, s) != before {
		t.Fatalf("a look changed something, or saw nothing: %v %v", moved, err)
	}
	if _, err = s.Reclassify(ctx, better, true); err != nil {
		t.Fatal(err)
	}
	want := create(t)
	for i := range events {
		events[i] = judged(events[i], better)
	}
	add(t, want, events...)
	if got, want := dump(t, s), dump(t, want); got != want {
		t.Error(firstDifference(got, want))
	}
	if moved, err = s.Reclassify(ctx, better, true); err != nil || len(moved) != 0 {
		t.Errorf("again: %v %v", moved, err)
	}
}

// judged returns the event with the class that classify gives it.
func judged(e bounceimport.Event, classify func(reply.Evidence) reply.Verdict) bounceimport.Event {
	v := classify(reply.Evidence{Reply: e.Reply, Code: e.Code, Status: e.Status, Phase: e.Phase, Remote: e.Remote, Recipient: e.Recipient, Hint: e.Hint})
	e.Class, e.Code, e.Status, e.Phase = v.Class, v.Code, v.Status, v.Phase
	return e
}

// An outage shows in the history itself: its addresses are held, the others are
// not, and the order of imports does not matter.
func TestFoundIncidentIsHeld(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var events []bounceimport.Event
	bounce := func(to string, at time.Time) {
		events = append(events, event(to, "user_unknown", bounceimport.SuppressNow, at, "550 5.1.1 no such user"))
	}
	start := time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)
	for day := range 20 {
		for i := range 30 {
			domain := []string{"gmail.com", "yahoo.com", "example.org"}[i%3]
			bounce(fmt.Sprintf("d%d.u%d@%s", day, i, domain), start.AddDate(0, 0, day).Add(time.Duration(r.IntN(600))*time.Minute))
		}
	}
	outage := start.AddDate(0, 0, 12).Add(2 * time.Hour)
	for i := range 400 {
		bounce(fmt.Sprintf("alive%d@gmail.com", i), outage.Add(time.Duration(r.IntN(120))*time.Minute))
	}
	a, b := create(t), create(t)
	add(t, a, events...)
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	add(t, b, events[:500]...)
	add(t, b, events[500:]...)
	if got, want := dump(t, b), dump(t, a); got != want {
		t.Error(firstDifference(got, want))
	}
	held := 0
	for key, rec := range records(t, a, now, nil) {
		switch {
		case strings.HasPrefix(key, "alive"):
			if rec.Held == "" {
				t.Errorf("%s is not held: %+v", key, rec)
			}
			held++
		case strings.HasSuffix(key, "@gmail.com"): // some are in the same hours
		case rec.Held != "" || rec.Action != bounceimport.SuppressNow:
			t.Errorf("%s: %+v", key, rec)
		}
	}
	if held != 400 {
		t.Errorf("%d held", held)
	}
	st, err := a.Stats(context.Background(), now)
	if err != nil || len(st.Incidents) != 1 || st.Incidents[0].Provider != "google" || st.Held < 400 {
		t.Errorf("%+v %v", st.Incidents, err)
	}
}
