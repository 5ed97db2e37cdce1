// Package dnstest is a resolver for tests: it answers over UDP and TCP on a
// loopback port of its own from a zone text, and lies where the text says so.
//
// The text is a master file (RFC 1035 section 5.1; a TTL of 3600 is the
// default), in which a line that starts with "!" scripts how questions are
// answered:
//
//	acme.com.      MX 10 mx.acme.com.
//	mx.acme.com.   A  198.41.0.4
//	! broken.com   *  servfail ede=6
//	! slow.com     MX timeout
//	! *            A  refused
//
// The fields are name (or * for all names), type (or * for all types) and
// behaviour; the first line that fits decides. What the text does not hold is
// answered like a resolver of the public Internet would: NODATA or NXDOMAIN
// with the SOA record of the zone, and a few domains that the canaries of
// package dnsmx ask for exist in every zone (see Defaults).
//
// Behaviours:
//
//	servfail refused formerr notimp nxdomain   that rcode, no records
//	timeout       no reply
//	truncated     TC=1 over UDP, the true answer over TCP
//	tcpdead       TC=1 over UDP, TCP connections are closed
//	garbage       two bytes, nothing else
//	echo          the query itself comes back (QR=0)
//	empty         NOERROR, no records, no SOA
//	nosoa         the true answer without its authority section
//	lying         NOERROR, ANCOUNT=5, no records
//	wrongid       the true answer under another id
//	wrongname     the true answer to another question
//	wrongowner    the true records, owned by another name
//	nora          the true answer with RA=0
//	noedns        FORMERR to a query with EDNS, the true answer without
//	a=ADDRESS     the address for A (or AAAA), an empty answer for the rest
//	nx=ADDRESS    the same for names that do not exist (NXDOMAIN rewriting)
//	deny          NXDOMAIN with the SOA record of the root, as a private root would
//	once=OTHER    the behaviour OTHER for the first query, then the truth
//
// An ede=N after a behaviour adds the Extended DNS Error N (RFC 8914);
// flaky=N makes the line fit N percent of the queries only.
package dnstest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Defaults is the zone text that every server holds below its own: the names
// that the canaries ask for.
const Defaults = `
.                 NS  a.root-servers.net.
example.com.      SOA ns.icann.org. noc.dns.icann.org. 1 7200 3600 1209600 3600
example.com.      MX  0 .
gmail.com.        MX  5 gmail-smtp-in.l.google.com.
outlook.com.      MX  5 outlook-com.olc.protection.outlook.com.
yahoo.com.        MX  1 mta5.am0.yahoodns.net.
gmail-smtp-in.l.google.com.              A 142.250.4.26
outlook-com.olc.protection.outlook.com.  A 52.101.8.36
mta5.am0.yahoodns.net.                   A 67.195.204.72
`

// Server is a running server.
type Server struct {
	Addr string // host:port, the same for UDP and TCP

	udp, tcp *dns.Server

	overTCP *Server // answers for TCP when not nil

	mu      sync.Mutex
	tcpOnly bool
	names   map[string]map[uint16][]dns.RR // lower case, with final dot
	parents map[string]bool                // names that exist because something below them does
	rules   []rule
	queries []string
	counts  map[string]int
	rng     *rand.Rand
}

type rule struct {
	name  string // "*" for all
	typ   uint16 // 0 for all
	what  string
	arg   string
	ede   int // -1: none
	flaky int // percent
	spent *bool
}

