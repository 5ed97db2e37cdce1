package winnow

import (
	"archive/zip"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/validate"
)

// clean runs a job over lists given as text and returns the files of the run.
func clean(t *testing.T, j Job, lists ...string) (map[string]string, *Summary) {
	t.Helper()
	dir := t.TempDir()
	for i, text := range lists {
		p := filepath.Join(dir, "list"+string(rune('a'+i))+".csv")
		write(t, p, text)
		j.Lists = append(j.Lists, p)
	}
	j.Out = filepath.Join(dir, "out")
	s, err := Run(context.Background(), &j)
	if err != nil {
		t.Fatal(err)
	}
	return filesOf(t, j.Out), s
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files returns what a run directory holds, without summary.json.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	m := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if st, err := e.Info(); err != nil {
			return err
		} else if want := os.FileMode(0o600); e.IsDir() && st.Mode().Perm() != 0o700 || !e.IsDir() && st.Mode().Perm() != want {
			t.Errorf("%s has mode %v", p, st.Mode())
		}
		if e.IsDir() || e.Name() == "summary.json" {
			return nil
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		m[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// table is a resolver that knows its answers.
type table map[string]validate.Answer

func (m table) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	for d := range domains {
		a, ok := m[d]
		if !ok {
			a = validate.Answer{Verdict: validate.Accepts, Reason: "mx_ok"}
		}
		a.Domain = d
		each(a)
	}
	return ctx.Err()
}

// records is a source of evidence.
type records map[string]bounceimport.Record

func (m records) Records(ctx context.Context, now time.Time, want func(string) bool, yield func(string, bounceimport.Record) error) error {
	for k, r := range m {
		if want == nil || want(k) {
			if err := yield(k, r); err != nil {
				return err
			}
		}
	}
	return nil
}

var march = time.Date(2026, 3, 12, 9, 0, 0, 0, time.UTC)

func TestRun(t *testing.T) {
	got, s := clean(t, Job{
		Resolver: table{"dead.net": {Verdict: validate.DoesNotAccept, Reason: "domain_null_mx", ObservedAt: march}},
		Evidence: []bounceimport.Source{records{
			"gone@firm.org":   {Category: "user_unknown", Action: bounceimport.SuppressNow, Last: march, Reply: "=550 5.1.1 no such user", Source: "b.csv:7", Events: 1},
			"sender@firm.org": {Category: "ip_reputation", Action: bounceimport.SuppressNow, Last: march, Source: "b.csv:8", Events: 1},
			"else@firm.org":   {Category: "user_unknown", Action: bounceimport.SuppressNow},
		}},
	}, "Name,Email\nAnn,ann@firm.org\n\"B, ob\",bob@dead.net\nG,Gone@firm.org\nAnn 2,ANN@FIRM.org\nG2,gone@firm.org\nS,sender@firm.org\nX,not an address\n")
	want := map[string]string{
		"cleaned.csv":    "Name,Email\nAnn,ann@firm.org\nS,sender@firm.org\n",
		"duplicates.csv": "Name,Email,winnow_first_record\nAnn 2,ANN@FIRM.org,1\n",
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got[name], text)
		}
	}
	supp := got["suppressed.csv"]
	for _, part := range []string{
		"Name,Email,winnow_reason,winnow_detail,winnow_suggestion,winnow_evidence,winnow_date\n",
		"\"B, ob\",bob@dead.net,domain_null_mx,",
		"G,Gone@firm.org,bounce_user_unknown,",
		"G2,gone@firm.org,bounce_user_unknown,",
		"\"user_unknown: =550 5.1.1 no such user (b.csv:7, 2026-03-12)\",2026-03-12\n",
	} {
		if !strings.Contains(supp, part) {
			t.Errorf("suppressed.csv lacks %q:\n%s", part, supp)
		}
	}
	if s.Records != 7 || s.Lists[export.Cleaned] != 2 || s.Lists[export.Suppressed] != 4 || s.Lists[export.Duplicates] != 1 {
		t.Errorf("summary: %d %v", s.Records, s.Lists)
	}
	if s.Bounces.OnList != 3 {
		t.Errorf("%d records with evidence", s.Bounces.OnList)
	}
}

