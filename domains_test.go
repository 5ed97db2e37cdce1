package winnow

import (
	"strings"
	"testing"

	"github.com/winnow-email/winnow/validate"
)

// Domains whose mail host serves throw-away domains of the list, and no others,
// are looked at; so is one at a provider of throw-away mailboxes itself.
func TestRunSuspectNeighbours(t *testing.T) {
	at := func(host string) validate.Answer {
		return validate.Answer{Verdict: validate.Accepts, Reason: "mx_ok", MX: []string{host}}
	}
	answers := table{
		"unknown.de": at("mx.wegwerf.org"), "firm.de": at("mx.firm.de"), "fresh.de": at("in.mail.tm"),
		"other.de": at("mx.shared.org"), "gmx.de": at("mx.shared.org"),
	}
	list := "Email\na@unknown.de\nb@firm.de\nc@fresh.de\nd@other.de\nanna.muster@gmx.de\n"
	for _, d := range []string{"mailinator.com", "mohmal.com", "mailnesia.com", "10minutemail.com", "temp-mail.org"} {
		answers[d] = at("mx.wegwerf.org")
		list += "x@" + d + "\n"
	}
	got, _ := clean(t, Job{Resolver: answers}, list)
	if want := "Email\nb@firm.de\nd@other.de\nanna.muster@gmx.de\n"; got["cleaned.csv"] != want {
		t.Errorf("cleaned.csv:\n%s", got["cleaned.csv"])
	}
	if !strings.Contains(got["review.csv"], "a@unknown.de,disposable_suspected,") {
		t.Errorf("review.csv:\n%s", got["review.csv"])
	}
	if !strings.Contains(got["suppressed.csv"], "c@fresh.de,disposable_domain,") {
		t.Errorf("suppressed.csv:\n%s", got["suppressed.csv"])
	}
}
