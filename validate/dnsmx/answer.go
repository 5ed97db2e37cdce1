package dnsmx

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/lists"
)

// answer makes the Answer that goes out.
func (j *judgement) answer(domain string, look func(question) []reply, d distrust) validate.Answer {
	a := validate.Answer{Domain: domain, Verdict: verdictOf(j.code), Reason: j.code, Detail: Explain(j.code), MX: j.mx[:min(len(j.mx), maxHosts)], Warnings: j.notes}
	for _, h := range j.mx {
		if p, _ := lists.MXProvider(h); p != "" { // of the most preferred host that is known
			a.Provider = p
			break
		}
	}
	if len(j.used) > 0 {
		a.Evidence = make([]validate.Evidence, 0, len(j.used))
	}
	var newest int64
	for _, q := range j.used {
		f := merge(q, look(q), d)
		if f.r == nil {
			continue
		}
		if len(a.Evidence) == maxEvidence {
			break
		}
		e := validate.Evidence{What: f.describe(q), From: f.r.from()}
		if f.r.when != 0 {
			e.When = time.Unix(f.r.when, 0).UTC()
			newest = max(newest, f.r.when)
		}
		a.Evidence = append(a.Evidence, e)
	}
	if newest != 0 {
		a.ObservedAt = time.Unix(newest, 0).UTC()
	}
	return a
}

func (r *reply) from() string {
	if r.server == "" {
		return ""
	}
	return r.server + "/" + viaNames[r.via]
}

// maxShown bounds how many records of an answer are shown, and maxEvidence how
// many answers of a domain: what a stranger writes into his zone is not to fill
// the user's files.
const (
	maxShown    = 8
	maxEvidence = 12
)

// describe says in one line what was found.
func (f finding) describe(q question) string {
	r := f.r
	var b []byte
	b = append(b, q.name...)
	b = append(b, ' ')
	b = append(b, dns.TypeToString[q.typ]...)
	b = append(b, ": "...)
	for i, c := range r.chain {
		if i == maxShown {
			break
		}
		b = append(b, "alias of "...)
		b = append(b, c...)
		b = append(b, ", "...)
	}
	s, code := r.classify(q)
	if f.state == soft && s != soft {
		code = f.code // contradicted or not believed
	}
	n := 0
	add := func(show func()) {
		if n++; n > maxShown {
			return
		}
		if n > 1 {
			b = append(b, ", "...)
		}
		show()
	}
	switch s {
	case found, null:
		for _, m := range r.hosts() {
			add(func() {
				b = strconv.AppendUint(b, uint64(m.pref), 10)
				b = append(b, ' ')
				b = append(b, m.host...)
			})
		}
		addrs := slices.Clone(r.addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		for _, a := range addrs {
			add(func() { b = a.AppendTo(b) })
		}
		if r.other > 0 {
			add(func() { b = fmt.Appendf(b, "%d records", r.other) })
		}
		if n > maxShown {
			b = fmt.Appendf(b, " and %d more", n-maxShown)
		}
	case nodata, nxdomain:
		if s == nodata {
			b = append(b, "no such records (proved by SOA "...)
		} else {
			b = append(b, "NXDOMAIN (proved by SOA "...)
		}
		b = append(b, r.soa...)
		b = append(b, ')')
	case soft:
		if r.fail == failNone {
			rc, ok := dns.RcodeToString[int(r.rcode)]
			if !ok {
				rc = "RCODE" + strconv.Itoa(int(r.rcode))
			}
			b = append(b, rc...)
			if r.ede >= 0 {
				b = fmt.Appendf(b, ", EDE %d", r.ede)
				if t := dns.ExtendedErrorCodeToString[uint16(r.ede)]; t != "" {
					b = append(b, " "...)
					b = append(b, t...)
				}
			}
			b = append(b, ", "...)
		}
		b = append(b, Explain(code)...)
		return string(b)
	}
	if f.state == soft {
		b = append(b, "; not believed: "...)
		b = append(b, Explain(code)...)
	}
	return string(b)
}