func TestSpreadsheetSafe(t *testing.T) {
	got, _ := clean(t, Job{SpreadsheetSafe: true}, "Email;Note\n+tag@firm.org;=1+1\nann@firm.org;\"a;b\"\n")
	if want := "\uFEFFEmail,Note\n'+tag@firm.org,'=1+1\nann@firm.org,a;b\n"; got["cleaned.spreadsheet.csv"] != want {
		t.Errorf("got %q", got["cleaned.spreadsheet.csv"])
	}
	semicolons, _ := clean(t, Job{SpreadsheetSafe: true}, "Email,Note\nann@firm.org,Bob;=cmd|' /c calc'!A1\nbob@firm.org,\"two\n=1+1\"\n")
	if want := "\uFEFFEmail,Note\nann@firm.org,Bob;'=cmd|' /c calc'!A1\nbob@firm.org,\"two\n'=1+1\"\n"; semicolons["cleaned.spreadsheet.csv"] != want {
		t.Errorf("where semicolons divide: %q", semicolons["cleaned.spreadsheet.csv"])
	}
	if want := "Email;Note\n+tag@firm.org;=1+1\nann@firm.org;\"a;b\"\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned.csv changed: %q", got["cleaned.csv"])
	}
}

// reasons returns the first and the reason column of a suppressed.csv or review.csv.
func reasons(text string) string {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Sprint(err)
	}
	at := slices.Index(rows[0], "winnow_reason")
	if at < 0 {
		return "no column winnow_reason"
	}
	var s []string
	for _, r := range rows[1:] {
		s = append(s, r[0]+":"+r[at])
	}
	return strings.Join(s, " ")
}

func TestStatusColumns(t *testing.T) {
	// A person who unsubscribed once has unsubscribed, whichever copy says so.
	got, s := clean(t, Job{}, "Email,UNSUB_TIME,CLEAN_TIME\n"+
		"a@firm.org,,\nb@firm.org,2024-03-01 10:00:00,\nA@firm.org,2024-03-01 10:00:00,\na@firm.org,,\nc@firm.org,,2024-05-01 00:00:00\nd@firm.org,,\n")
	if want := "Email,UNSUB_TIME,CLEAN_TIME\nd@firm.org,,\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned: %q", got["cleaned.csv"])
	}
	if want := "a@firm.org:user_unsubscribed b@firm.org:user_unsubscribed A@firm.org:user_unsubscribed a@firm.org:user_unsubscribed c@firm.org:user_bounced"; reasons(got["suppressed.csv"]) != want {
		t.Errorf("suppressed: %s", reasons(got["suppressed.csv"]))
	}
	in := s.Inputs[0]
	if len(in.StatusCols) != 2 || in.StatusCols[0].Rows != 2 || in.StatusCols[1].Rows != 1 || in.StatusCols[0].Name != "UNSUB_TIME" {
		t.Errorf("status columns: %+v", in.StatusCols)
	}
	if !strings.Contains(got["suppressed.csv"], `user_unsubscribed (column ""UNSUB_TIME"" of lista.csv)`) {
		t.Errorf("no evidence of the column:\n%s", got["suppressed.csv"])
	}
}

func hexOf(sum []byte) string { return hex.EncodeToString(sum) }

