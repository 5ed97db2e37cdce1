package esp

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// sample holds every reason, and the addresses that files get wrong.
var sample = []Entry{
	{Address: "gone@example.com", Reason: HardBounce, Word: "bounce_user_unknown", Code: 550, Status: "5.1.1", Text: `550 5.1.1 <gone@example.com>: "user" unknown, really`, At: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC), Source: "bounces.csv:7"},
	{Address: "Gone@example.com", Key: "gone@example.com", Reason: HardBounce, Word: "bounce_user_unknown"},
	{Address: "ann@nomail.example", Reason: DeadDomain, Word: "domain_null_mx", Text: "the domain says that it takes no mail", At: time.Date(2026, 3, 2, 0, 0, 0, 0, time.FixedZone("", 3600))},
	{Address: "spam@example.net", Reason: Complaint, Word: "bounce_complaint"},
	{Address: "out@example.net", Reason: Unsubscribe, Word: "user_unsubscribed", At: time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC)},
	{Address: "block@example.net", Reason: Manual, Word: "user_suppressed"},
	{Address: "no at sign", Reason: Invalid, Word: "syntax_no_at"},
	{Address: "full@example.org", Reason: SoftBounce, Word: "bounce_mailbox_full"},
	{Address: "x@throwaway.example", Reason: Disposable, Word: "disposable_domain"},
	{Address: "postmaster@example.org", Reason: Role, Word: "role_system"},
	{Address: "joe@gmial.com", Reason: Typo, Word: "domain_typo"},
	{Address: `"two words"@example.org`, Reason: HardBounce, Word: "bounce_user_unknown"},
	{Address: "jürgen@example.org", Reason: HardBounce, Word: "bounce_user_unknown"},
	{Address: "=cmd+1@example.org", Reason: HardBounce, Word: "bounce_user_unknown", Code: 554, Text: "=HYPERLINK(\"http://x\")\r\n\x1b[31mred"},
	{Address: "held@example.org", Word: "bounce_ip_reputation"},
}

