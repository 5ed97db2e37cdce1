package reader

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-email/winnow/bounceimport"
)

const mailData = "../../../shared/data/bounces/mail"

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
		if strings.HasSuffix(c[2], ".invalid") {
			continue // the set's stand-in where its own reader finds no recipient
		}
		out = append(out, expectation{c[0], c[2], c[5], c[7]})
	}
	return out
}

// TestMailRecipients reads 380 real bounces and checks whom they are about.
func TestMailRecipients(t *testing.T) {
	want := expectations(t)
	got := map[string][]bounceimport.Event{}
	right, extra := 0, 0
	for _, w := range want {
		if _, ok := got[w.file]; !ok {
			var l []bounceimport.Event
			a, err := ReadPath(t.Context(), filepath.Join(mailData, w.file), Options{}, func(e *bounceimport.Event) error {
				l = append(l, *e)
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", w.file, err)
			}
			if a.Read == 0 || a.Ignored+a.Unmapped+a.Malformed > 0 {
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

// TestMailClasses compares what is done with the recipients of 380 real bounces
// with what a person would do.
func TestMailClasses(t *testing.T) {
	want := expectations(t)
	var dead, found, sender, wrong, same int
	events := map[string][]bounceimport.Event{}
	for _, w := range want {
		if _, ok := events[w.file]; !ok {
			var l []bounceimport.Event
			if _, err := ReadPath(t.Context(), filepath.Join(mailData, w.file), Options{}, func(e *bounceimport.Event) error {
				l = append(l, *e)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			events[w.file] = l
		}
		var got bounceimport.Event
		for _, e := range events[w.file] {
			if strings.EqualFold(e.Recipient, w.recipient) {
				got = e
				break
			}
		}
		if got.Category == w.category {
			same++
		} else if testing.Verbose() && bounceimport.Action(w.action) != bounceimport.SuppressNow {
			t.Logf("%s %s: got %s (%s, %s), want %s: %.300q %d %s hint %s", w.file, w.recipient, got.Category, got.Rule, got.Confidence, w.category, got.Reply, got.Code, got.Status, got.Hint)
		}
		switch bounceimport.Action(w.action) {
		case bounceimport.SuppressNow:
			dead++
			if got.Action == bounceimport.SuppressNow {
				found++
			} else {
				t.Logf("%s %s: MISSED: got %s (%s, %s), want %s: %.300q %d %s hint %s", w.file, w.recipient, got.Category, got.Rule, got.Confidence, w.category, got.Reply, got.Code, got.Status, got.Hint)
			}
		default:
			if got.Action == bounceimport.SuppressNow {
				t.Logf("%s %s: WRONG: got %s (%s), want %s: %.300q", w.file, w.recipient, got.Category, got.Rule, w.category, got.Reply)
			}
			if bounceimport.Action(w.action) == bounceimport.Report {
				sender++
				if got.Action == bounceimport.SuppressNow {
					wrong++
				}
			}
		}
	}
	t.Logf("suppress at once: %d of %d found; sender-side: %d of %d wrongly suppressed; category right: %d of %d", found, dead, wrong, sender, same, len(want))
	if found*100 < dead*97 {
		t.Errorf("%d of %d dead addresses found, want 97%%", found, dead)
	}
	if wrong*200 > sender {
		t.Errorf("%d of %d sender-side bounces suppress, want at most 0.5%%", wrong, sender)
	}
}