func TestUserLists(t *testing.T) {
	md := md5.Sum([]byte("b@firm.org"))
	sh1 := sha1.Sum([]byte("c@firm.org"))
	sh2 := sha256.Sum256([]byte("d@firm.org"))
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte("e@firm.org"))
	other := md5.Sum([]byte("not on the list"))
	list := "Email\na@firm.org\nB@firm.org\nc@firm.org\nd@firm.org\ne@firm.org\nf@blocked.org\ng@also.net\nh@firm.org\ni@good.org\nj@sub.blocked.org\n"
	entries := []string{hexOf(md[:]), strings.ToUpper(hexOf(sh1[:])), hexOf(sh2[:]), hexOf(mac.Sum(nil)), hexOf(other[:]), "A@Firm.org", "@blocked.org", "also.net", "i@good.org", "what is this"}
	const want = "a@firm.org:user_suppressed B@firm.org:user_suppressed c@firm.org:user_suppressed d@firm.org:user_suppressed e@firm.org:user_suppressed f@blocked.org:user_suppressed g@also.net:user_suppressed i@good.org:user_suppressed"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hash first": strings.Join(entries, "\n"),
		"header":     "email\n" + strings.Join(entries, "\r\n") + "\r\n",
		"title":      "Exported by us\n\nemail\n" + strings.Join(entries, "\n"),
		"columns":    "created,email,reason\n2024-01-01," + strings.Join(entries, ",bounce\n2024-01-01,") + ",bounce\n",
		"reversed":   func() string { e := slices.Clone(entries); slices.Reverse(e); return strings.Join(e, "\n") + "\n" }(),
	} {
		got, s := clean(t, Job{
			Suppress: []string{write(t, filepath.Join(dir, "never.txt"), text)},
			Allow:    []string{write(t, filepath.Join(dir, "allow.txt"), "i@good.org\nh@firm.org\n")},
			HMACKey:  []byte("key"),
		}, list)
		if reasons(got["suppressed.csv"]) != want {
			t.Errorf("%s: %s", name, reasons(got["suppressed.csv"]))
		}
		if got["cleaned.csv"] != "Email\nh@firm.org\nj@sub.blocked.org\n" {
			t.Errorf("%s: cleaned %q", name, got["cleaned.csv"])
		}
		if len(s.Inputs) != 3 || s.Inputs[1].Role != "suppress" || s.Inputs[2].Role != "allow" || len(s.Inputs[1].SHA256) != 64 {
			t.Errorf("%s: inputs %+v", name, s.Inputs)
		}
		if name == "reversed" || name == "title" { // what may be a header is not counted
			continue
		}
		if len(s.Notes) != 1 || !strings.HasPrefix(s.Notes[0], "1 lines of never.txt are not an address") {
			t.Errorf("%s: notes %q", name, s.Notes)
		}
	}
	// Hashes in another column than the first.
	got, _ := clean(t, Job{Suppress: []string{write(t, filepath.Join(dir, "table.csv"), "id,md5,note\n1,"+entries[0]+",x\n2,"+entries[4]+",y\n")}}, list)
	if r := reasons(got["suppressed.csv"]); r != "B@firm.org:user_suppressed" {
		t.Errorf("hashes in column 2: %s", r)
	}
	// A file that holds nothing of use is a mistake.
	j := Job{Lists: []string{write(t, filepath.Join(dir, "l.csv"), list)}, Out: filepath.Join(dir, "out"), Suppress: []string{write(t, filepath.Join(dir, "never.txt"), "id\n17\n18\n")}}
	if _, err := Run(context.Background(), &j); err == nil || !strings.Contains(err.Error(), "never.txt:") {
		t.Errorf("a useless list: %v", err)
	}
	// An empty list suppresses nobody.
	got, _ = clean(t, Job{Suppress: []string{write(t, filepath.Join(dir, "empty.txt"), "")}}, "Email\na@firm.org\n")
	if got["cleaned.csv"] != "Email\na@firm.org\n" {
		t.Errorf("cleaned %q", got["cleaned.csv"])
	}
}

// What a run suppressed can be given to the next as it is.
func TestFeedBack(t *testing.T) {
	list := "Name,Email\nA,a@firm.org\nB,b@firm.org\nC,broken@@firm.org\nD,d@firm.org\nA2,A@firm.org\n"
	dir := t.TempDir()
	never := write(t, filepath.Join(dir, "never.txt"), "b@firm.org\n")
	first, s := clean(t, Job{Suppress: []string{never}}, list)
	again, s2 := clean(t, Job{Suppress: []string{write(t, filepath.Join(dir, "supp.csv"), first["suppressed.csv"])}}, first["cleaned.csv"])
	if again["cleaned.csv"] != first["cleaned.csv"] || s2.Lists[export.Cleaned] != s2.Records || s.Lists[export.Cleaned] != 2 {
		t.Errorf("the second run changed rows: %v\n%s", s2.Lists, again["cleaned.csv"])
	}
	third, _ := clean(t, Job{Suppress: []string{write(t, filepath.Join(dir, "supp.csv"), first["suppressed.csv"])}}, list)
	if third["cleaned.csv"] != first["cleaned.csv"] {
		t.Errorf("the suppressed list fed back: %q", third["cleaned.csv"])
	}
}

func TestSeveralLists(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	j := Job{Out: filepath.Join(dir, "out"), Lists: []string{
		write(t, filepath.Join(dir, "shop.csv"), "Email,Name\na@firm.org,A\nb@firm.org,B\n"),
		write(t, filepath.Join(dir, "old", "shop.csv"), "Name;E-Mail\r\nA;A@FIRM.org\r\nC;c@firm.org\r\n"),
		write(t, filepath.Join(dir, "fair.txt"), "d@firm.org\nc@firm.org\n"),
	}}
	s, err := Run(context.Background(), &j)
	if err != nil {
		t.Fatal(err)
	}
	got := filesOf(t, j.Out)
	want := map[string]string{
		"shop/cleaned.csv":      "Email,Name\na@firm.org,A\nb@firm.org,B\n",
		"shop/suppressed.csv":   "Email,Name,winnow_reason,winnow_detail,winnow_suggestion,winnow_evidence,winnow_date\n",
		"shop-2/cleaned.csv":    "Name;E-Mail\r\nC;c@firm.org\r\n",
		"shop-2/suppressed.csv": "Name;E-Mail;winnow_reason;winnow_detail;winnow_suggestion;winnow_evidence;winnow_date\r\n",
		"shop-2/duplicates.csv": "Name;E-Mail;winnow_first_record\r\nA;A@FIRM.org;shop:1\r\n",
		"fair/cleaned.csv":      "d@firm.org\n",
		"fair/suppressed.csv":   "",
		"fair/duplicates.csv":   "c@firm.org,shop-2:2\n",
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: %q, want %q", name, got[name], text)
		}
	}
	if len(got) != len(want) || s.Records != 6 || s.Lists[export.Duplicates] != 2 || len(s.Inputs) != 3 {
		t.Errorf("%d files, %d records, %v", len(got), s.Records, s.Lists)
	}
}

