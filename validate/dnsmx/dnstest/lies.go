package dnstest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

// rule is a line that scripts how questions are answered.
type rule struct {
	name  string // "*" for all; with a dot in front: that name and all below
	typ   uint16 // 0 for all
	what  string
	arg   string
	ede   int // -1: none
	ttl   int // -1: as it is
	flaky int // percent
	spent *bool
}

var truth = rule{what: "truth", ede: -1, ttl: -1}

func parseRule(f []string) (rule, error) {
	r := rule{ede: -1, ttl: -1, flaky: 100, spent: new(bool)}
	if len(f) < 3 {
		return r, fmt.Errorf("want: ! name type behaviour")
	}
	switch below, wild := strings.CutPrefix(f[0], "*."); {
	case wild:
		r.name = "." + strings.ToLower(dns.Fqdn(below))
	case f[0] == "*":
		r.name = "*"
	default:
		r.name = strings.ToLower(dns.Fqdn(f[0]))
	}
	if f[1] != "*" {
		t, ok := dns.StringToType[strings.ToUpper(f[1])]
		if !ok {
			return r, fmt.Errorf("no such type: %s", f[1])
		}
		r.typ = t
	}
	for _, w := range f[2:] {
		key, val, has := strings.Cut(w, "=")
		var err error
		switch {
		case key == "ede" && has:
			r.ede, err = strconv.Atoi(val)
		case key == "ttl" && has:
			r.ttl, err = strconv.Atoi(val)
		case key == "flaky" && has:
			r.flaky, err = strconv.Atoi(val)
		case r.what == "":
			r.what, r.arg = key, val
			err = checkBehaviour(key, val, has)
		default:
			err = fmt.Errorf("unexpected: %s", w)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func checkBehaviour(what, arg string, has bool) (err error) {
	switch what {
	case "a", "nx", "host":
		_, err = netip.ParseAddr(arg)
		return err
	case "mx", "alias":
		return nil
	case "once":
		return checkBehaviour(arg, "", false)
	case "truth":
		return nil
	}
	if lies[what] == nil || has {
		return fmt.Errorf("no such behaviour: %s", what)
	}
	return nil
}

// choose returns how a question is to be answered. The caller holds the server's lock.
func choose(rules []rule, name string, typ uint16, rng *rand.Rand) rule {
	for _, r := range rules {
		if !(r.name == "*" || r.name == name || r.name[0] == '.' && (name == r.name[1:] || strings.HasSuffix(name, r.name))) || r.typ != 0 && r.typ != typ {
			continue
		}
		if r.flaky < 100 && rng.IntN(100) >= r.flaky {
			continue
		}
		if r.what == "once" {
			if *r.spent {
				continue
			}
			*r.spent = true
			r.what, r.arg = r.arg, ""
		}
		return r
	}
	return truth
}

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
	"alias": func(c *cast) {
		to := dns.Fqdn(c.rule.arg)
		h := c.header()
		h.Rrtype = dns.TypeCNAME
		c.m = c.zone.answer(c.q, to, c.typ)
		c.m.Answer = append([]dns.RR{&dns.CNAME{Hdr: h, Target: to}}, c.m.Answer...)
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
