package dnsmx

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/lists"
)

// judgement is what can be said of a domain so far.
type judgement struct {
	need    []question // not empty: ask these first, nothing else is set
	code    string
	mx      []string
	notes   []string   // warning codes
	rests   []question // what a condemning verdict rests on, to be asked once more
	used    []question // the questions that the verdict is drawn from, in order
	looked  []question // all questions that were looked at
	ttl     uint32     // seconds
	itself  bool       // rests on an address of the domain itself, which an inventor could have made up
	doubted bool       // would condemn, but for a zone that does not show itself
}

// judge says what the replies to the questions about a domain amount to. It is
// a pure function of what look returns: the replies to a question in the order
// they came, none when it was not asked.
func judge(domain string, look func(question) []reply, t trust) judgement {
	j := &judging{domain: domain, look: look, distrust: t.lost, blind: t.blind}
	j.ttl = 1 << 31
	if code := precheck(domain); code != "" {
		j.code = code
	} else {
		j.run()
	}
	if len(j.need) > 0 {
		return judgement{need: j.need}
	}
	if verdictOf(j.code) == validate.DoesNotAccept {
		j.zones()
		if len(j.need) > 0 {
			return judgement{need: j.need}
		}
		j.believe()
	}
	if verdictOf(j.code) != validate.DoesNotAccept {
		j.rests = nil
	}
	if j.ttl == 1<<31 {
		j.ttl = 0
	}
	return j.judgement
}

// judgeRecorded judges when nothing more can be asked.
func judgeRecorded(domain string, look func(question) []reply, t trust) judgement {
	v := judge(domain, func(q question) []reply {
		if r := look(q); len(r) > 0 {
			return r
		}
		return []reply{{fail: failUnrecorded, ede: -1}}
	}, t)
	switch {
	case len(v.rests) == 0:
	case t.anomaly:
		v.code, v.rests = "dns_anomaly", nil
	case t.once != "" && slices.ContainsFunc(v.rests, func(q question) bool { return told(q, look(q), t.lost) < 2 }):
		v.code, v.rests = t.once, nil
	}
	return v
}

type judging struct {
	judgement
	domain   string
	look     func(question) []reply
	distrust distrust
	blind    map[string]bool
	within   bool // addresses that are no use from outside were seen by a private resolver only
}

// believe leaves a condemning verdict unknown when anything it is drawn from
// comes from a resolver that is not believed: a null MX can be invented too.
func (j *judging) believe() {
	for _, q := range j.used {
		if f := merge(q, j.look(q), j.distrust); f.r != nil && j.distrust[f.r.server] != "" {
			j.code = j.distrust[f.r.server]
			return
		}
	}
}

// zones checks the zones whose SOA records prove the denials, against what a filter
// makes up for a name that it blocks:
//
//   - A zone that denies names exists, and shows its SOA record to who asks for it.
//   - A registry can deny what it has not delegated: not a name below a domain that
//     shows an SOA record of its own.
//   - The apex of a zone is no alias (RFC 1034 section 3.6.2), and nobody's mail is
//     where the name of an alias is a special-use one.
func (j *judging) zones() {
	used, rests, ttl := j.used, j.rests, j.ttl
	for _, q := range rests {
		f := merge(q, j.look(q), j.distrust)
		switch {
		case f.state != nodata && f.state != nxdomain:
			continue
		case len(f.r.chain) > 0 && specialName(f.r.last(q)):
			j.code = "dns_filtered"
		case f.r.soa == ".":
		case !isRegistry(f.r.soa):
			j.shown(f.r.soa, f.r.server)
		default:
			if name := labelBelow(f.r.last(q), f.r.soa); name != f.r.last(q) {
				j.notShown(name, f.r.server)
			}
		}
		if len(f.r.chain) > 0 && q.name == registered(q.name) {
			j.notShown(q.name, f.r.server)
		}
	}
	j.used, j.rests, j.ttl = used, rests, ttl
	j.doubted = verdictOf(j.code) != validate.DoesNotAccept
}

// shown leaves the verdict unknown unless the zone by which a server denies shows
// its SOA record.
func (j *judging) shown(apex, server string) {
	zone := j.find(apex, dns.TypeSOA)
	switch {
	case zone.state == unasked, j.blind[server], zone.code == "dns_not_recorded":
	case j.distrust[zone.r.server] != "":
		j.code = j.distrust[zone.r.server]
	case zone.state == found:
	case zone.state == soft:
		j.code = zone.code
	default:
		j.code = "dns_negative_unproven"
	}
}

// notShown leaves the verdict unknown unless a domain, of which a server denies
// something, has no SOA record of its own.
func (j *judging) notShown(domain, server string) {
	switch zone := j.find(domain, dns.TypeSOA); {
	case zone.state == unasked, j.blind[server], zone.state.denies(), zone.code == "dns_not_recorded":
	case zone.state == soft:
		j.code = zone.code
	case len(zone.r.chain) == 0:
		j.code = "dns_negative_unproven"
	}
}

