package dnsmx

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// recorded asks for all scenarios once and returns the recording.
func recorded(t *testing.T, servers int) (tape *Tape, domains []string) {
	t.Helper()
	_, zone, domains := scenarios(t)
	bubble(t, func(t *testing.T) {
		var b bytes.Buffer
		if _, err := resolve(t, offline(t, &Resolver{Record: &b}, slices.Repeat([]string{zone}, servers)...), domains...); err != nil {
			t.Fatal(err)
		}
		var err error
		if tape, err = OpenTape(&b, "tape"); err != nil {
			t.Fatal(err)
		}
	})
	return tape, domains
}

// TestErrorsOnlyMakeUnknown is property P1: any single response that becomes an
// error moves verdicts to unknown, never to the opposite.
func TestErrorsOnlyMakeUnknown(t *testing.T) {
	t.Parallel()
	errs := []reply{
		{fail: failTimeout, ede: -1}, {fail: failBad, ede: -1}, {fail: failTruncated, ede: -1},
		{rcode: dns.RcodeServerFailure, ra: true, ede: -1}, {rcode: dns.RcodeRefused, ede: -1}, {rcode: dns.RcodeFormatError, ede: -1},
		{rcode: dns.RcodeNotImplemented, ede: -1}, {rcode: dns.RcodeSuccess, ra: true, ede: -1}, {rcode: dns.RcodeNameError, ra: true, ede: -1},
		{rcode: dns.RcodeNameError, ra: true, ede: 15, soa: "com"}, {rcode: dns.RcodeNameError, ra: true, ede: -1, soa: "."},
		{rcode: dns.RcodeNameError, ra: true, ede: -1, soa: "com", filter: true},
	}
	for servers := 1; servers <= 2; servers++ {
		tape, domains := recorded(t, servers)
		before := map[string]validate.DomainVerdict{}
		rest := map[question][]string{} // the domains that look at a question
		for _, d := range domains {
			before[d] = tape.answer(d).Verdict
			for q := range tape.replies {
				if q.name == d || strings.HasSuffix(d, "."+q.name) {
					rest[q] = append(rest[q], d)
				}
			}
			v := judgeRecorded(d, func(q question) []reply { return tape.replies[q] }, tape.trust)
			for _, q := range v.looked {
				rest[q] = append(rest[q], d)
			}
		}
		for q, replies := range tape.replies {
			for i, was := range replies {
				for _, e := range errs {
					e.server = was.server
					replies[i] = e
					for _, d := range rest[q] {
						got := tape.answer(d).Verdict
						if got != before[d] && got != validate.Unknown && before[d] != validate.Unknown {
							t.Errorf("%d servers, %s, reply %d: %+v makes %s of %s: %s", servers, q, i+1, e, before[d], d, got)
						}
						// From unknown to condemned would be worse still.
						if got == validate.DoesNotAccept && before[d] == validate.Unknown {
							t.Errorf("%d servers, %s, reply %d: %+v condemns %s", servers, q, i+1, e, d)
						}
					}
				}
				replies[i] = was
			}
		}
	}
}

// TestDistrustCondemnsNobody judges the scenarios with every resolver distrusted.
func TestDistrustCondemnsNobody(t *testing.T) {
	tape, domains := recorded(t, 1)
	for _, why := range []string{"dns_resolver_hijack", "dns_negative_unproven"} {
		for _, rs := range tape.replies {
			tape.trust.lost[rs[0].server] = why
		}
		for _, d := range domains {
			if a := tape.answer(d); precheck(d) == "" && a.Verdict == validate.DoesNotAccept {
				t.Errorf("%s: %+v", d, a)
			}
		}
		if a := tape.answer("s01.com"); a.Verdict != validate.Accepts {
			t.Errorf("mail hosts are to be kept: %+v", a)
		}
		if a := tape.answer("s04.com"); a.Verdict != validate.Unknown {
			t.Errorf("an address of the domain itself may be invented: %+v", a)
		}
	}
}

