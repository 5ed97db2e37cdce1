package winnow

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"winnow/bounceimport"
	"winnow/export"
	"winnow/validate"
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
	return files(t, j.Out), s
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files returns what a run directory holds, without summary.json.
func files(t *testing.T, dir string) map[string]string {
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
	if want := "Email;Note\n+tag@firm.org;=1+1\nann@firm.org;\"a;b\"\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned.csv changed: %q", got["cleaned.csv"])
	}
}
