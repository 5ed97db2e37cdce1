package dnstest

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// cast is a query with its true answer, to be turned into what is said.
type cast struct {
	zone *zone
	rule rule
	q, m *dns.Msg
	name string
	typ  uint16
	udp  bool

	raw    []byte // the reply; nil: none, or m is to be packed
	silent bool
	hangUp bool
}

// adguard is the MNAME in the SOA records by which AdGuard Home and AdGuard DNS
// deny what they block.
const adguard = "fake-for-negative-caching.adguard.com."

// lies are the behaviours, but for "truth".
var lies = map[string]func(c *cast){
	"servfail":  func(c *cast) { c.rcode(dns.RcodeServerFailure) },
	"refused":   func(c *cast) { c.rcode(dns.RcodeRefused) },
	"formerr":   (*cast).formerr,
	"notimp":    func(c *cast) { c.rcode(dns.RcodeNotImplemented) },
	"nxdomain":  func(c *cast) { c.rcode(dns.RcodeNameError) },
	"empty":     func(c *cast) { c.rcode(dns.RcodeSuccess) },
	"timeout":   func(c *cast) { c.silent = true },
	"truncated": (*cast).cut,
	"tcpdead":   func(c *cast) { c.cut(); c.hangUp = !c.udp },
	"garbage":   func(c *cast) { c.raw = []byte{1, 2} },
	"echo":      func(c *cast) { c.raw, _ = c.q.Pack() },
	"nosoa":     func(c *cast) { c.m.Ns = nil },
	"referral": func(c *cast) {
		c.rcode(dns.RcodeSuccess)
		c.m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 3600}, Ns: "a.root-servers.net."}}
	},
	"lying": func(c *cast) {
		c.rcode(dns.RcodeSuccess)
		c.raw, _ = c.m.Pack()
		binary.BigEndian.PutUint16(c.raw[6:], 5)
	},
	"wrongid": func(c *cast) { c.m.Id ^= 0x5555 },
	"wrongname": func(c *cast) {
		c.m.Question = []dns.Question{{Name: "other.example.net.", Qtype: c.typ, Qclass: dns.ClassINET}}
	},
	"wrongowner": func(c *cast) {
		for i, rr := range c.m.Answer {
			c.m.Answer[i] = dns.Copy(rr)
			c.m.Answer[i].Header().Name = "other.example.net."
		}
	},
	"nora": func(c *cast) { c.m.RecursionAvailable = false },
	"noedns": func(c *cast) {
		if c.q.IsEdns0() != nil {
			c.formerr()
		}
	},

	"deny":         func(c *cast) { c.deny(".", "") },
	"gone":         func(c *cast) { c.deny(apex(c.name, 1), "") },
	"nothing":      func(c *cast) { c.deny(apex(c.name, 1), ""); c.m.Rcode = dns.RcodeSuccess },
	"selfdeny":     func(c *cast) { c.deny(c.name, "") },
	"selfempty":    func(c *cast) { c.deny(c.name, ""); c.m.Rcode = dns.RcodeSuccess },
	"adguard":      func(c *cast) { c.deny(c.name, adguard) },
	"adguardempty": func(c *cast) { c.deny(c.name, adguard); c.m.Rcode = dns.RcodeSuccess },
	"zonedeny": func(c *cast) {
		zone, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(c.name, "."))
		if err != nil {
			zone = c.name
		}
		c.deny(dns.Fqdn(zone), "dns.home.arpa.")
	},
	"rpz": func(c *cast) { c.deny("rpz.filter.net.", ""); c.m.Extra = append(c.m.Extra, c.m.Ns...) },
	"nullmx": func(c *cast) {
		if c.typ == dns.TypeMX {
			c.mx(0, ".")
		}
	},
	"mx": func(c *cast) {
		if c.typ == dns.TypeMX {
			c.mx(10, dns.Fqdn(c.rule.arg))
		}
	},
	"host": func(c *cast) { c.address(c.rule.arg) },
	"zero": func(c *cast) { c.address("0.0.0.0"); c.address("::") },
	"a":    (*cast).only,
	"nx": func(c *cast) {
		if c.m.Rcode == dns.RcodeNameError {
			c.only()
		}
	},
}

func (c *cast) formerr() {
	c.rcode(dns.RcodeFormatError)
	c.m.Extra = nil
}

// cut makes a truncated reply, over UDP.
func (c *cast) cut() {
	if c.udp {
		c.m.Answer, c.m.Ns, c.m.Truncated = nil, nil, true
	}
}

// only answers with the address of the rule, and has nothing else.
func (c *cast) only() {
	c.rcode(dns.RcodeSuccess)
	c.address(c.rule.arg)
}

// rcode makes an answer of a code and no records.
func (c *cast) rcode(code int) {
	c.m.Answer, c.m.Ns, c.m.Rcode = nil, nil, code
}

// deny makes an NXDOMAIN with the SOA record of a zone.
func (c *cast) deny(zone, mname string) {
	c.rcode(dns.RcodeNameError)
	c.m.Ns = []dns.RR{soaOf(zone, mname)}
}

func (c *cast) header() dns.RR_Header {
	return dns.RR_Header{Name: c.q.Question[0].Name, Rrtype: c.typ, Class: dns.ClassINET, Ttl: 60}
}

func (c *cast) mx(pref uint16, host string) {
	c.rcode(dns.RcodeSuccess)
	c.m.Answer = []dns.RR{&dns.MX{Hdr: c.header(), Preference: pref, Mx: host}}
}

// address answers with an address if that is of the asked type.
func (c *cast) address(s string) {
	ip := netip.MustParseAddr(s)
	switch {
	case c.typ == dns.TypeA && ip.Is4():
		c.rcode(dns.RcodeSuccess)
		c.m.Answer = []dns.RR{&dns.A{Hdr: c.header(), A: ip.AsSlice()}}
	case c.typ == dns.TypeAAAA && ip.Is6():
		c.rcode(dns.RcodeSuccess)
		c.m.Answer = []dns.RR{&dns.AAAA{Hdr: c.header(), AAAA: ip.AsSlice()}}
	}
}

// play makes the reply. cut makes it a truncated one.
func (c *cast) play(cut bool) {
	if opt := c.q.IsEdns0(); opt != nil {
		c.m.SetEdns0(1232, false)
		if c.rule.ede >= 0 {
			o := c.m.IsEdns0()
			o.Option = append(o.Option, &dns.EDNS0_EDE{InfoCode: uint16(c.rule.ede)})
		}
	}
	if cut {
		c.cut()
	} else if lie := lies[c.rule.what]; lie != nil {
		lie(c)
	}
	if c.raw != nil || c.silent || c.hangUp {
		return
	}
	if c.rule.ttl >= 0 {
		for i, rr := range c.m.Answer {
			c.m.Answer[i] = dns.Copy(rr)
			c.m.Answer[i].Header().Ttl = uint32(c.rule.ttl)
		}
	}
	size := dns.MaxMsgSize
	if c.udp {
		size = dns.MinMsgSize
		if opt := c.q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
	}
	c.m.Truncate(size)
	c.raw, _ = c.m.Pack()
}
