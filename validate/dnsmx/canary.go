package dnsmx

import (
	"crypto/rand"
	"strings"

	"github.com/miekg/dns"
)

// defaultCanaries take mail as long as there is any.
var defaultCanaries = []string{"gmail.com", "outlook.com", "yahoo.com"}

// canary is a question of which the answer is known.
type canary struct {
	q    question
	want want
}

type want uint8

const (
	wantHosts   want = iota // mail hosts
	wantNull                // a null MX
	wantZone                // the SOA record of a zone
	wantNothing             // a denial with proof
	wantNobody              // a denial, for which nobody has to be asked
)

// newRound makes the questions of a round.
func newRound(domains []string) (cs []canary) {
	for _, name := range domains {
		cs = append(cs, canary{question{name, dns.TypeMX}, wantHosts})
	}
	// Names that do not exist are asked for in a zone that is there for the like and in
	// no one's way (RFC 6761 section 6.5), and where nobody has to answer (section 6.4).
	return append(cs,
		canary{question{"example.com", dns.TypeMX}, wantNull},
		canary{question{"example.com", dns.TypeSOA}, wantZone},
		canary{question{randomLabel() + ".example.com", dns.TypeA}, wantNothing},
		canary{question{randomLabel() + ".example.com", dns.TypeMX}, wantNothing},
		canary{question{randomLabel() + ".invalid", dns.TypeA}, wantNobody})
}

func randomLabel() string {
	b := make([]byte, 26)
	rand.Read(b)
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

// sighting is what a round of canaries showed.
type sighting struct {
	told    int // answers that say something
	replied int // replies, errors included
	big     int // canaries that have mail hosts
	denied  []string
	null    bool // example.com has its null MX
	zone    bool // and its SOA record
	proved  bool // a name that does not exist was denied, with proof
	root    bool // or by a root of the resolver's own
	bare    bool // or without proof
	lie     string
}

// lies notes the first lie.
func (s *sighting) lies(what string) {
	if s.lie == "" {
		s.lie = what
	}
}

// add takes in what was found of a canary.
func (s *sighting) add(c canary, f finding) {
	r := f.r
	if f.state != soft {
		s.told++
	}
	if r.fail == failNone {
		s.replied++
	}
	ownRoot := r.ownRoot()
	switch c.want {
	case wantHosts:
		switch {
		case f.state == found:
			s.big++
			if !r.useful() {
				s.lies("gives no mail host for " + c.q.name + " that could be one")
			}
		case f.state == null:
			s.lies("says that " + c.q.name + " takes no mail, which it does")
		case f.state.denies(), ownRoot:
			s.denied = append(s.denied, c.q.name)
		}
	case wantNull:
		switch f.state {
		case found:
			s.lies("gives mail hosts for example.com, which has none")
		case null:
			s.null = true
		}
	case wantZone:
		s.zone = f.state == found
	default:
		switch {
		case f.state == found && c.q.typ == dns.TypeA:
			s.lies("gives addresses for names that do not exist")
		case f.state == found, f.state == null:
			s.lies("gives MX records for names that do not exist")
		case c.want == wantNobody:
		case f.state.denies():
			s.proved = true
		case ownRoot:
			s.root = true
		case r.fail == failNone && (r.rcode == dns.RcodeNameError || r.rcode == dns.RcodeSuccess):
			s.bare = true
		}
	}
}

// ownRoot says whether the root denies a name below a top-level domain that the
// root of the Internet has: so does a resolver with a root of its own.
func (r *reply) ownRoot() bool {
	return r.fail == failNone && r.ra && r.rcode == dns.RcodeNameError && r.soa == "."
}

// credit is whether a resolver is believed when it denies, going by its rounds.
type credit struct {
	rounds int
	ok     bool            // the last round passed
	wasOK  bool            // one did
	lied   bool            // it invented an answer, once is enough
	closed bool            // all rounds: it proves that none of the canaries exists
	zones  bool            // it showed the SOA record of a zone, once
	why    string          // it is not ok
	seen   map[string]bool // canary: it had mail hosts (true) or was denied (false)
}

// judge takes in a round; domains are the canaries that take mail. It says whether
// the round got any answer.
func (c *credit) judge(cs []canary, found []finding, domains []string) (told bool) {
	var s sighting
	for i := range cs {
		s.add(cs[i], found[i])
	}
	if name := c.turned(cs, found); name != "" {
		s.lies("denies at one time that " + name + " has the MX records which it gives at another")
	}
	c.rounds++
	c.zones = c.zones || s.zone
	sees := len(domains) == 0 || 3*s.big >= 2*len(domains) || s.null && s.big > 0
	c.ok = sees && s.proved && s.lie == "" && !c.lied
	c.closed = (c.rounds == 1 || c.closed) && !sees && (s.proved || s.root) && s.lie == "" && len(s.denied) == len(domains)
	c.wasOK = c.wasOK || c.ok
	switch {
	case s.lie != "":
		c.lied, c.why = true, s.lie
	case c.lied:
	case s.told == 0 && s.replied > 0:
		c.why = "answers with errors only"
	case s.told == 0:
		c.why = "does not answer"
	case !sees && len(s.denied) > 0:
		c.why = "denies that " + strings.Join(s.denied, ", ") + " take mail"
	case !sees:
		c.why = "has no answer for " + strings.Join(domains, ", ")
	case !s.proved && s.bare:
		c.why = "denies names without the proof that a denial needs (RFC 2308)"
	case !s.proved:
		c.why = "has no answer for names that do not exist"
	default:
		c.why = ""
	}
	return s.told > 0
}

// turned returns a canary that has MX records in one round and is denied in another.
func (c *credit) turned(cs []canary, found []finding) (name string) {
	for i, k := range cs {
		state := found[i].state
		if k.want > wantNull || state == soft {
			continue
		}
		has := state.records()
		if before, ok := c.seen[k.q.name]; ok && before != has {
			return k.q.name
		}
		if c.seen == nil {
			c.seen = map[string]bool{}
		}
		c.seen[k.q.name] = has
	}
	return ""
}
