package dnsmx

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// question is what a resolver is asked. The class is always IN.
type question struct {
	name string // lower case, no final dot; "." is the root
	typ  uint16
}

func (q question) String() string { return q.name + " " + dns.TypeToString[q.typ] }

// via is the way a query took.
type via uint8

const (
	udp via = iota
	tcp
	dot // DNS over TLS, RFC 7858
	doh // DNS over HTTPS, RFC 8484
)

var viaNames = [...]string{"udp", "tcp", "tls", "https"}

// fail says why a query got no answer at all.
type fail uint8

const (
	failNone fail = iota
	failTimeout
	failUnreachable // no route, or ICMP says that nobody listens
	failBad
	failTruncated
	failTLS
	failDown   // no resolver was left
	failBudget // no time was left
	failUnrecorded
)

var failNames = [...]string{"", "timeout", "unreachable", "bad-reply", "truncated", "tls-error", "resolver-down", "budget", "not-recorded"}

var failCodes = [...]string{"", "dns_timeout", "dns_timeout", "dns_bad_reply", "dns_truncated", "dns_tls_error", "dns_resolver_down", "dns_budget", "dns_not_recorded"}

// mx is one MX record.
type mx struct {
	pref uint16
	host string // lower case, no final dot; "." for a null MX
}

// reply is what came of one attempt to get an answer to a question.
type reply struct {
	server string // as the user named it
	via    via
	fail   fail
	when   int64 // Unix seconds

	rcode  uint16
	ra     bool
	ede    int16  // Extended DNS Error (RFC 8914); -1: none
	soa    string // owner of the SOA record of a negative answer, "" when there is none
	filter bool   // that SOA record is the mark of a filter
	ttl    uint32 // seconds that the answer may be kept

	chain []string // what the name is an alias of, in order
	loop  bool     // the chain does not end
	stray bool     // the answer section holds nothing that belongs to the question
	mx    []mx
	addrs []netip.Addr
	other int // records of the asked type that are neither MX nor address
}

func (r *reply) records() int { return len(r.mx) + len(r.addrs) + r.other }

// last returns the name that the chain ends at.
func (r *reply) last(q question) string {
	if n := len(r.chain); n > 0 {
		return r.chain[n-1]
	}
	return q.name
}

// ednsSize is the UDP payload size offered: it avoids fragments on all usual
// paths (DNS flag day 2020).
const ednsSize = 1232

// appendQuery appends the query message for q to b.
func appendQuery(b []byte, id uint16, q question, edns bool) ([]byte, error) {
	size := len(b) + 12 + len(q.name) + 2 + 4 + 11
	if cap(b) < size {
		b = append(make([]byte, 0, size), b...)
	}
	b = append(b, byte(id>>8), byte(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0) // RD=1, QDCOUNT=1
	if edns {
		b[len(b)-1] = 1
	}
	off := len(b)
	b = b[:off+len(q.name)+2]
	n, err := dns.PackDomainName(dns.Fqdn(q.name), b, off, nil, false)
	if err != nil {
		return nil, err
	}
	b = append(b[:n], byte(q.typ>>8), byte(q.typ), 0, dns.ClassINET)
	if edns { // RFC 6891 section 6.1.2: root name, type 41, class = size, flags = 0, no options
		b = append(b, 0, 0, 41, ednsSize>>8, ednsSize&0xff, 0, 0, 0, 0, 0, 0)
	}
	return b, nil
}

// parseReply reads the reply b to query. ok is false for a message that is not
// a reply to it, or that is not what its header says: such a message tells
// nothing and is dropped, since whoever can send one could otherwise deny a
// domain. The fields server, via and when are left to the caller.
func parseReply(b, query []byte, q question) (r reply, ok bool) {
	r.ede = -1
	if len(b) < 12 || len(query) < 12 {
		return r, false
	}
	flags := binary.BigEndian.Uint16(b[2:])
	qd, an, ns, ar := int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:])), int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
	if b[0] != query[0] || b[1] != query[1] || flags&0x8000 == 0 || flags&0x7800 != 0 {
		return r, false // id, QR, opcode
	}
	r.rcode = flags & 0xf
	r.ra = flags&0x80 != 0
	off := 12
	if qd == 0 {
		// Some resolvers refuse without repeating the question. Only an error may do so.
		return r, len(b) == 12 && an+ns+ar == 0 && r.rcode != dns.RcodeSuccess && r.rcode != dns.RcodeNameError
	}
	end := 12 // of the question in the query
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	if qd != 1 || len(b) < end || !equalFold(b[12:end], query[12:end]) {
		return r, false
	}
	off = end
	if flags&0x0200 != 0 {
		// TC before everything else: what follows may be cut anywhere (RFC 2181 section 9).
		r.fail = failTruncated
		return r, true
	}
	var answers []dns.RR
	r.ttl = 1 << 31
	name := q.name
	for i := range an + ns + ar {
		rr, next, err := dns.UnpackRR(b, off)
		if err != nil || next <= off || next > len(b) {
			return r, false // the counts lie, or it is malformed
		}
		off = next
		h := rr.Header()
		switch {
		case h.Rrtype == dns.TypeOPT:
			opt := rr.(*dns.OPT)
			r.rcode |= uint16(opt.ExtendedRcode()) &^ 0xf
			for _, o := range opt.Option {
				if e, ok := o.(*dns.EDNS0_EDE); ok && worseEDE(int16(e.InfoCode), r.ede) {
					r.ede = int16(e.InfoCode)
				}
			}
		case h.Class != dns.ClassINET:
		case h.Rdlength == 0:
			return r, false // none of the types that matter may be empty; miekg/dns lets it pass (RFC 2136)
		case i < an:
			answers = append(answers, rr)
		case i < an+ns && h.Rrtype == dns.TypeSOA && r.soa == "":
			if len(answers) > 0 {
				name = follow(&r, q, answers)
			}
			// RFC 2308 section 2: the SOA of the zone that the name is in.
			soa := rr.(*dns.SOA)
			r.filter = r.filter || isFilter(hostName(soa.Ns))
			if owner := hostName(h.Name); below(name, owner) {
				r.soa = owner
				r.ttl = min(r.ttl, h.Ttl, soa.Minttl) // RFC 2308 section 5
			}
		}
	}
	if off != len(b) {
		return r, false // more than the header counts
	}
	if len(answers) > 0 {
		name = follow(&r, q, answers)
		owned := len(r.chain)
		for _, rr := range answers {
			h := rr.Header()
			if hostName(h.Name) != name {
				continue
			}
			owned++
			if h.Rrtype != q.typ {
				continue
			}
			r.ttl = min(r.ttl, h.Ttl)
			switch rr := rr.(type) {
			case *dns.MX:
				r.mx = append(r.mx, mx{rr.Preference, hostName(rr.Mx)})
			case *dns.A:
				if a, ok := netip.AddrFromSlice(rr.A.To4()); ok {
					r.addrs = append(r.addrs, a)
				}
			case *dns.AAAA:
				if a, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok {
					r.addrs = append(r.addrs, a)
				}
			default:
				r.other++
			}
		}
		r.stray = owned == 0 // every record is somebody else's
		if len(r.mx) > maxMX {
			r.mx = r.hosts()[:maxMX]
		}
		if len(r.mx) > 0 || len(r.addrs) > 0 || r.other > 0 {
			r.soa, r.filter = "", false
		}
	}
	if r.ttl == 1<<31 {
		r.ttl = 0
	}
	return r, true
}

