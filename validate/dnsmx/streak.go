package dnsmx

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/validate"
)

// A mail server tries for four to five days before it gives a message back (RFC
// 5321 section 4.5.4.1). A domain whose own servers could not be asked on that
// many days is dead to it, although nothing was ever proved.
const (
	persistentDays = 5
	streakKept     = 366 // days after the last one
)

// failing lists the reasons that the servers of a domain themselves can be the
// cause of. Those that tell of the resolver, or of the run, never count.
var failing = map[string]bool{
	"dns_servfail":               true,
	"dns_dnssec_bogus":           true,
	"dns_no_reachable_authority": true,
	"dns_network_error":          true, // between the resolver and other servers (RFC 8914 section 4.24)
	"dns_cached_error":           true,
	"dns_timeout":                true,
	"dns_cname_loop":             true,
	"mx_address_unknown":         true,
}

// answered says whether a reason, Unknown ones included, means that the servers
// of the domain did answer.
func answered(code string) bool {
	switch code {
	case "mx_null_mixed", "mx_ip_literal", "dns_split_horizon":
		return true
	}
	return verdictOf(code) != validate.Unknown
}

// streak says on how many days a domain was asked for and failed, with no
// answer in between. Days are counted from 1970 in UTC.
type streak struct {
	first, last int64
	days        int
	reason      string // the last one
}

// next is the streak after a failure on the day today.
func (s streak) next(today int64, reason string) streak {
	switch {
	case s.days == 0 || s.last > today: // a clock that was set back starts anew
		return streak{today, today, 1, reason}
	case s.last < today:
		s.days++
	}
	s.last, s.reason = today, reason
	return s
}

func (s streak) String() string {
	if s.days == 1 {
		return "unknown on 1 day, " + dayOf(s.first)
	}
	return fmt.Sprintf("unknown on %d days since %s", s.days, dayOf(s.first))
}

const secondsPerDay = 24 * 60 * 60

func dayOf(n int64) string { return time.Unix(n*secondsPerDay, 0).UTC().Format(time.DateOnly) }

// appendStreak makes the record of a streak. It has the form of an answer that
// is Unknown, which is never taken for one.
func appendStreak(b []byte, domain string, s streak) []byte {
	last := time.Unix(s.last*secondsPerDay, 0)
	return appendRecord(b, validate.Answer{Domain: domain, Reason: s.reason, ObservedAt: last,
		MX: []string{strconv.FormatInt(s.first, 10), strconv.Itoa(s.days)}}, last.Add(streakKept*24*time.Hour))
}

// streak returns what the cache has of the failures of a domain, the zero value
// when it has none.
func (c *cacheFile) streak(domain string, now int64) streak {
	r, ok := c.find(domain)
	if !ok || r.expires <= now {
		return streak{}
	}
	f := strings.Split(r.strings, "\x1f")
	if len(f) != 6 || !failing[f[1]] {
		return streak{}
	}
	first, days, _ := strings.Cut(f[3], "\x1e")
	s := streak{last: r.observed / secondsPerDay, reason: f[1]}
	var err, err2 error
	s.first, err = strconv.ParseInt(first, 10, 64)
	s.days, err2 = strconv.Atoi(days)
	if err != nil || err2 != nil || s.days < 1 || int64(s.days) > s.last-s.first+1 {
		return streak{}
	}
	return s
}

// ownFault says whether a verdict is unknown by the fault of the domain's own
// servers: each question that failed did so for such a reason, and at a
// resolver that is in health.
func (e *engine) ownFault(v *judgement, look func(question) []reply) bool {
	if !failing[v.code] {
		return false
	}
	sound := false
	for _, q := range v.looked {
		replies := look(q)
		f := merge(q, replies, e.lost)
		if f.state != soft {
			continue
		}
		if !failing[f.code] {
			return false
		}
		if !slices.ContainsFunc(replies, func(r reply) bool {
			_, code := r.classify(q)
			return failing[code] && slices.ContainsFunc(e.ups, func(u *upstream) bool { return u.trusted() && u.t.server.name == r.server })
		}) {
			return false
		}
		sound = true
	}
	return sound
}

// countsToday says whether the failures of this run count: not when the
// resolvers as a whole could not be used, nor when so many domains fail that
// the cause is more likely on this side.
func (e *engine) countsToday() bool {
	if e.down != "" || e.anomaly || e.unusable() != "" {
		return false
	}
	e.r.mu.Lock()
	total := e.r.stats.Domains
	e.r.mu.Unlock()
	return total < gateDomains || float64(len(e.doubt)) <= gateShare*float64(total)
}

// releaseDoubt hands out the domains that failed, with what earlier runs know
// of them.
func (e *engine) releaseDoubt() {
	slices.SortFunc(e.doubt, func(a, b *heldJob) int { return strings.Compare(a.domain, b.domain) })
	counts := e.countsToday()
	now := e.now().Unix()
	for _, h := range e.doubt {
		replies := h.replies()
		look := func(q question) []reply { return replies[q] }
		v := judgeRecorded(h.domain, look, e.lost, e.anomaly)
		e.live++
		if !counts || !e.ownFault(&v, look) {
			e.emit(h.domain, &v, look)
			continue
		}
		s := e.old.streak(h.domain, now).next(e.today, v.code)
		if e.fresh != nil {
			e.fresh.add(appendStreak(nil, h.domain, s))
		}
		a := v.answer(h.domain, look, e.lost)
		a.Evidence = append(a.Evidence, validate.Evidence{What: s.String(), From: "cache", When: a.ObservedAt})
		if e.r.SuppressPersistent && s.days >= persistentDays {
			a.Reason = "dns_persistent_failure"
			a.Verdict, a.Detail = verdictOf(a.Reason), Explain(a.Reason)
		}
		e.live--
		e.account(a)
		e.done = append(e.done, a) // and not into the cache: it is no answer of the DNS
	}
	e.doubt = nil
}

// share is how many domains of a run the DNS condemned.
type share struct{ domains, condemned uint32 }

// share counts those of this run: answered by the DNS or the cache, or held.
func (e *engine) share() share {
	n := int64(0)
	for _, h := range e.held {
		if h.dead {
			n++
		}
	}
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	for code, k := range e.r.stats.Reasons {
		switch code {
		case "domain_syntax", "domain_not_fqdn", "domain_ip_literal", "domain_special_use", "dns_persistent_failure":
			continue // not by what the DNS says
		}
		if verdictOf(code) == validate.DoesNotAccept {
			n += k
		}
	}
	return share{uint32(min(e.r.stats.Domains, 1<<32-1)), uint32(min(n, 1<<32-1))}
}

// jumped says whether far more are condemned than in the run before.
func (s share) jumped(before share) bool {
	return before.domains > 0 && float64(s.condemned)*float64(before.domains) > gateGrowth*float64(before.condemned)*float64(s.domains)
}

// shareAt is where the share of the last large run stands in the header.
const shareAt = 20

func (s share) put(header []byte) {
	binary.LittleEndian.PutUint32(header[shareAt:], s.domains)
	binary.LittleEndian.PutUint32(header[shareAt+4:], s.condemned)
}

func shareOf(header []byte) share {
	return share{binary.LittleEndian.Uint32(header[shareAt:]), binary.LittleEndian.Uint32(header[shareAt+4:])}
}
