package dnsmx

import (
	"testing"

	"github.com/winnow-email/winnow/validate"
)

// A resolver that knows a world of its own is believed when it is on this
// machine, was named, proves all its denials, and knows some of what it is asked
// for; never beside one that sees the Internet.
func TestClosedWorld(t *testing.T) {
	const zone = "acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n"
	deny := func(how string) string {
		rules := ""
		for _, name := range []string{"gmail.com", "outlook.com", "yahoo.com", "example.com"} {
			rules += "! " + name + " * " + how + "\n"
		}
		return rules
	}
	for _, c := range []struct {
		name, zone, second string
		domains            []string
		want               validate.DomainVerdict // of gone.com
	}{
		{"knows a domain", deny("deny") + zone, "", []string{"acme.com", "gone.com"}, validate.DoesNotAccept},
		{"knows nothing", deny("deny") + zone, "", []string{"gone.com", "lost.com"}, validate.Unknown},
		{"fails", deny("servfail") + zone, "", []string{"acme.com", "gone.com"}, validate.Unknown},
		{"denies without proof", deny("empty") + zone, "", []string{"acme.com", "gone.com"}, validate.Unknown},
		{"fails at one canary", "! yahoo.com * servfail\n" + deny("deny") + zone, "", []string{"acme.com", "gone.com"}, validate.Unknown},
		{"beside a sound one that knows better", deny("deny") + "! gone.com * deny\n" + zone,
			"gone.com. MX 10 mx.gone.com.\nmx.gone.com. A 198.41.0.4\n" + zone, []string{"acme.com", "gone.com"}, validate.Unknown},
	} {
		zones := []string{c.zone}
		if c.second != "" {
			zones = append(zones, c.second)
		}
		r := new(Resolver)
		var got map[string]validate.Answer
		var err error
		bubble(t, func(t *testing.T) { got, err = resolve(t, offline(t, r, zones...), c.domains...) })
		verdict := got["gone.com"].Verdict
		if c.second != "" && verdict == validate.Accepts {
			continue // the sound one was asked first
		}
		if verdict != c.want {
			t.Errorf("%s: gone.com %s (%s), want %s; %v", c.name, verdict, got["gone.com"].Reason, c.want, err)
		}
		if (err == nil) != (c.want == validate.DoesNotAccept) && c.second == "" {
			t.Errorf("%s: %v", c.name, err)
		}
		if word := r.Stats().Resolvers[0].Canaries; (word == closedWorld) != (c.want == validate.DoesNotAccept) {
			t.Errorf("%s: canaries: %s", c.name, word)
		}
	}
}