func TestDedupe(t *testing.T) {
	const list = "Email\nAnn.Lee@gmail.com\nann.lee@gmail.com\nannlee+shop@googlemail.com\na.b@firm.org\nab@firm.org\n"
	never := write(t, filepath.Join(t.TempDir(), "never.txt"), "a.n.n.l.e.e@gmail.com\n")
	for _, c := range []struct {
		mode                            Dedupe
		cleaned, duplicates, suppressed int64
		withSuppress                    int64 // kept when another spelling is suppressed
	}{
		{"exact", 5, 0, 0, 5}, {"key", 4, 1, 0, 4}, {"", 4, 1, 0, 4}, {"provider", 3, 2, 0, 2}, {"off", 5, 0, 0, 5},
	} {
		_, s := clean(t, Job{Dedupe: c.mode}, list)
		if s.Lists[export.Cleaned] != c.cleaned || s.Lists[export.Duplicates] != c.duplicates {
			t.Errorf("%s: %v", c.mode, s.Lists)
		}
		_, s = clean(t, Job{Dedupe: c.mode, Suppress: []string{never}}, list)
		if s.Lists[export.Cleaned] != c.withSuppress {
			t.Errorf("%s with a suppression: %v", c.mode, s.Lists)
		}
	}
}

func TestApplyFixes(t *testing.T) {
	list := "Name,Email\nA,annabel.a@gmial.com\nB,annabel.b@gmial.com\nC,\"annabel.c@gmial.com\"\nD,annabel.a@gmail.com\nE,annabel.e@gmial.com\n"
	got, s := clean(t, Job{}, list)
	if s.Lists[export.Suppressed] != 4 || len(s.Typos) != 1 || s.Typos[0].N != 4 {
		t.Fatalf("%v %+v", s.Lists, s.Typos)
	}
	fixes := got["fixes.csv"]
	if want := "address,suggestion,why,rows,accept\nannabel.a@gmial.com,annabel.a@gmail.com,gmial.com is probably gmail.com,1,\n"; !strings.HasPrefix(fixes, want) {
		t.Fatalf("fixes.csv: %q", fixes)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "fixes.csv")
	lines := strings.SplitAfter(fixes, "\n")
	write(t, path, lines[0]+strings.Replace(lines[1], ",1,", ",1,yes", 1)+lines[2]+strings.Replace(lines[3], ",1,", ",1,Yes", 1)+strings.Replace(lines[4], ",1,", ",1,x", 1))
	got, s = clean(t, Job{ApplyFixes: path, Suppress: []string{write(t, filepath.Join(dir, "n.txt"), "annabel.e@gmail.com\n")}}, list)
	if want := "Name,Email\nA,annabel.a@gmail.com\nC,\"annabel.c@gmail.com\"\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned: %q", got["cleaned.csv"])
	}
	if want := "record,address,fixed\n1,annabel.a@gmial.com,annabel.a@gmail.com\n3,annabel.c@gmial.com,annabel.c@gmail.com\n"; got["fixed.csv"] != want {
		t.Errorf("fixed: %q, review %q", got["fixed.csv"], got["review.csv"])
	}
	if got["duplicates.csv"] != "Name,Email,winnow_first_record\nD,annabel.a@gmail.com,1\n" || reasons(got["suppressed.csv"]) != "B:domain_typo E:user_suppressed" {
		t.Errorf("duplicates %q, suppressed %s", got["duplicates.csv"], reasons(got["suppressed.csv"]))
	}
	if len(s.Notes) != 1 || !strings.HasPrefix(s.Notes[0], "2 addresses were changed") {
		t.Errorf("notes: %q", s.Notes)
	}
	for text, want := range map[string]string{
		fixes:                                   "no fix is accepted",
		"address,suggestion\na@b.org,a@c.org\n": `no column "accept"`,
		"address,suggestion,accept\na@b.org,x@c.org,yes\n":                  "may change the domain",
		"address,suggestion,accept\na@b.org,a@c.org,perhaps\n":              `write yes or no`,
		"address,suggestion,accept\na@b.org,a@c.org,y\nA@b.org,A@d.org,y\n": "two different fixes",
	} {
		j := Job{Lists: []string{write(t, filepath.Join(dir, "l.csv"), list)}, ApplyFixes: write(t, path, text), Out: filepath.Join(dir, "out")}
		if _, err := Run(context.Background(), &j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A typo that breaks the syntax can be fixed too.
func TestApplyFixesOfSyntax(t *testing.T) {
	list := "Name,Email\nA,anna.becker@gmail..com\nB,ben.costa@gmail..com\n"
	got, _ := clean(t, Job{}, list)
	lines := strings.SplitAfter(got["fixes.csv"], "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "anna.becker@gmail..com,anna.becker@gmail.com,") {
		t.Fatalf("fixes.csv: %q", got["fixes.csv"])
	}
	path := write(t, filepath.Join(t.TempDir(), "fixes.csv"), lines[0]+strings.Replace(lines[1], ",1,\n", ",1,yes\n", 1)+lines[2])
	got, _ = clean(t, Job{ApplyFixes: path}, list)
	if got["cleaned.csv"] != "Name,Email\nA,anna.becker@gmail.com\n" || got["fixed.csv"] != "record,address,fixed\n1,anna.becker@gmail..com,anna.becker@gmail.com\n" {
		t.Errorf("%q", got)
	}
	if !strings.HasPrefix(got["fixes.csv"], lines[0]+lines[2]) {
		t.Errorf("fixes.csv: %q", got["fixes.csv"])
	}
}

func TestRejected(t *testing.T) {
	wide := strings.Repeat("x,", 3000)
	got, s := clean(t, Job{}, "Email,Note\na@firm.org,x\n"+wide+"\"q\"\nb@firm.org,y\n")
	if s.Lists[export.Rejected] != 1 || s.Lists[export.Cleaned] != 2 {
		t.Fatalf("%v", s.Lists)
	}
	if rows, err := csv.NewReader(strings.NewReader(got["rejected.csv"])).ReadAll(); err != nil || len(rows) != 2 || rows[1][0] != "3" || rows[1][1] == "" || rows[1][2] != wide+"\"q\"\n" {
		t.Errorf("%v %q", err, rows)
	}
}

// failing is a resolver that gives up.
type failing struct{}

func (failing) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	each(validate.Answer{Domain: <-domains, Verdict: validate.Unknown, Reason: "dns_timeout"})
	return errors.New("no resolver answers")
}

func TestUnusableDNS(t *testing.T) {
	var list strings.Builder
	list.WriteString("Email\n")
	for i := range 5000 {
		fmt.Fprintf(&list, "a@firm%d.org\n", i)
	}
	got, s := clean(t, Job{Resolver: failing{}}, list.String())
	if got["cleaned.csv"] != list.String() {
		t.Error("a row was lost for a resolver that does not work")
	}
	if s.DNS == nil || s.DNS.Unusable != "no resolver answers" || s.DNS.Domains != 5000 || s.DNS.Reasons[decide.ReasonDNSNoAnswer] != 4999 {
		t.Errorf("%+v", s.DNS)
	}
	if s.Verdicts["unknown"] != 5000 {
		t.Errorf("%v", s.Verdicts)
	}
}

func TestCancel(t *testing.T) {
	dir := t.TempDir()
	j := Job{Lists: []string{write(t, filepath.Join(dir, "l.csv"), "Email\na@firm.org\n")}, Out: filepath.Join(dir, "out"), Resolver: hanging{}}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Run(ctx, &j); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	es, err := os.ReadDir(dir)
	if err != nil || len(es) != 1 {
		t.Errorf("left behind: %v %v", es, err)
	}
}

type hanging struct{}

func (hanging) Resolve(ctx context.Context, _ <-chan string, _ func(validate.Answer)) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestBadJobs(t *testing.T) {
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "l.csv"), "Email\na@firm.org\n")
	for want, j := range map[string]Job{
		"no list":                {Out: "x"},
		"no output":              {Lists: []string{list}},
		"cannot read":            {Lists: []string{filepath.Join(dir, "none.csv")}, Out: filepath.Join(dir, "out")},
		"never.txt":              {Lists: []string{list}, Out: filepath.Join(dir, "out"), Suppress: []string{filepath.Join(dir, "never.txt")}},
		`dedupe "some"`:          {Lists: []string{list}, Out: filepath.Join(dir, "out"), Dedupe: "some"},
		`policy "loose"`:         {Lists: []string{list}, Out: filepath.Join(dir, "out"), Policy: decide.Policy{Kind: "loose"}},
		"also an input":          {Lists: []string{list}, Out: list},
		"not a run of winnow":    {Lists: []string{list}, Out: dir},
		"one of the inputs only": {Lists: []string{"-", "-"}, Out: filepath.Join(dir, "out")},
	} {
		_, err := Run(context.Background(), &j)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) && want != "not a run of winnow" {
			t.Errorf("%s: %v", want, err)
		}
	}
	if es, _ := os.ReadDir(dir); len(es) != 1 {
		t.Errorf("left behind: %v", es)
	}
}

