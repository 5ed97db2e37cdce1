package dnsmx

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

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
	count := func(i int) int { return int(binary.BigEndian.Uint16(b[4+2*i:])) }
	qd, an, ns, ar := count(0), count(1), count(2), count(3)
	if b[0] != query[0] || b[1] != query[1] || flags&0x8000 == 0 || flags&0x7800 != 0 {
		return r, false // id, QR, opcode
	}
	r.rcode = flags & 0xf
	r.ra = flags&0x80 != 0
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
	if flags&0x0200 != 0 {
		// TC before everything else: what follows may be cut anywhere (RFC 2181 section 9).
		r.fail = failTruncated
		return r, true
	}
	r.ttl = 1 << 31
	answers, ok := r.sections(b[:len(b):len(b)], end, q, [3]int{an, ns, ar})
	if !ok {
		return r, false
	}
	if len(answers) > 0 {
		r.take(q, answers)
	}
	if r.ttl == 1<<31 {
		r.ttl = 0
	}
	return r, true
}

// sections reads the records of the message b from off on: as many in the answer,
// authority and additional section as counts says, and not a byte more.
func (r *reply) sections(b []byte, off int, q question, counts [3]int) (answers []dns.RR, ok bool) {
	an, ns, ar := counts[0], counts[1], counts[2]
	name := q.name
	for i := range an + ns + ar {
		rr, next, err := dns.UnpackRR(b, off)
		if err != nil || next <= off || next > len(b) {
			return nil, false // the counts lie, or it is malformed
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
			return nil, false // none of the types that matter may be empty; miekg/dns lets it pass (RFC 2136)
		case i < an:
			answers = append(answers, rr)
		case i < an+ns && h.Rrtype == dns.TypeSOA && r.soa == "":
			if len(answers) > 0 {
				name = follow(r, q, answers)
			}
			// RFC 2308 section 2: the SOA of the zone that the name is in.
			soa := rr.(*dns.SOA)
			r.filter = r.filter || isFilter(soa.Ns)
			if owner := hostName(h.Name); below(name, owner) {
				r.soa = owner
				r.ttl = min(r.ttl, h.Ttl, soa.Minttl) // RFC 2308 section 5
			}
		}
	}
	return answers, off == len(b)
}

// take takes the records of the asked type at the end of the chain of aliases.
func (r *reply) take(q question, answers []dns.RR) {
	name := follow(r, q, answers)
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
	if r.records() > 0 {
		r.soa, r.filter = "", false
	}
}

// maxMX bounds how many MX records are kept, those of the best preference: more
// than are ever looked at.
const maxMX = 80

// isFilter says whether an SOA record with this MNAME was made by a filter for a
// name that it blocks: AdGuard and what is built like it write the first, response
// policy zones call themselves by the second.
func isFilter(mname string) bool {
	return strings.HasPrefix(mname, "fake-for-negative-caching.") || strings.HasPrefix(mname, "rpz.") || strings.Contains(mname, ".rpz.")
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