// TestPublicResolver: what a resolver outside sees is what senders see.
func TestPublicResolver(t *testing.T) {
	private := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	look := func(server string) func(question) []reply {
		return func(q question) []reply {
			r := reply{server: server, ra: true, ede: -1, ttl: 60}
			switch {
			case q == question{"mx.com", dns.TypeMX}:
				r.mx = []mx{{10, "host.mx.com"}}
			case q == question{"host.mx.com", dns.TypeA}, q == question{"only.com", dns.TypeA}:
				r.addrs = private
			default:
				r.soa = "com"
			}
			return []reply{r}
		}
	}
	for _, tt := range []struct{ server, domain, want string }{
		{"192.168.0.1:53", "mx.com", "dns_split_horizon"},
		{"192.168.0.1:53", "only.com", "dns_split_horizon"},
		{"9.9.9.9:53", "mx.com", "mx_not_global"},
		{"9.9.9.9:53", "only.com", "domain_not_global"},
		{"tls://9.9.9.9:853#dns.quad9.net", "mx.com", "mx_not_global"},
		{"https://dns.quad9.net/dns-query", "only.com", "domain_not_global"},
	} {
		if v := judge(tt.domain, look(tt.server), trust{}); v.code != tt.want {
			t.Errorf("%s at %s: %s, want %s", tt.domain, tt.server, v.code, tt.want)
		}
	}
}

// TestDisagree: one resolver proves what the other denies.
func TestDisagree(t *testing.T) {
	for range 4 { // whichever is asked first
		bubble(t, func(t *testing.T) {
			got, err := resolve(t, offline(t, new(Resolver), "", "acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n"), "acme.com", "gone.com")
			if err != nil {
				t.Fatal(err)
			}
			if v := got["acme.com"]; v.Verdict == validate.DoesNotAccept {
				t.Errorf("condemned though a resolver gives mail hosts: %+v", v)
			}
			if v := got["gone.com"]; v.Reason != "domain_not_found" {
				t.Errorf("both deny it: %+v", v)
			}
		})
	}
}

func TestReach(t *testing.T) {
	for s, want := range map[string]reach{
		"198.41.0.4": global, "2001:503:ba3e::2:30": global, "10.1.2.3": private, "172.31.0.1": private, "172.32.0.1": global,
		"100.64.0.1": private, "169.254.1.1": private, "192.0.2.1": private, "224.0.0.1": private, "255.255.255.255": private,
		"127.0.0.53": loopback, "0.0.0.0": loopback, "0.1.2.3": private, "::1": loopback, "::": loopback, "::ffff:10.0.0.1": private,
		"::ffff:127.0.0.1": loopback, "fe80::1": private, "fd00::1": private, "2001:db8::1": private, "2606:4700::1111": global,
	} {
		if got := reachOf(netip.MustParseAddr(s)); got != want {
			t.Errorf("reachOf(%s) = %d, want %d", s, got, want)
		}
	}
}

func TestParseServer(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5353": "192.0.2.1:5353", "2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]:54": "[2001:db8::1]:54",
		"fe80::1%eth0": "[fe80::1%eth0]:53", "localhost:53": "127.0.0.1:53",
		"tls://9.9.9.9#dns.quad9.net": "tls://9.9.9.9:853#dns.quad9.net", "https://dns.quad9.net/dns-query": "https://dns.quad9.net/dns-query",
	} {
		s, err := parseServer(in)
		if err != nil || s.name != want {
			t.Errorf("parseServer(%q) = %q, %v; want %q", in, s.name, err, want)
		}
	}
	for _, in := range []string{"", "dns.example", "192.0.2.1:", "192.0.2.1:dns", "192.0.2.300", "udp://192.0.2.1", "tls://dns.example", "https://", "https://x#y"} {
		if s, err := parseServer(in); err == nil {
			t.Errorf("parseServer(%q) = %+v, want an error", in, s)
		}
	}
}

func TestSystemServers(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                       "127.0.0.1:53",
		"nameserver\n":           "127.0.0.1:53",
		"nameserver not-an-ip\n": "127.0.0.1:53",
		"# c\nnameserver 192.0.2.1 # x\nsearch a b\noptions edns0\nnameserver 2001:db8::1": "192.0.2.1:53 [2001:db8::1]:53",
		"nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n": "1.0.0.1:53 1.0.0.2:53 1.0.0.3:53",
	} {
		path := dir + "/resolv.conf"
		writeFile(t, path, text)
		s, err := systemServers(path)
		var names []string
		for _, s := range s {
			names = append(names, s.name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("%q: %v, %v; want %s", text, names, err, want)
		}
	}
}