func TestStdin(t *testing.T) {
	dir := t.TempDir()
	const list = "Email\r\na@firm.org\r\nA@firm.org\r\nb@firm.org"
	j := Job{Lists: []string{"-"}, Stdin: strings.NewReader(list), Out: filepath.Join(dir, "out")}
	s, err := Run(context.Background(), &j)
	if err != nil {
		t.Fatal(err)
	}
	if got := filesOf(t, j.Out)["cleaned.csv"]; got != "Email\r\na@firm.org\r\nb@firm.org" {
		t.Errorf("%q", got)
	}
	sum := sha256.Sum256([]byte(list))
	if s.Inputs[0].SHA256 != hexOf(sum[:]) || s.Inputs[0].Bytes != int64(len(list)) {
		t.Errorf("%+v", s.Inputs[0])
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 1 {
		t.Errorf("left behind: %v %v", es, err)
	}
}

// A suppression list may be a stream, even one of hashes.
func TestSuppressStream(t *testing.T) {
	md := md5.Sum([]byte("a@firm.org"))
	got, s := clean(t, Job{Suppress: []string{"-"}, Stdin: strings.NewReader(hexOf(md[:]) + "\n")}, "Email\na@firm.org\nb@firm.org\n")
	if got["cleaned.csv"] != "Email\nb@firm.org\n" || s.Inputs[1].Name != "-" || s.Inputs[1].Bytes != 33 || s.Inputs[1].Records != 1 {
		t.Errorf("%q %+v", got["cleaned.csv"], s.Inputs)
	}
}

func TestSeveralAddresses(t *testing.T) {
	dead := table{"dead.net": {Verdict: validate.DoesNotAccept, Reason: "domain_null_mx"}}
	never := write(t, filepath.Join(t.TempDir(), "never.txt"), "never@firm.org\n")
	got, _ := clean(t, Job{Resolver: dead, Suppress: []string{never}},
		"No,Email\n1,a@firm.org; b@firm.org\n2,c@firm.org; d@dead.net\n3,e@dead.net; f@dead.net\n4,g@firm.org; never@firm.org\n5,b@firm.org\n6,a@firm.org; b@firm.org\n7,a@firm.org; z@firm.org\n")
	if want := "No,Email\n1,a@firm.org; b@firm.org\n7,a@firm.org; z@firm.org\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned %q", got["cleaned.csv"])
	}
	if r := reasons(got["review.csv"]); r != "2:several_addresses" {
		t.Errorf("review %s", r)
	}
	if !strings.Contains(got["review.csv"], "c***@firm.org ok, d***@dead.net domain_null_mx.") {
		t.Errorf("review:\n%s", got["review.csv"])
	}
	if r := reasons(got["suppressed.csv"]); r != "3:domain_null_mx 4:user_suppressed" {
		t.Errorf("suppressed %s", r)
	}
	if want := "No,Email,winnow_first_record\n5,b@firm.org,1\n6,a@firm.org; b@firm.org,1\n"; got["duplicates.csv"] != want {
		t.Errorf("duplicates %q", got["duplicates.csv"])
	}
}

