package dnsmx

import (
	"fmt"
	"net/netip"
	"slices"
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
	b := fmt.Appendf(nil, "%s %s: ", q.name, dns.TypeToString[q.typ])
	for _, c := range r.chain[:min(len(r.chain), maxShown)] {
		b = fmt.Appendf(b, "alias of %s, ", c)
	}
	s, code := r.classify(q)
	if f.state == soft && s != soft {
		code = f.code // contradicted or not believed
	}
	switch s {
	case found, null:
		b = r.appendRecords(b)
	case nodata:
		b = fmt.Appendf(b, "no such records (proved by SOA %s)", r.soa)
	case nxdomain:
		b = fmt.Appendf(b, "NXDOMAIN (proved by SOA %s)", r.soa)
	case soft:
		b = append(r.appendError(b), Explain(code)...)
		return string(b)
	}
	if f.state == soft {
		b = append(b, "; not believed: "...)
		b = append(b, Explain(code)...)
	}
	return string(b)
}

// appendRecords appends the first few records, in an order that does not change.
func (r *reply) appendRecords(b []byte) []byte {
	n := 0
	sep := func() bool {
		if n++; n > 1 && n <= maxShown {
			b = append(b, ", "...)
		}
		return n <= maxShown
	}
	for _, m := range r.hosts() {
		if sep() {
			b = fmt.Appendf(b, "%d %s", m.pref, m.host)
		}
	}
	addrs := slices.Clone(r.addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	for _, a := range addrs {
		if sep() {
			b = a.AppendTo(b)
		}
	}
	if r.other > 0 && sep() {
		b = fmt.Appendf(b, "%d records", r.other)
	}
	if n > maxShown {
		b = fmt.Appendf(b, " and %d more", n-maxShown)
	}
	return b
}

// appendError appends the result code of a reply that tells nothing.
func (r *reply) appendError(b []byte) []byte {
	if r.fail != failNone {
		return b
	}
	rc, ok := dns.RcodeToString[int(r.rcode)]
	if !ok {
		rc = fmt.Sprintf("RCODE%d", r.rcode)
	}
	b = append(b, rc...)
	if r.ede >= 0 {
		b = fmt.Appendf(b, ", EDE %d", r.ede)
		if t := dns.ExtendedErrorCodeToString[uint16(r.ede)]; t != "" {
			b = fmt.Appendf(b, " %s", t)
		}
	}
	return append(b, ", "...)
}