// FuzzReply: whatever comes back, parsing does not crash, and only a message
// that is a reply to the query is taken for one.
func FuzzReply(f *testing.F) {
	q := question{"acme.com", dns.TypeMX}
	query, err := appendQuery(nil, 0x1234, q, true)
	if err != nil {
		f.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(query); err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		"acme.com. 60 IN MX 10 mx.acme.com.", "acme.com. 60 IN MX 0 .", "acme.com. 60 IN CNAME acme.com.",
		"acme.com. 60 IN CNAME b.com.\nb.com. 60 IN MX 1 c.com.", "com. 60 IN SOA a. b. 1 2 3 4 5", "x.com. 60 IN MX 10 y.com.",
	} {
		r := new(dns.Msg).SetReply(m)
		r.RecursionAvailable = true
		for line := range strings.Lines(text) {
			rr, err := dns.NewRR(strings.TrimSpace(line))
			if err != nil {
				f.Fatal(err)
			}
			if rr.Header().Rrtype == dns.TypeSOA {
				r.Ns = append(r.Ns, rr)
			} else {
				r.Answer = append(r.Answer, rr)
			}
		}
		r.SetEdns0(1232, false)
		r.IsEdns0().Option = append(r.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: 6})
		b, err := r.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-3])
	}
	f.Add(query)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parseReply(b, query, q)
		if !ok {
			return
		}
		if len(b) < 12 || b[0] != 0x12 || b[1] != 0x34 || b[2]&0x80 == 0 {
			t.Fatalf("taken for a reply: %x", b)
		}
		s, code := r.classify(q)
		if (s == soft) != (code != "") {
			t.Fatalf("state %d with code %q", s, code)
		}
		if s == nodata || s == nxdomain {
			if !r.ra || r.soa == "" || !below(r.last(q), r.soa) {
				t.Fatalf("a denial without proof: %+v", r)
			}
		}
		if s == found && r.records() == 0 {
			t.Fatalf("found nothing: %+v", r)
		}
		// miekg/dns must agree that it is a message, unless it is cut.
		if r.fail == failNone {
			if err := new(dns.Msg).Unpack(b); err != nil {
				t.Fatalf("not a message: %v", err)
			}
		}
		// A recording keeps everything that judging looks at.
		r.server, r.when = "127.0.0.1:53", 1
		line := appendReply(nil, q, 1, &r)
		tape := &Tape{replies: map[question][]reply{}, trust: trust{lost: distrust{}, blind: map[string]bool{}}}
		if err := tape.line(strings.TrimSpace(string(line)), interner{}); err != nil {
			if strings.ContainsFunc(string(line), func(c rune) bool { return c < ' ' && c != '\n' || c > '~' }) {
				return
			}
			t.Fatalf("%q: %v", line, err)
		}
		if s2, code2 := tape.replies[q][0].classify(q); s2 != s || code2 != code {
			t.Fatalf("%q: recorded as %d %s, was %d %s", line, s2, code2, s, code)
		}
	})
}

// FuzzTape: a recording is text from somewhere; reading it gives an error with a
// line, or answers.
func FuzzTape(f *testing.F) {
	f.Add("acme.com MX 1 2026-03-12T09:00:00Z 127.0.0.1:53/udp NOERROR ra ttl=300 10:mx.acme.com\n")
	f.Add("gone.com MX 1 2026-03-12T09:00:00Z 127.0.0.1:53/udp NXDOMAIN ra soa=com ede=3 cname=x loop stray records=2 192.0.2.1 ::1\n! 127.0.0.1:53 dns_resolver_hijack\n")
	f.Add("slow.com MX 2 2026-03-12T09:00:00Z -/tcp timeout\n# comment\n! * dns_anomaly\n")
	f.Fuzz(func(t *testing.T, text string) {
		tape, err := OpenTape(strings.NewReader(text), "tape")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "tape:") {
				t.Fatalf("no place in %q", err)
			}
			return
		}
		for q := range tape.replies {
			a := tape.answer(q.name)
			if !slices.ContainsFunc(reasons, func(r reason) bool { return r.code == a.Reason && r.verdict == a.Verdict }) {
				t.Fatalf("%+v", a)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzTable: the same for a table of verdicts.
func FuzzTable(f *testing.F) {
	f.Add(TableHeader + "acme.com,accepts,mx_ok,mx.acme.com,,,acme.com MX: 10 mx.acme.com @x,2026-03-12T09:00:00Z\n")
	f.Add(`{"domain":"acme.com","verdict":"unknown","reason":"dns_timeout"}`)
	f.Fuzz(func(t *testing.T, text string) {
		tb, err := OpenTable(strings.NewReader(text), "table")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "table:") {
				t.Fatalf("no place in %q", err)
			}
			return
		}
		for d, a := range tb.answers {
			if verdictOf(a.Reason) != a.Verdict {
				t.Fatalf("%s: %+v", d, a)
			}
		}
	})
}