// Mailchimp exports an audience as a zip of one file per status.
func TestZip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audience.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, m := range [][2]string{
		{"subscribed_members_export_12ab.csv", "Email Address,Name\na@firm.org,A\nb@firm.org,B\n"},
		{"unsubscribed_members_export_12ab.csv", "Email Address,Name\nB@firm.org,B\nc@firm.org,C\n"},
		{"cleaned_members_export_12ab.csv", "Email Address,Name\nd@firm.org,D\n"},
	} {
		w, err := z.Create(m[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	j := Job{Lists: []string{path}, Out: filepath.Join(dir, "out")}
	s, err := Run(context.Background(), &j)
	if err != nil {
		t.Fatal(err)
	}
	got := filesOf(t, j.Out)
	if want := "Email Address,Name\na@firm.org,A\n"; got["subscribed_members_export_12ab/cleaned.csv"] != want {
		t.Errorf("%q", got)
	}
	if s.Lists[export.Cleaned] != 1 || s.Lists[export.Suppressed] != 4 {
		t.Errorf("%v", s.Lists)
	}
	for _, c := range []string{"subscribed_members_export_12ab B user_unsubscribed", "unsubscribed_members_export_12ab B user_unsubscribed", "unsubscribed_members_export_12ab C user_unsubscribed", "cleaned_members_export_12ab D user_bounced"} {
		p := strings.Fields(c)
		if !strings.Contains(got[p[0]+"/suppressed.csv"], ","+p[1]+","+p[2]+",") {
			t.Errorf("%s: %q", c, got[p[0]+"/suppressed.csv"])
		}
	}
}

// What several sources say of one address comes to the same in any order.
func TestSourcesInAnyOrder(t *testing.T) {
	say := func(category string, a bounceimport.Action, day int) bounceimport.Record {
		return bounceimport.Record{Category: category, Action: a, Events: 1, Last: march.AddDate(0, 0, day), Source: category + ".csv:1"}
	}
	var sources []bounceimport.Source
	for _, r := range []bounceimport.Record{
		say("mailbox_full", bounceimport.Count, 9), say("user_unknown", bounceimport.SuppressNow, 1), say("user_unknown", bounceimport.SuppressNow, 3),
		say("ip_reputation", bounceimport.Report, 20), say("mailbox_disabled", bounceimport.SuppressNow, 2), say("delivered", bounceimport.Clear, 30),
	} {
		sources = append(sources, records{"a@firm.org": r})
	}
	sources = append(sources, records{"@gone.org": say("domain_not_hosted", bounceimport.Count, 1)}, records{"@gone.org": say("domain_no_mail", bounceimport.SuppressNow, 1)})
	var first string
	for range sources {
		got, s := clean(t, Job{Evidence: sources}, "Email\na@firm.org\nb@gone.org\n")
		if first == "" {
			first = got["suppressed.csv"]
			if reasons(first) != "a@firm.org:bounce_user_unknown b@gone.org:bounce_domain_no_mail" || !strings.Contains(first, "2026-03-15") {
				t.Errorf("%s", first)
			}
		}
		if got["suppressed.csv"] != first || s.Bounces.OnList != 1 {
			t.Errorf("in another order: %s", got["suppressed.csv"])
		}
		sources = append(sources[1:], sources[0])
	}
}

// A list without a record is an export that broke: the last good run stays.
func TestNoRecords(t *testing.T) {
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "list.csv"), "Name,Email\nA,a@firm.org\n")
	j := Job{Lists: []string{list}, Out: filepath.Join(dir, "out"), Resolver: table{}, Evidence: []bounceimport.Source{records{}}}
	if _, err := Run(context.Background(), &j); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, j.Out)
	write(t, list, "Name,Email\n")
	_, err := Run(context.Background(), &j)
	var hint interface{ Hint() string }
	if err == nil || !strings.Contains(err.Error(), "list.csv: no record is in it") || !errors.As(err, &hint) || hint.Hint() == "" {
		t.Errorf("%v", err)
	}
	if after := filesOf(t, j.Out); !maps.Equal(before, after) {
		t.Errorf("the last run is not what it was: %q", after)
	}
}

