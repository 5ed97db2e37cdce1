package validate

import (
	"fmt"
	"testing"
)

func TestCheckMX(t *testing.T) {
	var v Validator
	for _, c := range []struct {
		name string
		mx   []string
		want Tier
		also string
	}{
		{"neu.example.de", []string{"mail.wabblywabble.com"}, Confirmed, ""},
		{"neu.example.de", []string{"in.mail.tm"}, Confirmed, ""},
		{"neu.example.de", []string{"in.mail.tm", "aspmx.l.google.com"}, Listed, ""},
		{"neu.example.de", []string{"in.mail.tm.evil.org"}, NotDisposable, ""},
		{"neu.example.de", []string{"notmailinator.com"}, NotDisposable, ""},
		{"neu.example.de", []string{"mx.cloudflare.net"}, NotDisposable, ""},
		{"neu.example.de", []string{"aspmx.l.google.com"}, NotDisposable, ""},
		{"neu.example.de", []string{"mx1.simplelogin.co", "mx2.simplelogin.co"}, NotDisposable, "SimpleLogin"},
		{"gmail.com", []string{"in.mail.tm"}, NotDisposable, ""}, // a list knows better than an answer
	} {
		d := v.CheckDomain(c.name)
		v.CheckMX(&d, &Answer{Domain: c.name, Verdict: Accepts, MX: c.mx})
		if d.Disposable != c.want || d.Alias != c.also {
			t.Errorf("%s at %v: tier %d, alias %q", c.name, c.mx, d.Disposable, d.Alias)
		}
	}
}

func TestSuspectHosts(t *testing.T) {
	type member struct {
		Domain
		host string
	}
	thrown := func(host string, n int) (m []member) {
		for i := range n {
			m = append(m, member{Domain{Name: fmt.Sprintf("t%d.example.de", i), Disposable: Confirmed, Source: "x"}, host})
		}
		return m
	}
	unknown := func(host string, n int) (m []member) {
		for i := range n {
			m = append(m, member{Domain{Name: fmt.Sprintf("u%d.example.de", i)}, host})
		}
		return m
	}
	var batch []member
	add := func(m ...[]member) {
		for _, x := range m {
			batch = append(batch, x...)
		}
	}
	add(thrown("bad", 5), unknown("bad", 3))
	add(thrown("few", 4), unknown("few", 3))
	add(thrown("guarded", 9), unknown("guarded", 3), []member{{Domain{Name: "gmx.de", Source: "providers"}, "guarded"}})
	add(thrown("school", 9), unknown("school", 3), []member{{Domain{Name: "maths.uni.edu"}, "school"}})
	add(thrown("crowded", 5), unknown("crowded", 400))
	add(thrown("", 9), unknown("", 3))
	got := SuspectHosts(func(yield func(*Domain, string) bool) {
		for i := range batch {
			if !yield(&batch[i].Domain, batch[i].host) {
				return
			}
		}
	})
	if len(got) != 1 || !got["bad"] {
		t.Errorf("suspect: %v", got)
	}
	if h := MailHost(&Answer{Verdict: Accepts, MX: []string{"mx.cloudflare.net"}}); h != "" {
		t.Errorf("a shared host counts: %s", h)
	}
	if h := MailHost(&Answer{Verdict: Accepts, MX: []string{"mx.some.example.de"}}); h == "" {
		t.Error("a private host does not count")
	}
}