func source(name string, es []Entry, kept ...string) *Source {
	s := &Source{Name: name, Each: func(ctx context.Context, yield func(*Entry) error) error {
		for i := range es {
			e := es[i]
			if err := yield(&e); err != nil {
				return err
			}
		}
		return ctx.Err()
	}}
	if kept != nil {
		s.Kept = func(_ context.Context, yield func(string) error) error {
			for _, k := range kept {
				if err := yield(k); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return s
}

var testKey = []byte("0123456789abcdef")

func TestGolden(t *testing.T) {
	for _, tg := range Targets() {
		t.Run(tg.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			rep, err := Write(t.Context(), dir, tg, source("sample", sample), Options{Include: []Reason{Disposable}, HMACKey: testKey, Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if got := rep.balance(); got != int64(len(sample)) || rep.Entries != got {
				t.Errorf("%d entries, %d read, %d accounted for", len(sample), rep.Entries, got)
			}
			// One page a target: its files one after the other. The manifest and the
			// state have the same form everywhere and are shown once.
			var page bytes.Buffer
			for _, e := range must(os.ReadDir(dir))(t) {
				if fi := must(e.Info())(t); fi.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v", e.Name(), fi.Mode())
				}
				if (e.Name() == manifestName || e.Name() == stateName) && tg != csvTarget {
					continue
				}
				fmt.Fprintf(&page, "-- %s --\n%s", e.Name(), must(os.ReadFile(filepath.Join(dir, e.Name())))(t))
			}
			golden := filepath.Join("../../testdata/esp", tg.Name+".golden")
			if *update {
				if err := os.WriteFile(golden, page.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := must(os.ReadFile(golden))(t); !bytes.Equal(page.Bytes(), want) {
				t.Errorf("got:\n%s\nwant:\n%s", page.Bytes(), want)
			}
			if fi := must(os.Stat(dir))(t); fi.Mode().Perm() != 0o700 {
				t.Errorf("the directory has mode %v", fi.Mode())
			}
		})
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestTargets checks that the table is whole: what a target says it can hold
// has a file to stand in, and every target says how to import it.
func TestTargets(t *testing.T) {
	seen := map[string]bool{}
	for _, tg := range Targets() {
		if seen[tg.Name] || tg.Name != strings.ToLower(tg.Name) {
			t.Errorf("%s: bad or repeated name", tg.Name)
		}
		seen[tg.Name] = true
		if len(tg.Steps) == 0 || tg.Title == "" || tg.Scope == "" || len(tg.Words) == 0 {
			t.Errorf("%s: its line is not complete", tg.Name)
		}
		for r := range tg.Words {
			n := 0
			for _, f := range tg.files {
				if f.reasons == nil || slices.Contains(f.reasons, r) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s: the reason %s has %d files", tg.Name, r, n)
			}
		}
		for _, f := range tg.files {
			for _, r := range f.reasons {
				if tg.Words[r] == "" {
					t.Errorf("%s: the file %s has the reason %s, for which there is no word", tg.Name, f.name, r)
				}
			}
		}
		if tg.CanPush() && tg.Batch == 0 {
			t.Errorf("%s: can be pushed to without a limit of a call", tg.Name)
		}
		if got := must(Find(tg.Name))(t); got != tg {
			t.Errorf("Find(%s) = %s", tg.Name, got.Name)
		}
	}
	if _, err := Find("nobody"); err == nil || !strings.Contains(err.Error(), "mailgun") {
		t.Errorf("Find(nobody): %v", err)
	}
}

// TestReasonOf walks the frozen reasons of the whole program: each has a place,
// and no sender-side or undecided one can leave.
func TestReasonOf(t *testing.T) {
	for word, want := range map[string]Reason{
		"bounce_user_unknown": HardBounce, "bounce_mailbox_full": SoftBounce, "bounce_complaint": Complaint,
		"bounce_ip_reputation": "", "bounce_policy_block": "", "bounce_relay_denied": "", "bounce_auth_failure": "",
		"user_unsubscribed": Unsubscribe, "user_suppressed": Manual, "user_allowed": "",
		"syntax_no_at": Invalid, "domain_null_mx": DeadDomain, "mx_no_address": DeadDomain, "domain_typo": Typo,
		"disposable_domain": Disposable, "role_system": Role, "dns_persistent_failure": SoftBounce, "ok": "", "duplicate": "", "dns_timeout": "", "nonsense": "",
	} {
		if got, ok := ReasonOf(word); got != want || ok != (want != "") {
			t.Errorf("ReasonOf(%s) = %q, %v; want %q", word, got, ok, want)
		}
	}
	b, err := os.ReadFile("../../testdata/reasons.golden")
	if err != nil {
		t.Skip("skipped: testdata/reasons.golden is not there")
	}
	sender := regexp.MustCompile(`reputation|rate|ptr|auth|tls|sender_rejected|spam|virus|message|policy|relay|protocol|rcpts|greylist|delayed|auto_reply|delivered|not_spam|held`)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		r, ok := ReasonOf(f[0])
		family, rest, _ := strings.Cut(f[0], "_")
		switch family {
		case "bounce":
			if sender.MatchString(rest) == ok {
				t.Errorf("%s: leaves = %v", f[0], ok)
			}
		case "syntax", "domain", "mx", "disposable", "role":
			if !ok {
				t.Errorf("%s has no reason", f[0])
			}
		case "user":
			if ok == (rest == "allowed") {
				t.Errorf("%s: leaves = %v", f[0], ok)
			}
		case "dns", "ok", "duplicate", "no", "several", "fix":
			if ok {
				t.Errorf("%s leaves as %s", f[0], r)
			}
		}
	}
}

func many(n int) []Entry {
	es := make([]Entry, n)
	for i := range es {
		es[i] = Entry{Address: fmt.Sprintf("person%07d@example.com", i), Reason: HardBounce, Word: "bounce_user_unknown"}
	}
	return es
}

// TestParts checks the split: no part is over the limits, every row is in
// exactly one part, and every part has its header.
func TestParts(t *testing.T) {
	const n = 100_001
	dir := filepath.Join(t.TempDir(), "out")
	rep, err := Write(t.Context(), dir, constantcontact, source("many", many(n)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen, partsSeen := map[string]bool{}, 0
	for _, f := range rep.Files {
		if f.Name == stateName {
			continue
		}
		partsSeen++
		b := must(os.ReadFile(filepath.Join(dir, f.Name)))(t)
		rows := must(csv.NewReader(bytes.NewReader(b)).ReadAll())(t)
		if len(rows) > 40000 || len(b) > 4_000_000 || int64(len(b)) != f.Bytes || int64(len(rows)-1) != f.Records {
			t.Errorf("%s: %d rows, %d bytes; manifest %+v", f.Name, len(rows), len(b), f)
		}
		if rows[0][0] != "Email address" {
			t.Errorf("%s starts with %q", f.Name, rows[0])
		}
		for _, r := range rows[1:] {
			if seen[r[0]] {
				t.Fatalf("%s is in two parts", r[0])
			}
			seen[r[0]] = true
		}
	}
	if len(seen) != n || partsSeen != 3 {
		t.Errorf("%d addresses in %d parts", len(seen), partsSeen)
	}
	// By bytes: a limit that no part may pass.
	small := *brevo
	small.MaxBytes = 1000
	rep, err = Write(t.Context(), filepath.Join(t.TempDir(), "out"), &small, source("many", many(100)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range rep.Files {
		if f.Name != stateName {
			if total += f.Addresses; f.Bytes > 1000 {
				t.Errorf("%s has %d bytes", f.Name, f.Bytes)
			}
		}
	}
	if total != 100 {
		t.Errorf("%d addresses", total)
	}
}

// TestWriteAtomic: an error leaves what was there, and nothing beside it.
func TestWriteAtomic(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "out")
	if _, err := Write(t.Context(), dir, mailgun, source("first", sample), Options{}); err != nil {
		t.Fatal(err)
	}
	before := must(os.ReadFile(filepath.Join(dir, manifestName)))(t)
	boom := errors.New("boom")
	bad := &Source{Name: "bad", Each: func(_ context.Context, yield func(*Entry) error) error {
		for _, e := range many(1000) {
			if err := yield(&e); err != nil {
				return err
			}
		}
		return boom
	}}
	if _, err := Write(t.Context(), dir, mailgun, bad, Options{}); !errors.Is(err, boom) {
		t.Fatalf("error %v", err)
	}
	if got := must(os.ReadFile(filepath.Join(dir, manifestName)))(t); !bytes.Equal(got, before) {
		t.Error("the earlier export was changed")
	}
	if names := must(os.ReadDir(top))(t); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if _, err := Write(t.Context(), dir, ses, source("second", sample), Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ses-suppressions.csv")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "mailgun-bounces.csv")); err == nil {
		t.Error("files of two exports are mixed")
	}
	if names := must(os.ReadDir(top))(t); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	mine := filepath.Join(top, "mine")
	os.Mkdir(mine, 0o700)
	os.WriteFile(filepath.Join(mine, "thesis.txt"), []byte("x"), 0o600)
	if _, err := Write(t.Context(), mine, ses, source("x", sample), Options{}); err == nil {
		t.Error("a directory with other files was replaced")
	}
}

func TestHashed(t *testing.T) {
	for name, want := range map[string]string{
		// printf 'ann@example.com' | md5sum, sha256sum, openssl dgst -sha256 -hmac 0123456789abcdef
		"md5":    "257c57037d384ae37ea27a07e8a01665",
		"sha256": "71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476",
		"hmac":   "9f70eb4f1d9f0194d58bc08c41ce2b3b2e4e580a424a246ce2484484122343df",
	} {
		tg := must(Find(name))(t)
		for _, in := range []string{"ann@example.com", " Ann@Example.com "} {
			if got := must(tg.digest(in, testKey))(t); got != want {
				t.Errorf("%s of %q: %s, want %s", name, in, got, want)
			}
		}
	}
	if _, err := hmacTarget.digest("a@b", []byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\r\n\x1b[31mb\u202ec\x00d\xff", 100); got != "a   [31mb c d?" {
		t.Errorf("oneLine: %q", got)
	}
	if got := oneLine(strings.Repeat("é", 10), 5); got != "éé" {
		t.Errorf("oneLine cut: %q", got)
	}
}

func TestPlain(t *testing.T) {
	for _, a := range []string{"a@b.co", "a.b+c@x-y.example.com", "=x@example.org", "o'neil@example.org", "x@xn--bcher-kva.example"} {
		if !plain(a) {
			t.Errorf("%s is refused", a)
		}
	}
	for _, a := range []string{"", "@", "a@b", "a@@b.co", `"a b"@b.co`, "a@[192.0.2.1]", "ü@b.co", "a@b..co", ".a@b.co", "a.@b.co", "a..b@b.co", "a,b@b.co", "a@-b.co", strings.Repeat("a", 65) + "@b.co", "a\n@b.co"} {
		if plain(a) {
			t.Errorf("%q is taken", a)
		}
	}
}

// TestHashedHoldsNoAddress: a directory of digests can be handed on.
func TestHashedHoldsNoAddress(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.jsonl")
	os.WriteFile(there, []byte("{\"address\":\"kept@example.com\"}\n{\"address\":\"out@example.net\"}\n"), 0o600)
	for _, tg := range []*Target{md5Target, sha256Target, hmacTarget} {
		out := filepath.Join(dir, tg.Name)
		rep, err := Write(t.Context(), out, tg, source("sample", sample, "kept@example.com"), Options{HMACKey: testKey, Against: there, Since: there})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Conflicts != 1 || rep.There != 1 || rep.Released != 1 {
			t.Errorf("%+v", rep)
		}
		for _, f := range rep.Files {
			got := string(must(os.ReadFile(filepath.Join(out, f.Name)))(t))
			for _, e := range append(sample, Entry{Address: "kept@example.com"}) {
				if strings.Contains(got, e.Address) {
					t.Errorf("%s/%s holds %s", tg.Name, f.Name, e.Address)
				}
			}
		}
	}
}

func TestParseInclude(t *testing.T) {
	got, err := ParseInclude("disposable, role,typo,soft")
	if err != nil || !slices.Equal(got, []Reason{Disposable, Role, Typo, SoftBounce}) {
		t.Error(got, err)
	}
	if _, err := ParseInclude("review"); err == nil {
		t.Error("review may leave")
	}
}

func TestManifest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	rep, err := Write(t.Context(), dir, sendgridGroup, source("sample", sample), Options{Version: "v"})
	if err != nil {
		t.Fatal(err)
	}
	var m Report
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(dir, manifestName)))(t), &m); err != nil {
		t.Fatal(err)
	}
	if m.Written != rep.Written || m.Kind != "winnow-export" || m.CannotHold["hard_bounce"] == 0 || m.CannotHold["complaint"] != 1 {
		t.Errorf("%+v", m)
	}
	if rep.Written != 2 { // the unsubscribe and the user's own block
		t.Errorf("written %d", rep.Written)
	}
}

func BenchmarkWrite(b *testing.B) {
	es := many(100_000)
	for _, tg := range []*Target{mailgun, ses, md5Target} {
		b.Run(tg.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Write(context.Background(), filepath.Join(b.TempDir(), "out"), tg, source("many", es), Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(es)*b.N)/b.Elapsed().Seconds(), "addresses/s")
		})
	}
}

// BenchmarkRun is the whole way: a run's suppressed.csv in, import files out.
func BenchmarkRun(b *testing.B) {
	const n = 100_000
	var csv bytes.Buffer
	csv.WriteString("Name,Email,City,winnow_reason,winnow_detail,winnow_suggestion,winnow_evidence,winnow_date\n")
	for i := range n {
		fmt.Fprintf(&csv, "Ann %d,person%d@quietharbor%d.com,Oslo,bounce_user_unknown,\"The mail system answered that the mailbox does not exist, last on 2026-04-01.\",,\"user_unknown: 550 5.1.1 <person%d@quietharbor.com>: Recipient address rejected (bounces.csv:%d, 2026-04-01)\",2026-04-01\n", i, i, i%97, i, i)
	}
	path := filepath.Join(b.TempDir(), "suppressed.csv")
	if err := os.WriteFile(path, csv.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	src, err := OpenRun(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(csv.Len()))
	for b.Loop() {
		rep, err := Write(context.Background(), filepath.Join(b.TempDir(), "out"), mailgun, src, Options{})
		if err != nil || rep.Written != n {
			b.Fatal(rep, err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "addresses/s")
}
