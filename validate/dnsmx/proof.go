package dnsmx

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// state is what the replies to a question amount to.
type state uint8

const (
	unasked  state = iota
	soft           // nothing is known
	found          // records of the asked type
	null           // a null MX and no other (RFC 7505)
	nodata         // the name exists without such records, proved
	nxdomain       // the name does not exist, proved
)

// denies says whether a state speaks against the domain. A null MX does, and
// needs no other proof than itself.
func (s state) denies() bool { return s >= null }

// records says whether there are records of the asked type.
func (s state) records() bool { return s == found || s == null }

// classify says what one reply amounts to: a state and, when that is soft, the
// code of the reason. A negative answer counts only when it is proved
// (domains.md, rule 0): from a recursive resolver (RA), with the SOA record of
// the zone (RFC 2308 section 2), not stale and not filtered. That the message
// is a reply to the question at all was checked by parseReply.
func (r *reply) classify(q question) (state, string) {
	if r.fail != failNone {
		return soft, failCodes[r.fail]
	}
	if filterEDE(r.ede) {
		return soft, "dns_filtered"
	}
	switch r.rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
	case dns.RcodeServerFailure:
		switch {
		case bogusEDE(r.ede):
			return soft, "dns_dnssec_bogus"
		case r.ede == 13:
			return soft, "dns_cached_error"
		case r.ede == 14:
			return soft, "dns_not_ready"
		case r.ede == 22:
			return soft, "dns_no_reachable_authority"
		case r.ede == 23:
			return soft, "dns_network_error"
		}
		return soft, "dns_servfail"
	case dns.RcodeRefused, dns.RcodeNotAuth:
		return soft, "dns_refused"
	case dns.RcodeNotImplemented:
		return soft, "dns_notimp"
	case dns.RcodeFormatError, dns.RcodeBadVers:
		return soft, "dns_formerr"
	default:
		return soft, "dns_bad_reply"
	}
	if r.loop {
		return soft, "dns_cname_loop"
	}
	if r.stray {
		return soft, "dns_bad_reply"
	}
	if r.records() > 0 {
		if r.rcode != dns.RcodeSuccess {
			return soft, "dns_bad_reply" // records of a name that does not exist
		}
		if len(r.mx) > 0 && !slices.ContainsFunc(r.mx, func(m mx) bool { return m.host != "." }) {
			return null, ""
		}
		return found, ""
	}
	switch {
	case r.filter:
		return soft, "dns_filtered"
	case !r.proves(q):
		return soft, "dns_negative_unproven"
	case r.rcode == dns.RcodeNameError:
		return nxdomain, ""
	}
	return nodata, ""
}

// proves says whether an empty reply carries the proof that a denial needs: it
// comes from a recursive resolver, is not stale, and holds the SOA record of a
// zone that can deny the name.
func (r *reply) proves(q question) bool {
	name := r.last(q)
	switch {
	case !r.ra || r.soa == "" || staleEDE(r.ede):
		return false
	case r.soa == ".":
		// The root knows of the top-level domains only, and which of them there are.
		return r.rcode == dns.RcodeNameError && !isTopLevel(name[strings.LastIndexByte(name, '.')+1:])
	case r.soa == name:
		// The apex of a zone exists (RFC 2308 section 2.1): a reply that denies the name
		// by the zone of that name contradicts itself. That the apex has no records of
		// one type is what every zone says (section 2.2).
		return r.rcode != dns.RcodeNameError
	}
	return true
}

// distrust holds the resolvers whose denials are not believed, with the code of
// the reason.
type distrust map[string]string

// distrusts are those reasons.
var distrusts = map[string]bool{
	"dns_resolver_hijack":   true, // it invents answers
	"dns_negative_unproven": true, // its canaries did not pass
	"dns_anomaly":           true, // it denies at one time what it gives at another
}

// useful says whether records are of any use for sending mail: an address that can
// be reached, a mail host that can be one.
func (r *reply) useful() bool {
	switch {
	case len(r.addrs) > 0:
		return slices.ContainsFunc(r.addrs, isGlobal)
	case len(r.mx) > 0:
		return slices.ContainsFunc(r.mx, func(m mx) bool { return m.host != "." && !ownMachine(m.host) && !specialName(m.host) })
	}
	return true
}

// differs says whether two replies tell different things of what they were asked.
func (r *reply) differs(o *reply, q question) bool {
	s, _ := r.classify(q)
	t, _ := o.classify(q)
	switch {
	case s == soft || t == soft:
		return false
	case s != t, r.useful() != o.useful():
		return true
	}
	return len(r.mx) > 0 && !slices.ContainsFunc(r.mx, func(m mx) bool {
		return slices.ContainsFunc(o.mx, func(n mx) bool { return n.host == m.host })
	})
}

// trust is what is believed when all is asked.
type trust struct {
	lost    distrust
	blind   map[string]bool // resolvers that show no SOA record of any zone: that one is not shown means nothing
	anomaly bool            // nothing that condemns
	once    string          // not "": nor what was told once only, and the code of the reason
}

// told returns how many times resolvers that are believed told anything.
func told(q question, replies []reply, lost distrust) (n int) {
	for i := range replies {
		if s, _ := replies[i].classify(q); s != soft && lost[replies[i].server] == "" {
			n++
		}
	}
	return n
}

// finds says whether the reply gives records of the asked type.
func (r *reply) finds(q question) bool {
	s, _ := r.classify(q)
	return s == found
}

// finding is what all replies to a question amount to.
type finding struct {
	state state
	code  string // of the reason when state is soft
	r     *reply // that decided; nil when unasked
}

// merge folds the replies to q, in the order they came, into one finding. The
// last reply that tells something decides, unless two tell opposite things: an
// error after a denial means that confirming it failed, and leaves nothing known.
func merge(q question, replies []reply, d distrust) finding {
	var f finding
	var seen [nxdomain + 1]bool
	for i := range replies {
		r := &replies[i]
		s, code := r.classify(q)
		if why := d[r.server]; why != "" && s.denies() {
			if slices.ContainsFunc(replies, func(o reply) bool { return o.server == r.server && o.finds(q) }) {
				seen[s] = true // it contradicts itself
			}
			if f.state != unasked {
				continue // another resolver was asked too
			}
			s, code = soft, why
		}
		if s == soft && f.state == soft && code == "dns_timeout" {
			continue // the earlier error says more
		}
		seen[s] = true
		if s == found && f.state == found && f.r.useful() && !r.useful() {
			continue // what there is outweighs what is made of it
		}
		f = finding{s, code, r}
	}
	told := 0
	for s := found; s <= nxdomain; s++ {
		if seen[s] {
			told++
		}
	}
	if told > 1 {
		return finding{soft, "dns_disagree", f.r}
	}
	return f
}
