package dnsmx

import (
	"cmp"
	"net/netip"
	"slices"
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

// hosts returns the MX records in order of preference.
func (r *reply) hosts() []mx {
	h := slices.Clone(r.mx)
	slices.SortFunc(h, func(a, b mx) int { return cmp.Or(cmp.Compare(a.pref, b.pref), strings.Compare(a.host, b.host)) })
	return h
}

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