// find returns the finding on a question; one not asked yet becomes a need.
func (j *judging) find(name string, typ uint16) finding {
	q := question{name, typ}
	replies := j.look(q)
	if len(replies) == 0 {
		j.need = append(j.need, q)
		return finding{}
	}
	f := merge(q, replies, j.distrust)
	j.used = append(j.used, q)
	j.looked = append(j.looked, q)
	switch f.state {
	case null, nodata, nxdomain:
		j.rests = append(j.rests, q)
		j.ttl = min(j.ttl, f.r.ttl)
	case found:
		j.ttl = min(j.ttl, f.r.ttl)
		if staleEDE(f.r.ede) {
			j.note("dns_stale")
		}
	}
	return f
}

func (j *judging) note(code string) {
	if !slices.Contains(j.notes, code) {
		j.notes = append(j.notes, code)
	}
}

// run follows RFC 5321 section 5.1: MX records first; the address of the domain
// itself only where it is proved that there are none.
func (j *judging) run() {
	f := j.find(j.domain, dns.TypeMX)
	switch f.state {
	case soft:
		j.code = f.code
	case nxdomain:
		// RFC 8020: nothing exists at or below the name, so no other type is asked for.
		j.code = "domain_not_found"
		if len(f.r.chain) > 0 {
			j.code = "domain_cname_dangling"
		}
	case null:
		// The preference is not looked at: 0 is what RFC 7505 asks for, not what it means.
		j.code = "domain_null_mx"
	case found:
		j.mailHosts(f.r)
	case nodata:
		j.implicit()
	}
}

// A domain may name as many mail hosts as a message holds, and each is a question
// or two to somebody else's servers. Who sends mail tries a handful (RFC 5321
// section 5.1 lets a client bound the number it tries).
const (
	maxHosts     = 20
	maxUncertain = 4 // hosts whose addresses could not be found out: more would not help
)

// mailHosts judges a domain with MX records.
func (j *judging) mailHosts(r *reply) {
	null := false
	for _, h := range r.hosts() {
		switch {
		case h.host == ".":
			null = true
		case !slices.Contains(j.mx, h.host):
			j.mx = append(j.mx, h.host)
		}
		if len(j.mx) > maxHosts {
			break
		}
	}
	if null {
		// RFC 7505 section 3: no other MX record may stand beside it.
		j.code = "mx_null_mixed"
		return
	}
	var n [literal + 1]int
	for i, h := range j.mx {
		if i == maxHosts {
			j.code = "dns_too_many_hosts"
			return
		}
		k := j.host(h)
		if len(j.need) > 0 {
			return
		}
		n[k]++
		if k == usable {
			if n[dead]+n[toSelf]+n[inside]+n[special] > 0 {
				j.note("mx_ok_partial")
			}
			switch _, class := lists.MXProvider(h); class {
			case "parked":
				j.note("mx_parked")
			case "disposable":
				j.note("mx_disposable")
			}
			j.accept("mx_ok", dns.TypeMX)
			return
		}
		if n[uncertain] == maxUncertain {
			break
		}
	}
	j.rests = append(j.rests, question{j.domain, dns.TypeMX}) // that these are all its hosts
	switch total := len(j.mx) - n[special]; {
	case n[filtered] > 0 && n[uncertain] == 0:
		j.code = "dns_filtered"
	case n[uncertain]+n[filtered] > 0:
		j.code = "mx_address_unknown" // one error outweighs all that is proved of the others
	case n[literal] > 0:
		j.code = "mx_ip_literal"
	case total == 0:
		j.code = "mx_special_use"
	case n[inside] > 0:
		j.code = "dns_split_horizon"
		if !j.within {
			j.code = "mx_not_global"
		}
	case n[toSelf] == total:
		j.code = "mx_loopback"
	default:
		// The address of the domain itself must not be used (RFC 5321 section 5.1).
		j.code = "mx_unresolvable"
	}
}

// hostKind is what a mail host is good for.
type hostKind uint8

const (
	usable    hostKind = iota // has a public address
	dead                      // proved to have none
	toSelf                    // the sender's own machine
	inside                    // private or reserved addresses only
	special                   // a special-use name
	uncertain                 // an error
	filtered                  // the resolver blocks it
	literal                   // an IP address where a name belongs
)

// host judges one mail host. It may leave a need.
func (j *judging) host(name string) hostKind {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return literal
	}
	if ownMachine(name) {
		return toSelf // not asked for
	}
	if specialName(name) {
		return special // e.g. ms12345.msv1.invalid, a proof of ownership
	}
	k, f := j.addresses(name)
	if k == usable {
		if len(f.r.chain) > 0 {
			j.note("mx_ok_cname_target")
		}
	}
	return k
}

