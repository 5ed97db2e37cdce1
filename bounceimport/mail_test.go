package bounceimport

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mailData = "../../shared/data/bounces/mail"

// expectation is one line of expected.tsv.
type expectation struct{ file, recipient, category, action string }

func expectations(t testing.TB) []expectation {
	f, err := os.Open(filepath.Join(mailData, "expected.tsv"))
	if err != nil {
		t.Skip("skipped: no development data")
	}
	defer f.Close()
	var out []expectation
	s := bufio.NewScanner(f)
	s.Scan()
	for s.Scan() {
		c := strings.Split(s.Text(), "\t")
		out = append(out, expectation{c[0], c[2], c[5], c[7]})
	}
	return out
}

// TestMailRecipients reads 380 real bounces and checks whom they are about.
func TestMailRecipients(t *testing.T) {
	want := expectations(t)
	got := map[string][]Event{}
	right, extra := 0, 0
	for _, w := range want {
		if _, ok := got[w.file]; !ok {
			var l []Event
			a, err := ReadPath(t.Context(), filepath.Join(mailData, w.file), Options{}, func(e *Event) error {
				l = append(l, *e)
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", w.file, err)
			}
			if a.Read != 1 {
				t.Errorf("%s: %s", w.file, a.String())
			}
			got[w.file] = l
		}
		ok := false
		for _, e := range got[w.file] {
			ok = ok || strings.EqualFold(e.Recipient, w.recipient)
		}
		if ok {
			right++
		} else {
			var l []string
			for _, e := range got[w.file] {
				l = append(l, e.Recipient)
			}
			t.Logf("%s: got %q, want %s", w.file, l, w.recipient)
		}
	}
	n := map[string]int{}
	for _, w := range want {
		n[w.file]++
	}
	for f, l := range got {
		for _, e := range l {
			known := false
			for _, w := range want {
				known = known || w.file == f && strings.EqualFold(w.recipient, e.Recipient)
			}
			if !known && e.Verdict != "forwarded" {
				extra++
				t.Logf("%s: %s is nobody's", f, e.Recipient)
			}
		}
	}
	t.Logf("%d of %d recipients, %d others", right, len(want), extra)
	if right*100 < len(want)*99 {
		t.Errorf("%d of %d recipients are right, want 99%%", right, len(want))
	}
}
