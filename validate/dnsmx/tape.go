package dnsmx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
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
// resolvers turned out not to be believed; lines with "#" are comments.
const tapeHeader = "# winnow DNS recording 1\n"

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

// record writes reply n of a question to the tape.
func (e *engine) record(a *ask, n int) {
	if e.tape == nil || a.canary != nil || e.tapeErr != nil {
		return
	}
	_, e.tapeErr = e.tape.Write(appendReply(e.tape.AvailableBuffer(), a.q, n+1, &a.replies[n]))
}

// flushTape writes the end of the tape. The caller holds mu.
func (e *engine) flushTape() error {
	if e.tape == nil {
		return nil
	}
	for _, u := range e.ups {
		if why := e.lost[u.t.server.name]; why != "" {
			fmt.Fprintf(e.tape, "! %s %s\n", u.t.server.name, why)
		}
	}
	if e.anomaly {
		fmt.Fprintf(e.tape, "! * dns_anomaly\n")
	}
	if err := e.tape.Flush(); e.tapeErr == nil {
		e.tapeErr = err
	}
	if e.tapeErr != nil {
		return fmt.Errorf("recording the DNS: %w", e.tapeErr)
	}
	return nil
}

// Tape answers from a recording: the same bytes each time, without a network.
// It implements validate.Resolver. Domains that it does not hold are Unknown.
type Tape struct {
	replies map[question][]reply
	lost    distrust
	anomaly bool
	stats   Stats
}

// OpenTape reads a recording. name is for its errors.
func OpenTape(r io.Reader, name string) (*Tape, error) {
	t := &Tape{replies: map[question][]reply{}, lost: distrust{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	names := map[string]string{} // server names and hosts repeat a million times
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := t.line(line, names); err != nil {
			return nil, fmt.Errorf("%s:%d: %v", name, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (t *Tape) line(line string, names map[string]string) error {
	intern := func(s string) string {
		if v, ok := names[s]; ok {
			return v
		}
		s = strings.Clone(s)
		names[s] = s
		return s
	}
	w := strings.Fields(line)
	if w[0] == "!" {
		switch {
		case len(w) == 3 && w[1] == "*" && w[2] == "dns_anomaly":
			t.anomaly = true
		case len(w) == 3 && (w[2] == "dns_resolver_hijack" || w[2] == "dns_negative_unproven"):
			t.lost[w[1]] = w[2]
		default:
			return fmt.Errorf("want: ! SERVER REASON")
		}
		return nil
	}
	if len(w) < 6 {
		return fmt.Errorf("want: NAME TYPE NUMBER TIME SERVER/TRANSPORT RESULT …, got %d fields", len(w))
	}
	typ, ok := dns.StringToType[w[1]]
	if !ok {
		return fmt.Errorf("no such record type: %s", w[1])
	}
	q := question{strings.Clone(w[0]), typ}
	n, err := strconv.Atoi(w[2])
	if err != nil || n < 1 || n > 1000 {
		return fmt.Errorf("not the number of an attempt: %s", w[2])
	}
	r := reply{ede: -1}
	when, err := time.Parse(time.RFC3339, w[3])
	if err != nil {
		return fmt.Errorf("not a time: %s", w[3])
	}
	r.when = when.Unix()
	i := strings.LastIndexByte(w[4], '/')
	if i < 0 {
		return fmt.Errorf("want SERVER/TRANSPORT: %s", w[4])
	}
	if w[4][:i] != "-" {
		r.server = intern(w[4][:i])
	}
	if r.via, ok = index[via](viaNames[:], w[4][i+1:]); !ok {
		return fmt.Errorf("no such transport: %s", w[4][i+1:])
	}
	if f, ok := index[fail](failNames[:], w[5]); ok {
		r.fail = f
	} else if c, ok := dns.StringToRcode[w[5]]; ok {
		r.rcode = uint16(c)
	} else if c, err := strconv.ParseUint(strings.TrimPrefix(w[5], "RCODE"), 10, 12); err == nil {
		r.rcode = uint16(c)
	} else {
		return fmt.Errorf("neither a result code nor a failure: %s", w[5])
	}
	for _, f := range w[6:] {
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
			r.soa = intern(val)
		case has && key == "cname":
			r.chain = append(r.chain, intern(val))
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
			r.mx = append(r.mx, mx{uint16(num), intern(host)})
		}
		if err != nil {
			return fmt.Errorf("not a number: %s", f)
		}
	}
	rs := t.replies[q]
	for len(rs) < n {
		rs = append(rs, reply{fail: failUnrecorded, ede: -1})
	}
	rs[n-1] = r
	t.replies[q] = rs
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

// Resolve implements validate.Resolver.
func (t *Tape) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	return t.stats.fromMemory(ctx, domains, each, t.answer)
}

// Stats returns the figures of the last call of Resolve, once it has returned.
func (t *Tape) Stats() Stats { return t.stats }

// Asked is Resolver.Asked.
func (t *Tape) Asked() (queries, cached int64, resolvers []string) { return t.stats.asked() }

func (t *Tape) answer(domain string) validate.Answer {
	look := func(q question) []reply {
		r := t.replies[q]
		if len(r) == 0 && q.typ == dns.TypeMX && q.name == domain {
			// As in a run (RFC 8020): what the registry denies has nothing below it.
			if i := secondLevel(domain); i > 0 {
				up := question{domain[i:], dns.TypeMX}
				rs := t.replies[up]
				if f := merge(up, rs, t.lost); f.state == nxdomain && len(f.r.chain) == 0 && !strings.Contains(f.r.soa, ".") {
					return rs
				}
			}
		}
		return r
	}
	v := judgeRecorded(domain, look, t.lost, t.anomaly)
	return v.answer(domain, look, t.lost)
}
