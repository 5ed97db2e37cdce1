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
// The fields are name (or * for all names, or *.acme.com for acme.com and all
// below), type (or * for all types) and behaviour; the first line that fits
// decides. What the text does not hold is answered like a resolver of the public
// Internet would: NODATA or NXDOMAIN with the SOA record of the zone, and a few
// domains that the canaries of package dnsmx ask for exist in every zone (see
// Defaults).
//
// Behaviours that fail:
//
//	servfail refused formerr notimp nxdomain   that rcode, no records
//	timeout       no reply
//	truncated     TC=1 over UDP, the true answer over TCP
//	tcpdead       TC=1 over UDP, TCP connections are closed
//	garbage       two bytes, nothing else
//	echo          the query itself comes back (QR=0)
//	empty         NOERROR, no records, no SOA
//	referral      NOERROR, the NS records of the root, no SOA (a lame server)
//	nosoa         the true answer without its authority section
//	lying         NOERROR, ANCOUNT=5, no records
//	wrongid       the true answer under another id
//	wrongname     the true answer to another question
//	wrongowner    the true records, owned by another name
//	nora          the true answer with RA=0
//	noedns        FORMERR to a query with EDNS, the true answer without
//	once=OTHER    the behaviour OTHER for the first query, then the truth
//	truth         the true answer
//
// Behaviours that deny what there is, or give what there is not:
//
//	deny          NXDOMAIN with the SOA record of the root, as a private root would
//	gone          NXDOMAIN with the SOA record of the top-level domain: a lie without a flaw
//	nothing       NODATA with the SOA record of the top-level domain
//	selfdeny      NXDOMAIN with an SOA record of the denied name itself
//	selfempty     NODATA with an SOA record of the name itself
//	adguard       selfdeny, with the MNAME that AdGuard writes
//	adguardempty  selfempty, with that MNAME
//	zonedeny      NXDOMAIN with the SOA record of the registered domain, as Technitium does
//	rpz           NXDOMAIN with the SOA record of a policy zone, which is not above the name
//	nullmx        MX 0 . for MX, the truth for the rest
//	mx=HOST       MX 10 HOST for MX, the truth for the rest
//	alias=NAME    an alias of NAME, with the true answer for that
//	host=ADDRESS  the address for A or AAAA, the truth for the rest
//	zero          0.0.0.0 for A, :: for AAAA, the truth for the rest
//	a=ADDRESS     the address for A (or AAAA), an empty answer for the rest
//	nx=ADDRESS    the same for names that do not exist (NXDOMAIN rewriting)
//
// An ede=N after a behaviour adds the Extended DNS Error N (RFC 8914), ttl=N sets
// the TTL of what it answers; flaky=N makes the line fit N percent of the queries
// only.
package dnstest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Server is a resolver; New and Start give it sockets.
type Server struct {
	Addr string // host:port, the same for UDP and TCP

	udp, tcp *dns.Server

	overTCP *Server // answers for TCP when not nil

	mu      sync.Mutex
	tcpOnly bool
	zone    *zone
	rules   []rule
	queries []string
	times   []time.Time
	counts  map[string]int
	rng     *rand.Rand
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

// Offline returns a server without sockets: it is asked by Exchange alone.
func Offline(zone string) (*Server, error) {
	s := &Server{counts: map[string]int{}, rng: rand.New(rand.NewPCG(1, 2))}
	return s, s.Load(zone)
}

// Seed makes the lines that fit some of the queries fit others.
func (s *Server) Seed(a, b uint64) { s.rng = rand.New(rand.NewPCG(a, b)) }

// New starts a server on the zone text. Close stops it.
func New(zone string) (*Server, error) {
	s, err := Offline(zone)
	if err != nil {
		return nil, err
	}
	// A port that is free for both protocols takes a few tries on a busy machine.
	var pc net.PacketConn
	var l net.Listener
	for range 50 {
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
func (s *Server) Load(text string) error {
	var records strings.Builder
	var rules []rule
	n := 0
	for line := range strings.Lines(text) {
		n++
		script, ok := strings.CutPrefix(line, "!")
		if !ok {
			records.WriteString(line)
			continue
		}
		records.WriteByte('\n') // keep the line numbers of the parser's errors
		r, err := parseRule(strings.Fields(script))
		if err != nil {
			return fmt.Errorf("dnstest: line %d: %v", n, err)
		}
		rules = append(rules, r)
	}
	z, err := parseZone(records.String())
	if err != nil {
		return fmt.Errorf("dnstest: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone, s.rules = z, rules
	return nil
}

// Queries returns the questions received so far, in order, as "name type" with
// the name in lower case and without its final dot, and "/tcp" behind those
// that came over TCP.
func (s *Server) Queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queries)
}

// Times returns when each of the Queries came.
func (s *Server) Times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.times)
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
func (s *Server) Fixed(zone string) (err error) {
	s.overTCP, err = Offline(zone)
	return err
}

// ServeDNS answers one query.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	switch reply, hangUp := s.Exchange(q, udp); {
	case hangUp:
		w.Close()
	case reply != nil:
		w.Write(reply)
	}
}

// Exchange answers one query without a socket: nil is no reply, and hangUp says
// that a connection is to be closed.
func (s *Server) Exchange(q *dns.Msg, udp bool) (reply []byte, hangUp bool) {
	if !udp && s.overTCP != nil {
		return s.overTCP.Exchange(q, udp)
	}
	if len(q.Question) != 1 {
		b, _ := new(dns.Msg).SetRcode(q, dns.RcodeFormatError).Pack()
		return b, false
	}
	name, typ := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	s.mu.Lock()
	key := strings.TrimSuffix(name, ".") + " " + dns.TypeToString[typ]
	s.counts[key]++
	if !udp {
		key += "/tcp"
	}
	s.queries = append(s.queries, key)
	s.times = append(s.times, time.Now())
	c := cast{zone: s.zone, rule: choose(s.rules, name, typ, s.rng), q: q, name: name, typ: typ, udp: udp}
	cut := s.tcpOnly && udp
	s.mu.Unlock()
	c.m = c.zone.answer(q, name, typ)
	c.play(cut)
	return c.raw, c.hangUp
}
