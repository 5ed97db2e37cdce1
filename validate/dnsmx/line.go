package dnsmx

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A tape is a recording of a run: one line a reply, in the order they came.
//
//	acme.com MX 1 2026-03-12T09:00:00Z 127.0.0.1:53/udp NOERROR ra ttl=300 10:mx.acme.com
//	mx.acme.com A 1 2026-03-12T09:00:00Z 127.0.0.1:53/udp NOERROR ra ttl=300 198.41.0.4
//	gone.com MX 1 2026-03-12T09:00:00Z 127.0.0.1:53/udp NXDOMAIN ra ttl=900 soa=com
//	slow.com MX 1 2026-03-12T09:00:02Z 127.0.0.1:53/udp timeout
//	! 127.0.0.1:53 dns_resolver_hijack
//
// Fields: name, type, number of the attempt, time, server/transport, rcode or
// failure, then flags and records. The lines of a question are in the order of
// the attempts, so that a sorted tape means the same. Lines with "!" say which
// resolvers turned out not to be believed, or of what (*) nothing is; lines with "#"
// are comments.
const tapeHeader = "# winnow DNS recording 1\n"

// appendReply appends the line of reply n to a question.
func appendReply(b []byte, q question, n int, r *reply) []byte {
	b = append(b, q.name...)
	b = append(b, ' ')
	b = append(b, dns.TypeToString[q.typ]...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, ' ')
	b = time.Unix(r.when, 0).UTC().AppendFormat(b, time.RFC3339)
	b = append(b, ' ')
	if r.server == "" {
		b = append(b, '-')
	} else {
		b = append(b, r.server...)
	}
	b = append(b, '/')
	b = append(b, viaNames[r.via]...)
	b = append(b, ' ')
	if r.fail != failNone {
		b = append(b, failNames[r.fail]...)
		return append(b, '\n')
	}
	if s, ok := dns.RcodeToString[int(r.rcode)]; ok {
		b = append(b, s...)
	} else {
		b = fmt.Appendf(b, "RCODE%d", r.rcode)
	}
	if r.ra {
		b = append(b, " ra"...)
	}
	if r.ttl > 0 {
		b = fmt.Appendf(b, " ttl=%d", r.ttl)
	}
	if r.ede >= 0 {
		b = fmt.Appendf(b, " ede=%d", r.ede)
	}
	if r.soa != "" {
		b = append(b, " soa="...)
		b = append(b, r.soa...)
	}
	if r.filter {
		b = append(b, " filter"...)
	}
	if r.loop {
		b = append(b, " loop"...)
	}
	if r.stray {
		b = append(b, " stray"...)
	}
	for _, c := range r.chain {
		b = append(b, " cname="...)
		b = append(b, c...)
	}
	for _, m := range r.mx {
		b = fmt.Appendf(b, " %d:%s", m.pref, m.host)
	}
	for _, a := range r.addrs {
		b = append(b, ' ')
		b = a.AppendTo(b)
	}
	if r.other > 0 {
		b = fmt.Appendf(b, " records=%d", r.other)
	}
	return append(b, '\n')
}

// interner keeps one copy of each text: server names and hosts repeat a million times.
type interner map[string]string

func (in interner) get(s string) string {
	if v, ok := in[s]; ok {
		return v
	}
	s = strings.Clone(s)
	in[s] = s
	return s
}

// parseLine reads the line of a reply, and says the how manieth to its question it is.
func parseLine(line string, in interner) (q question, n int, r reply, err error) {
	r.ede = -1
	w := strings.Fields(line)
	if len(w) < 6 {
		return q, 0, r, fmt.Errorf("want: NAME TYPE NUMBER TIME SERVER/TRANSPORT RESULT …, got %d fields", len(w))
	}
	typ, ok := dns.StringToType[w[1]]
	if !ok {
		return q, 0, r, fmt.Errorf("no such record type: %s", w[1])
	}
	q = question{strings.Clone(w[0]), typ}
	if n, err = strconv.Atoi(w[2]); err != nil || n < 1 || n > 1000 {
		return q, 0, r, fmt.Errorf("not the number of an attempt: %s", w[2])
	}
	when, err := time.Parse(time.RFC3339, w[3])
	if err != nil {
		return q, 0, r, fmt.Errorf("not a time: %s", w[3])
	}
	r.when = when.Unix()
	i := strings.LastIndexByte(w[4], '/')
	if i < 0 {
		return q, 0, r, fmt.Errorf("want SERVER/TRANSPORT: %s", w[4])
	}
	if w[4][:i] != "-" {
		r.server = in.get(w[4][:i])
	}
	if r.via, ok = index[via](viaNames[:], w[4][i+1:]); !ok {
		return q, 0, r, fmt.Errorf("no such transport: %s", w[4][i+1:])
	}
	if f, ok := index[fail](failNames[:], w[5]); ok {
		r.fail = f
	} else if c, ok := dns.StringToRcode[w[5]]; ok {
		r.rcode = uint16(c)
	} else if c, err := strconv.ParseUint(strings.TrimPrefix(w[5], "RCODE"), 10, 12); err == nil {
		r.rcode = uint16(c)
	} else {
		return q, 0, r, fmt.Errorf("neither a result code nor a failure: %s", w[5])
	}
	for _, f := range w[6:] {
		if err := r.parseField(f, in); err != nil {
			return q, 0, r, err
		}
	}
	return q, n, r, nil
}

// parseField reads a flag or a record of a line.
func (r *reply) parseField(f string, in interner) error {
	key, val, has := strings.Cut(f, "=")
	var num uint64
	var err error
	switch {
	case f == "ra":
		r.ra = true
	case f == "filter":
		r.filter = true
	case f == "loop":
		r.loop = true
	case f == "stray":
		r.stray = true
	case has && key == "ttl":
		num, err = strconv.ParseUint(val, 10, 32)
		r.ttl = uint32(num)
	case has && key == "ede":
		num, err = strconv.ParseUint(val, 10, 15)
		r.ede = int16(num)
	case has && key == "soa":
		r.soa = in.get(val)
	case has && key == "cname":
		r.chain = append(r.chain, in.get(val))
	case has && key == "records":
		num, err = strconv.ParseUint(val, 10, 16)
		r.other = int(num)
	default:
		if ip, e := netip.ParseAddr(f); e == nil {
			r.addrs = append(r.addrs, ip)
			break
		}
		pref, host, has := strings.Cut(f, ":")
		num, err = strconv.ParseUint(pref, 10, 16)
		if !has || err != nil || host == "" {
			return fmt.Errorf("neither a flag nor a record: %s", f)
		}
		r.mx = append(r.mx, mx{uint16(num), in.get(host)})
	}
	if err != nil {
		return fmt.Errorf("not a number: %s", f)
	}
	return nil
}

// index finds s in names.
func index[T ~uint8](names []string, s string) (T, bool) {
	for i, n := range names {
		if n == s && s != "" {
			return T(i), true
		}
	}
	return 0, false
}