// addresses judges the addresses of a name. The finding is the one that decided.
func (j *judging) addresses(name string) (hostKind, finding) {
	a := j.find(name, dns.TypeA)
	if a.state == unasked {
		return uncertain, a
	}
	if a.state == found && slices.ContainsFunc(a.r.addrs, isGlobal) {
		return usable, a
	}
	if a.state == nxdomain {
		return dead, a
	}
	aaaa := j.find(name, dns.TypeAAAA)
	if aaaa.state == unasked {
		return uncertain, aaaa
	}
	if aaaa.state == found && slices.ContainsFunc(aaaa.r.addrs, isGlobal) {
		if a.state == nodata {
			j.note("mx_ok_ipv6_only")
		}
		return usable, aaaa
	}
	if hasUnspecified(a) || hasUnspecified(aaaa) {
		// 0.0.0.0 and :: are what filters answer for a name that they block.
		return filtered, a
	}
	if a.state == soft || aaaa.state == soft {
		for _, f := range []finding{a, aaaa} {
			if f.state == soft && f.code != "dns_filtered" {
				return uncertain, f
			}
		}
		return filtered, a
	}
	if a.state != found && aaaa.state != found {
		return dead, a
	}
	// Only addresses that are no use from outside.
	f := a
	if a.state != found {
		f = aaaa
	}
	self, public := true, true
	for _, f := range []finding{a, aaaa} {
		if f.state != found {
			continue
		}
		public = public && publicServer(f.r.server)
		for _, ip := range f.r.addrs {
			self = self && reachOf(ip) == loopback
		}
		j.rests = append(j.rests, question{name, typeOf(f.r.addrs[0])})
	}
	if self {
		// A filtering resolver answers 127.0.0.1 for what it blocks, from local data that
		// hardly lives. One that does not filter the name can prove its zone.
		if f.r.ttl <= maxLocalTTL {
			return filtered, f
		}
		soa := j.find(name, dns.TypeSOA)
		switch soa.state {
		case unasked:
			return uncertain, soa
		case soft:
			return filtered, soa
		}
		return toSelf, f
	}
	j.within = j.within || !public
	return inside, f
}

// maxLocalTTL is the TTL, in seconds, up to which an address of this machine is
// taken for a filter's: dnsmasq gives 0, Pi-hole 2, AdGuard 10.
const maxLocalTTL = 10

func hasUnspecified(f finding) bool {
	return f.state == found && slices.ContainsFunc(f.r.addrs, func(a netip.Addr) bool { return a.Unmap().IsUnspecified() })
}

func typeOf(a netip.Addr) uint16 {
	if a.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// implicit judges a domain that is proved to have no MX record.
func (j *judging) implicit() {
	k, f := j.addresses(j.domain)
	if len(j.need) > 0 {
		return
	}
	switch k {
	case usable:
		j.notes = slices.DeleteFunc(j.notes, func(s string) bool { return s == "mx_ok_ipv6_only" }) // the reason says it
		j.itself = true
		if why := j.distrust[f.r.server]; why == "dns_resolver_hijack" {
			j.code = why // the address may be an invention; mail hosts are not known to be invented
			return
		}
		if f.r.addrs[0].Is4() {
			j.accept("mx_implicit_a", dns.TypeA)
		} else {
			j.accept("mx_implicit_aaaa", dns.TypeAAAA)
		}
	case dead:
		j.code = "domain_no_mail_host"
	case uncertain:
		j.code = f.code
	case filtered:
		j.code = "dns_filtered"
	default: // toSelf, inside
		j.code = "domain_not_global"
		if j.within || !publicServer(f.r.server) {
			j.code = "dns_split_horizon"
		}
	}
}

// accept sets the accepting code, unless the top-level domain answers for every
// name and the domain is not delegated. typ is the type that the mail goes by.
func (j *judging) accept(code string, typ uint16) {
	tld := j.domain[strings.LastIndexByte(j.domain, '.')+1:]
	rests, ttl, d := j.rests, j.ttl, j.distrust
	j.distrust = nil // that the probe is denied needs no proof
	wild := j.find(probeName(tld), typ)
	j.distrust = d
	j.ttl = ttl // how long the probe may be kept is no matter of the domain
	if wild.state == unasked {
		return
	}
	if wild.state == nodata || wild.state == nxdomain || wild.code == "dns_not_recorded" {
		j.used = j.used[:len(j.used)-1] // says nothing of the domain
		j.rests = rests
		j.code = code
		return
	}
	// The registry answers for a name that nobody can have registered, or could
	// not be asked. A name in a zone of its own is registered all the same.
	zone := j.find(j.domain, dns.TypeSOA)
	j.ttl = ttl
	switch {
	case zone.state == unasked:
	case zone.state == soft:
		j.code = zone.code
	case zone.state == found, strings.Contains(zone.r.soa, "."): // an apex, or a zone below the registry's
		j.code = code
	case wild.state == soft:
		j.code = wild.code
	case zone.state == nxdomain:
		j.code = "dns_disagree"
	default:
		j.code = "domain_tld_wildcard"
	}
}

// probeName returns a name directly below tld that nobody can have: a label with
// hyphens in its third and fourth place that is no A-label is reserved (RFC 5890
// section 2.3.1), and no registry gives it away.
func probeName(tld string) string { return "zz--nobody." + tld }