// What is condemned has a reason, a sentence and evidence.
func TestEverySuppressionHasEvidence(t *testing.T) {
	got, _ := clean(t, Job{}, "Email\nno at\npostmaster@firm.org\na@mailinator.com\nb@gmial.com\nc@localhost\nd@firm.invalid\n\"\"\nnoreply@firm.org\n")
	rows, err := csv.NewReader(strings.NewReader(got["suppressed.csv"])).ReadAll()
	if err != nil || len(rows) < 8 {
		t.Fatalf("%v: %q", err, rows)
	}
	for _, r := range rows[1:] {
		if r[1] == "" || r[2] == "" || r[4] == "" {
			t.Errorf("%q", r)
		}
	}
}

func TestProgress(t *testing.T) {
	md := md5.Sum([]byte("a@firm.org"))
	never := write(t, filepath.Join(t.TempDir(), "never.txt"), hexOf(md[:])+"\nb@firm.org\n")
	p := new(Progress)
	if p.Phase() != "starting" {
		t.Error(p.Phase())
	}
	clean(t, Job{Progress: p, Resolver: table{}, Suppress: []string{never}}, "Email\na@firm.org\nb@firm.org\nc@else.org\n")
	if p.Phase() != "done" || p.Bytes.Load() != p.Total.Load() || p.Total.Load() == 0 || p.Rows.Load() != 3 || p.Domains.Load() != 2 || p.Answered.Load() != 2 {
		t.Errorf("%s: %d of %d bytes, %d rows, %d of %d domains", p.Phase(), p.Bytes.Load(), p.Total.Load(), p.Rows.Load(), p.Answered.Load(), p.Domains.Load())
	}
}

