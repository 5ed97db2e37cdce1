package dnstest

import (
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// Defaults is the zone text that every server holds below its own: the names
// that the canaries ask for.
const Defaults = `
.                 NS  a.root-servers.net.
example.com.      SOA ns.icann.org. noc.dns.icann.org. 1 7200 3600 1209600 3600
example.com.      MX  0 .
gmail.com.        MX  5 gmail-smtp-in.l.google.com.
outlook.com.      MX  5 outlook-com.olc.protection.outlook.com.
yahoo.com.        MX  1 mta5.am0.yahoodns.net.
gmail-smtp-in.l.google.com.              A 142.250.4.26
outlook-com.olc.protection.outlook.com.  A 52.101.8.36
mta5.am0.yahoodns.net.                   A 67.195.204.72
`

// zone is what a server knows.
type zone struct {
	names   map[string]map[uint16][]dns.RR // lower case, with final dot
	parents map[string]bool                // names that exist because something below them does
}

// parseZone reads a master file, and what every server knows besides.
func parseZone(text string) (*zone, error) {
	z := &zone{names: map[string]map[uint16][]dns.RR{}, parents: map[string]bool{".": true}}
	if err := z.load(text, nil); err != nil {
		return nil, err
	}
	given := map[string]bool{}
	for name := range z.names {
		given[name] = true // the test's own idea of a name stands
	}
	return z, z.load(Defaults, given)
}

// load adds the records of a master file, but for those of the given names.
func (z *zone) load(text string, given map[string]bool) error {
	zp := dns.NewZoneParser(strings.NewReader(text), ".", "zone")
	zp.SetDefaultTTL(3600)
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		name := strings.ToLower(rr.Header().Name)
		if given[name] {
			continue
		}
		if z.names[name] == nil {
			z.names[name] = map[uint16][]dns.RR{}
		}
		z.names[name][rr.Header().Rrtype] = append(z.names[name][rr.Header().Rrtype], rr)
		for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
			z.parents[name[off:]] = true
		}
	}
	return zp.Err()
}

// find returns the records of a name, and whether it exists.
func (z *zone) find(name string) (sets map[uint16][]dns.RR, exists bool) {
	sets, exists = z.names[name]
	if exists || z.parents[name] {
		return sets, true
	}
	for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
		if w, ok := z.names["*."+name[off:]]; ok {
			return w, true
		}
		if z.parents[name[off:]] {
			break // the closest encloser has no wildcard (RFC 4592 section 3.3.1)
		}
	}
	return nil, false
}

// answer makes the true answer.
func (z *zone) answer(q *dns.Msg, name string, typ uint16) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	seen := map[string]bool{}
	for {
		sets, exists := z.find(name)
		own := func(rrs []dns.RR) []dns.RR {
			out := make([]dns.RR, len(rrs))
			for i, rr := range rrs {
				out[i] = dns.Copy(rr)
				out[i].Header().Name = name
			}
			return out
		}
		if rrs := sets[typ]; len(rrs) > 0 {
			m.Answer = append(m.Answer, own(rrs)...)
			return m
		}
		if typ == dns.TypeSOA && exists && sets[dns.TypeCNAME] == nil {
			if rr := z.soa(name); rr.Header().Name == name { // the apex of a zone that the text does not spell out
				m.Answer = append(m.Answer, rr)
				return m
			}
		}
		if cn := sets[dns.TypeCNAME]; len(cn) > 0 {
			m.Answer = append(m.Answer, own(cn)...)
			if seen[name] || len(m.Answer) > 12 {
				return m
			}
			seen[name] = true
			name = strings.ToLower(cn[0].(*dns.CNAME).Target)
			continue
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		m.Ns = []dns.RR{z.soa(name)}
		return m
	}
}

// soa returns the SOA record of the zone that name is in: the closest one of
// the text, else one of the name's second level, else of its top level when
// nothing there exists (as a registry would answer), else of the root when there
// is no such top level.
func (z *zone) soa(name string) dns.RR {
	labels := dns.SplitDomainName(name)
	for i := range labels {
		if rr := z.names[apex(name, len(labels)-i)][dns.TypeSOA]; len(rr) > 0 {
			return rr[0]
		}
	}
	if second := apex(name, 2); len(labels) > 1 && (z.parents[second] || z.names[second] != nil) {
		return soaOf(second, "")
	}
	tld := apex(name, 1)
	if _, known := publicsuffix.PublicSuffix(strings.TrimSuffix(tld, ".")); !known && !z.parents[tld] {
		return soaOf(".", "")
	}
	return soaOf(tld, "")
}

// apex returns the last n labels of a name.
func apex(name string, n int) string {
	labels := dns.SplitDomainName(name)
	return dns.Fqdn(strings.Join(labels[max(len(labels)-n, 0):], "."))
}

// soaOf makes the SOA record of a zone; mname "" is a name server of its own.
func soaOf(owner, mname string) dns.RR {
	if mname == "" {
		mname = "ns." + strings.TrimPrefix(owner, ".")
	}
	return &dns.SOA{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 3600},
		Ns: mname, Mbox: "hostmaster." + strings.TrimPrefix(owner, "."), Serial: 1, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: 3600}
}