// Start starts a server on the zone text and stops it when the test ends.
func Start(tb testing.TB, zone string) *Server {
	tb.Helper()
	s, err := New(zone)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// New starts a server on the zone text. Close stops it.
func New(zone string) (*Server, error) {
	s := &Server{counts: map[string]int{}, rng: rand.New(rand.NewPCG(1, 2))}
	if err := s.Load(zone); err != nil {
		return nil, err
	}
	// A port that is free for both protocols takes a few tries on a busy machine.
	var pc net.PacketConn
	var l net.Listener
	for range 50 {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
		pc = nil
	}
	if pc == nil {
		return nil, fmt.Errorf("dnstest: no port is free for both UDP and TCP")
	}
	s.Addr = l.Addr().String()
	s.udp = &dns.Server{PacketConn: pc, Handler: s}
	s.tcp = &dns.Server{Listener: l, Handler: s, IdleTimeout: func() time.Duration { return 30 * time.Second }}
	var up sync.WaitGroup
	for _, d := range []*dns.Server{s.udp, s.tcp} {
		up.Add(1)
		d.NotifyStartedFunc = up.Done
		go d.ActivateAndServe()
	}
	up.Wait()
	return s, nil
}

// Close stops the server.
func (s *Server) Close() {
	s.udp.Shutdown()
	s.tcp.Shutdown()
}

// Load replaces what the server holds by the zone text.
func (s *Server) Load(zone string) error {
	names := map[string]map[uint16][]dns.RR{}
	parents := map[string]bool{}
	var rules []rule
	var records strings.Builder
	sc := bufio.NewScanner(strings.NewReader(zone))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if !strings.HasPrefix(line, "!") {
			records.WriteString(line)
			records.WriteByte('\n')
			continue
		}
		records.WriteByte('\n') // keep the line numbers of the parser's errors
		r, err := parseRule(strings.Fields(line[1:]))
		if err != nil {
			return fmt.Errorf("dnstest: line %d: %v", n, err)
		}
		rules = append(rules, r)
	}
	for _, text := range []string{records.String(), Defaults} {
		own := text != Defaults
		zp := dns.NewZoneParser(strings.NewReader(text), ".", "zone")
		zp.SetDefaultTTL(3600)
		given := map[string]bool{}
		for k := range names {
			given[k] = true
		}
		for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
			name := strings.ToLower(rr.Header().Name)
			if !own && given[name] {
				continue // the test's own idea of the name stands
			}
			if names[name] == nil {
				names[name] = map[uint16][]dns.RR{}
			}
			names[name][rr.Header().Rrtype] = append(names[name][rr.Header().Rrtype], rr)
			for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
				parents[name[off:]] = true
			}
			parents["."] = true
		}
		if err := zp.Err(); err != nil {
			return fmt.Errorf("dnstest: %v", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.parents, s.rules = names, parents, rules
	return nil
}

func parseRule(f []string) (rule, error) {
	r := rule{ede: -1, flaky: 100, spent: new(bool)}
	if len(f) < 3 {
		return r, fmt.Errorf("want: ! name type behaviour")
	}
	r.name = f[0]
	if r.name != "*" {
		r.name = strings.ToLower(dns.Fqdn(r.name))
	}
	if f[1] != "*" {
		t, ok := dns.StringToType[strings.ToUpper(f[1])]
		if !ok {
			return r, fmt.Errorf("no such type: %s", f[1])
		}
		r.typ = t
	}
	for _, w := range f[2:] {
		key, val, has := strings.Cut(w, "=")
		var err error
		switch {
		case key == "ede" && has:
			r.ede, err = strconv.Atoi(val)
		case key == "flaky" && has:
			r.flaky, err = strconv.Atoi(val)
		case r.what == "":
			r.what, r.arg = key, val
			if key == "a" || key == "nx" {
				_, err = netip.ParseAddr(val)
			} else if name := w; !slices.Contains(behaviours, strings.TrimPrefix(name, "once=")) {
				err = fmt.Errorf("no such behaviour: %s", w)
			}
		default:
			err = fmt.Errorf("unexpected: %s", w)
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

var behaviours = []string{"servfail", "refused", "formerr", "notimp", "nxdomain", "timeout", "truncated", "tcpdead",
	"garbage", "echo", "empty", "nosoa", "lying", "wrongid", "wrongname", "wrongowner", "nora", "noedns", "deny", "truth"}

// Queries returns the questions received so far, in order, as "name type" with
// the name in lower case and without its final dot, and "/tcp" behind those
// that came over TCP.
func (s *Server) Queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// Count returns how often the question was received, over UDP and TCP.
func (s *Server) Count(name, typ string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[name+" "+typ]
}

// TCPOnly makes every reply over UDP a truncated one.
func (s *Server) TCPOnly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tcpOnly = true
}

// Fixed gives the server another zone text to answer queries over TCP from, as a
// resolver does that was repaired meanwhile. Call it before the first query.
func (s *Server) Fixed(zone string) error {
	s.overTCP = &Server{counts: map[string]int{}, rng: s.rng}
	return s.overTCP.Load(zone)
}

// ServeDNS answers one query.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	if _, udp := w.RemoteAddr().(*net.UDPAddr); !udp && s.overTCP != nil {
		s.overTCP.ServeDNS(w, q)
		return
	}
	if len(q.Question) != 1 {
		w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError))
		return
	}
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	name, typ := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	s.mu.Lock()
	key := strings.TrimSuffix(name, ".") + " " + dns.TypeToString[typ]
	s.counts[key]++
	if !udp {
		key += "/tcp"
	}
	s.queries = append(s.queries, key)
	what, arg, ede := s.behaviour(name, typ)
	m := s.answer(q, name, typ)
	cut := s.tcpOnly && udp
	s.mu.Unlock()

	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(1232, false)
		if ede >= 0 {
			o := m.IsEdns0()
			o.Option = append(o.Option, &dns.EDNS0_EDE{InfoCode: uint16(ede)})
		}
	}
	if cut {
		m.Answer, m.Ns, m.Truncated = nil, nil, true
		what = ""
	}
	rcode := func(c int) {
		m.Answer, m.Ns = nil, nil
		m.Rcode = c
	}
	switch what {
	case "servfail":
		rcode(dns.RcodeServerFailure)
	case "refused":
		rcode(dns.RcodeRefused)
	case "formerr":
		rcode(dns.RcodeFormatError)
		m.Extra = nil
	case "notimp":
		rcode(dns.RcodeNotImplemented)
	case "nxdomain":
		rcode(dns.RcodeNameError)
	case "timeout":
		return
	case "truncated", "tcpdead":
		if udp {
			m.Answer, m.Ns = nil, nil
			m.Truncated = true
		} else if what == "tcpdead" {
			w.Close()
			return
		}
	case "garbage":
		w.Write([]byte{1, 2})
		return
	case "echo":
		w.WriteMsg(q)
		return
	case "empty":
		rcode(dns.RcodeSuccess)
	case "nosoa":
		m.Ns = nil
	case "lying":
		rcode(dns.RcodeSuccess)
		b, err := m.Pack()
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(b[6:], 5)
		w.Write(b)
		return
	case "wrongid":
		m.Id ^= 0x5555
	case "wrongname":
		m.Question = []dns.Question{{Name: "other.example.net.", Qtype: typ, Qclass: dns.ClassINET}}
	case "wrongowner":
		for i, rr := range m.Answer {
			m.Answer[i] = dns.Copy(rr)
			m.Answer[i].Header().Name = "other.example.net."
		}
	case "nora":
		m.RecursionAvailable = false
	case "noedns":
		if q.IsEdns0() != nil {
			rcode(dns.RcodeFormatError)
			m.Extra = nil
		}
	case "deny":
		rcode(dns.RcodeNameError)
		m.Ns = []dns.RR{soaOf(".")}
	case "a", "nx":
		if what == "nx" && m.Rcode != dns.RcodeNameError {
			break
		}
		ip := netip.MustParseAddr(arg)
		m.Rcode, m.Answer, m.Ns = dns.RcodeSuccess, nil, nil
		if typ == dns.TypeA && ip.Is4() {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: typ, Class: dns.ClassINET, Ttl: 60}, A: ip.AsSlice()}}
		} else if typ == dns.TypeAAAA && ip.Is6() {
			m.Answer = []dns.RR{&dns.AAAA{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: typ, Class: dns.ClassINET, Ttl: 60}, AAAA: ip.AsSlice()}}
		}
	}
	size := dns.MaxMsgSize
	if udp {
		size = dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
	}
	m.Truncate(size)
	b, err := m.Pack()
	if err != nil {
		return
	}
	w.Write(b)
}