// Whatever stands in a file of fixes, what is accepted changes the domain alone,
// and a refusal is one line.
func FuzzFixes(f *testing.F) {
	f.Add([]byte("address,suggestion,why,rows,accept\na@b.org,a@c.org,x,1,yes\n"))
	f.Add([]byte("address;suggestion;accept\r\nz@b..org;z@b.org;x\r\n"))
	path := filepath.Join(f.TempDir(), "fixes.csv")
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		table, err := loadFixes(t.Context(), path)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		for key, to := range table.m {
			if a, err := validate.ParseAddress(to.String()); err != nil || a.Key() != to.Key() {
				t.Errorf("%q is fixed to %q: %v", key, to, err)
			}
		}
	})
}

// A list that changes between the passes is not written half from the one and
// half from the other.
func TestChangedWhileRead(t *testing.T) {
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "l.csv"), "Email\na@firm.org\nb@firm.org\n")
	j := Job{Lists: []string{list}, Out: filepath.Join(dir, "out"), Resolver: meddling(func() {
		write(t, list, "Email\na@firm.org\nc@firm.org\n")
		if err := os.Chtimes(list, time.Time{}, march); err != nil {
			t.Error(err)
		}
	})}
	if _, err := Run(context.Background(), &j); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("%v", err)
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 1 {
		t.Errorf("left behind: %v %v", es, err)
	}
}

// meddling is a resolver that does something else as well.
type meddling func()

func (m meddling) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	for d := range domains {
		each(validate.Answer{Domain: d, Verdict: validate.Accepts, Reason: "mx_ok"})
	}
	m()
	return nil
}

// The same list gives the same account, whichever worker comes first: also of what
// is no address, and of a column with more values than are counted apart.
func TestSameAccount(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.GOMAXPROCS(4)
	var list strings.Builder
	list.WriteString("Email,Source\n")
	for i := range 30_000 {
		address := fmt.Sprintf("person%d@firm%d.org", i%9000, i%700)
		if i%5 == 0 {
			address = fmt.Sprintf("broken%d@@firm", i)
		}
		fmt.Fprintf(&list, "%s,source %d and some more text so that there are several chunks of it\n", address, i%4000)
	}
	dir := memoryDir(t)
	path := write(t, filepath.Join(dir, "list.csv"), list.String())
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	var first string
	for range rounds {
		s, err := Run(context.Background(), &Job{Lists: []string{path}, By: "Source", Out: filepath.Join(dir, "out")})
		if err != nil {
			t.Fatal(err)
		}
		s.Started, s.Finished, s.Seconds, s.Checksum = time.Time{}, time.Time{}, 0, ""
		b, err := json.MarshalIndent(s, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
			continue
		}
		if string(b) != first {
			t.Fatalf("the account of the same list differs:\n%s\nand\n%s", first, b)
		}
	}
	if !strings.Contains(first, `"records": 24000`) {
		t.Errorf("what is no address is counted under a provider:\n%.3000s", first)
	}
}

// Suggestions without end take memory with an end, and what did not fit is said.
func TestManyFixes(t *testing.T) {
	var list strings.Builder
	list.WriteString("Email\n")
	const n = 20_000
	for i := range n {
		fmt.Fprintf(&list, "annabel.%d@gmial.com\n", i)
	}
	got, s := clean(t, Job{Memory: 1}, list.String())
	rows, err := csv.NewReader(strings.NewReader(got["fixes.csv"])).ReadAll()
	if err != nil || len(rows) < 1000 || len(rows) > n || rows[1][0] != "annabel.0@gmial.com" {
		t.Fatalf("%d fixes, %v", len(rows), err)
	}
	if want := fmt.Sprintf("fixes.csv holds the first %d suggestions; those for %d further records did not fit", len(rows)-1, n-len(rows)+1); len(s.Notes) != 1 || !strings.HasPrefix(s.Notes[0], want) {
		t.Errorf("notes %q", s.Notes)
	}
	if s.Typos[0].N != n {
		t.Errorf("%+v", s.Typos)
	}
}

// A word that means nothing is an error, never another policy.
func TestUnknownWords(t *testing.T) {
	dir := t.TempDir()
	list := write(t, filepath.Join(dir, "list.csv"), "Email\na@firm.org\n")
	for want, j := range map[string]Job{
		`policy "nice" is not known: use marketing, transactional or strict`: {Policy: decide.Policy{Kind: "nice"}},
		`typos "fix" is not known: use suppress, review or keep`:             {Policy: decide.Policy{Typos: "fix"}},
		`dedupe "all" is not known: use exact, key, provider or off`:         {Dedupe: "all"},
	} {
		j.Lists, j.Out = []string{list}, filepath.Join(dir, "out")
		if _, err := Run(context.Background(), &j); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if es, err := os.ReadDir(dir); err != nil || len(es) != 1 {
		t.Errorf("left behind: %v %v", es, err)
	}
}
