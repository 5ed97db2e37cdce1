package dnsmx

import (
	"fmt"
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