// maxMX bounds how many MX records are kept: more than are ever looked at.
const maxMX = 4 * maxHosts

// isFilter says whether an SOA record with this MNAME was made by a filter for a
// name that it blocks: AdGuard and what is built like it write the first, response
// policy zones call themselves by the second.
func isFilter(mname string) bool {
	first, _, _ := strings.Cut(mname, ".")
	return first == "fake-for-negative-caching" || strings.Contains("."+mname+".", ".rpz.")
}

// maxChain bounds the aliases that are followed.
const maxChain = 10

// follow sets r.chain and r.loop from the CNAME records among the answers and
// returns the name at the end of the chain.
func follow(r *reply, q question, answers []dns.RR) string {
	name := q.name
	r.chain = r.chain[:0]
	for {
		next := ""
		for _, rr := range answers {
			if cn, ok := rr.(*dns.CNAME); ok && hostName(cn.Hdr.Name) == name {
				next = hostName(cn.Target)
				r.ttl = min(r.ttl, cn.Hdr.Ttl)
				break
			}
		}
		if next == "" {
			return name
		}
		if next == q.name || len(r.chain) == maxChain {
			r.loop = true
			return name
		}
		for _, c := range r.chain {
			if c == next {
				r.loop = true
				return name
			}
		}
		r.chain = append(r.chain, next)
		name = next
	}
}

// hostName turns a name as miekg/dns gives it into ours.
func hostName(s string) string {
	if len(s) > 1 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	if strings.IndexByte(s, ' ') >= 0 {
		s = strings.ReplaceAll(s, `\ `, `\032`) // the same octet, and no separator in a recording
	}
	return strings.ToLower(s)
}

// equalFold compares two questions, ignoring the case of letters. Bytes that
// are not letters but differ in bit 5 alone do not occur in the names we ask.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x >= 'A' && x <= 'Z' {
			x |= 0x20
		}
		if y >= 'A' && y <= 'Z' {
			y |= 0x20
		}
		if x != y {
			return false
		}
	}
	return true
}

// worseEDE says whether of two Extended DNS Errors a says more against the answer.
func worseEDE(a, b int16) bool {
	rank := func(e int16) int {
		switch {
		case filterEDE(e):
			return 3
		case bogusEDE(e):
			return 2
		case e >= 0:
			return 1
		}
		return 0
	}
	return rank(a) > rank(b)
}

// filterEDE: Forged Answer, Blocked, Censored, Filtered, Prohibited.
func filterEDE(e int16) bool { return e == 4 || e >= 15 && e <= 18 }

// bogusEDE: the DNSSEC errors.
func bogusEDE(e int16) bool { return e == 1 || e == 2 || e >= 5 && e <= 12 }

// staleEDE: Stale Answer, Stale NXDOMAIN Answer.
func staleEDE(e int16) bool { return e == 3 || e == 19 }
