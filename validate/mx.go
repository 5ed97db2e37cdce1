package validate

import (
	"iter"
	"strings"

	"github.com/winnow-email/winnow/validate/lists"
)

// CheckMX adds to d, the domain of an answer of the DNS, what its mail hosts say
// of it: that they are those of a provider of throw-away mailboxes, or of a
// service for privacy aliases. A domain that is on a list stays what the list says.
func (v *Validator) CheckMX(d *Domain, a *Answer) {
	if d.Source != "" || a.Verdict != Accepts || len(a.MX) == 0 {
		return
	}
	thrown, alias := 0, 0
	for _, host := range a.MX {
		switch provider, class := lists.MXProvider(host); class {
		case "disposable":
			thrown++
			d.Source = "mail host " + host + " of " + provider
		case "alias":
			alias++
			d.Alias = provider
		}
	}
	switch {
	case thrown == len(a.MX):
		d.Disposable = Confirmed
	case thrown > 0:
		d.Disposable = Listed
	case alias == len(a.MX):
		d.Source, d.Class = "mail host "+a.MX[0], "forwarder"
	}
	if alias < len(a.MX) {
		d.Alias = ""
	}
}

// MailHost returns the mail host by which the domain of an answer has company:
// the most preferred one, unless it is known to serve domains of all kinds. "" is none.
func MailHost(a *Answer) string {
	if a.Verdict != Accepts || len(a.MX) == 0 {
		return ""
	}
	switch _, class := lists.MXProvider(a.MX[0]); class {
	case "", "disposable":
		return a.MX[0]
	}
	return ""
}

// enough is how many confirmed throw-away domains make a mail host suspect, if
// there is at least one of them for crowd unknown domains: a host with five bad
// domains among hundreds is a web host that was abused.
const (
	enough = 5
	crowd  = 4
)

// SuspectHosts returns the mail hosts of a batch at which a domain that nobody
// knows is suspect: those of at least five confirmed throw-away domains and of no
// domain that is known for anything else. batch yields every domain of the batch
// with whatever stands for its mail host (the zero value: none); it is walked
// twice. To mark a suspect domain, set its Disposable to Listed and its Source.
func SuspectHosts[H comparable](batch iter.Seq2[*Domain, H]) map[H]bool {
	type tally struct{ thrown, unknown int }
	var none H
	hosts := map[H]*tally{}
	for d, h := range batch {
		if h != none && d.Disposable == Confirmed {
			t := hosts[h]
			if t == nil {
				t = new(tally)
				hosts[h] = t
			}
			t.thrown++
		}
	}
	for d, h := range batch {
		t := hosts[h]
		switch {
		case t == nil || d.Disposable != NotDisposable:
		case d.isKnown():
			delete(hosts, h)
		default:
			t.unknown++
		}
	}
	suspect := map[H]bool{}
	for h, t := range hosts {
		if t.thrown >= enough && t.unknown <= crowd*t.thrown {
			suspect[h] = true
		}
	}
	return suspect
}

// isKnown reports whether a domain is somebody's: on a list, or of an institution.
func (d *Domain) isKnown() bool {
	if d.Source != "" && d.Disposable == NotDisposable {
		return true
	}
	for _, under := range [...]string{".edu", ".gov", ".mil", ".int"} {
		if strings.HasSuffix(d.Name, under) || strings.Contains(d.Name, under+".") {
			return true
		}
	}
	return strings.Contains(d.Name, ".ac.")
}