// behaviour returns how the question is to be answered. The caller holds s.mu.
func (s *Server) behaviour(name string, typ uint16) (what, arg string, ede int) {
	for _, r := range s.rules {
		if r.name != "*" && r.name != name || r.typ != 0 && r.typ != typ {
			continue
		}
		if r.flaky < 100 && s.rng.IntN(100) >= r.flaky {
			continue
		}
		if r.what == "once" {
			if *r.spent {
				continue
			}
			*r.spent = true
			return r.arg, "", r.ede
		}
		return r.what, r.arg, r.ede
	}
	return "truth", "", -1
}

// answer makes the true answer. The caller holds s.mu.
func (s *Server) answer(q *dns.Msg, name string, typ uint16) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	seen := map[string]bool{}
	for {
		sets, exists := s.names[name]
		if !exists && !s.parents[name] {
			for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
				if w, ok := s.names["*."+name[off:]]; ok {
					sets, exists = w, true
					break
				}
				if s.parents[name[off:]] {
					break // the closest encloser has no wildcard (RFC 4592 section 3.3.1)
				}
			}
		}
		own := func(rrs []dns.RR) []dns.RR {
			out := make([]dns.RR, len(rrs))
			for i, rr := range rrs {
				out[i] = dns.Copy(rr)
				out[i].Header().Name = name
			}
			return out
		}
		if rrs := sets[typ]; len(rrs) > 0 {
			m.Answer = append(m.Answer, own(rrs)...)
			return m
		}
		if cn := sets[dns.TypeCNAME]; len(cn) > 0 {
			m.Answer = append(m.Answer, own(cn)...)
			if seen[name] || len(m.Answer) > 12 {
				return m
			}
			seen[name] = true
			name = strings.ToLower(cn[0].(*dns.CNAME).Target)
			continue
		}
		if !exists && !s.parents[name] {
			m.Rcode = dns.RcodeNameError
		}
		m.Ns = []dns.RR{s.soa(name)}
		return m
	}
}

// soa returns the SOA record of the zone that name is in: the closest one of
// the text, else one of the name's second level, else of its top level when
// nothing there exists (as a registry would answer).
func (s *Server) soa(name string) dns.RR {
	labels := dns.SplitDomainName(name)
	apex := func(i int) string { return dns.Fqdn(strings.Join(labels[i:], ".")) }
	for i := range labels {
		if rr := s.names[apex(i)][dns.TypeSOA]; len(rr) > 0 {
			return rr[0]
		}
	}
	owner := "."
	if n := len(labels); n > 0 {
		owner = apex(n - 1)
		if n > 1 {
			if second := apex(n - 2); s.parents[second] || s.names[second] != nil {
				owner = second
			}
		}
	}
	return soaOf(owner)
}

func soaOf(owner string) dns.RR {
	return &dns.SOA{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 3600},
		Ns: "ns." + strings.TrimPrefix(owner, "."), Mbox: "hostmaster." + strings.TrimPrefix(owner, "."), Serial: 1, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: 3600}
}
