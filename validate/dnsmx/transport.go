package dnsmx

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// flight is one query on its way.
type flight struct {
	ask     *ask
	up      *upstream
	via     via
	edns    bool
	timeout time.Duration

	query   []byte     // set before the socket knows of it
	sock    *muxSocket // nil: a goroutine of its own waits for the reply
	started time.Time
	// Guarded by the engine's lock.
	slot   bool // counts against the window
	young  bool // just sent: perhaps not read yet
	late   bool // in a later pass
	resent bool
	done   bool
	// Guarded by the socket's lock.
	bad bool // a message came that was no reply
}

// transport carries queries to one resolver.
type transport struct {
	server  server
	tls     *tls.Config
	socks   []*muxSocket
	deliver func(*flight, reply)

	mu   sync.Mutex
	idle []net.Conn // TLS connections at rest
	http *http.Client
}

// muxSockets is how many sockets a near resolver gets. Their ports are random;
// more would add nothing, for towards the own machine or network nobody can
// guess ids without seeing them.
const muxSockets = 4

func newTransport(s server, cfg *tls.Config, deliver func(*flight, reply)) *transport {
	t := &transport{server: s, deliver: deliver}
	if cfg != nil {
		t.tls = cfg.Clone()
	} else {
		t.tls = &tls.Config{}
	}
	t.tls.ServerName = s.tlsName
	t.tls.InsecureSkipVerify = false
	t.tls.MinVersion = tls.VersionTLS12
	switch s.via {
	case udp:
		if s.public {
			break // a fresh socket, and so a fresh port, for each query (RFC 5452 section 9.2)
		}
		for range muxSockets {
			c, err := net.Dial("udp", s.addr)
			if err != nil {
				// No route, for instance: each query will find that out, and the other
				// resolvers are asked.
				t.close()
				t.socks = nil
				return t
			}
			m := &muxSocket{conn: c.(*net.UDPConn), flights: map[uint16]*flight{}, deliver: deliver}
			m.conn.SetReadBuffer(1 << 20)
			t.socks = append(t.socks, m)
			go m.read()
		}
	case doh:
		tr := &http.Transport{TLSClientConfig: t.tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
		if s.addr != "" {
			tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.addr)
			}
		}
		t.http = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return t
}

func (t *transport) close() {
	for _, m := range t.socks {
		m.conn.Close()
	}
	t.mu.Lock()
	for _, c := range t.idle {
		c.Close()
	}
	t.idle = nil
	t.mu.Unlock()
	if t.http != nil {
		t.http.CloseIdleConnections()
	}
}

// send sends a query. Its reply or failure comes to deliver, timeouts of
// multiplexed sockets excepted: the engine finds those.
func (t *transport) send(ctx context.Context, f *flight) {
	if f.sock != nil {
		f.sock.send(f)
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		r := t.exchange(ctx, f)
		t.deliver(f, r)
	}()
}

// exchange asks and waits.
func (t *transport) exchange(ctx context.Context, f *flight) reply {
	var id [2]byte
	if f.via != doh { // RFC 8484 section 4.1: id 0, for caches
		rand.Read(id[:])
	}
	query, err := appendQuery(nil, binary.BigEndian.Uint16(id[:]), f.ask.q, f.edns)
	if err != nil {
		return reply{fail: failBad, ede: -1}
	}
	switch f.via {
	case udp:
		return t.exchangeUDP(ctx, query, f.ask.q)
	case doh:
		return t.exchangeHTTP(ctx, query, f.ask.q)
	}
	return t.exchangeStream(ctx, query, f.ask.q, f.via == dot)
}

func failed(err error) reply {
	r := reply{fail: failTimeout, ede: -1}
	var cert *tls.CertificateVerificationError
	var rec tls.RecordHeaderError
	switch {
	case errors.As(err, &cert), errors.As(err, &rec):
		r.fail = failTLS
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		r.fail = failUnreachable
	case errors.Is(err, errBadReply):
		r.fail = failBad
	}
	return r
}

var errBadReply = errors.New("not a reply to the query")

func (t *transport) exchangeUDP(ctx context.Context, query []byte, q question) reply {
	c, err := new(net.Dialer).DialContext(ctx, "udp", t.server.addr)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(query); err != nil {
		return failed(err)
	}
	bad := false
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			r := failed(err)
			if bad && r.fail == failTimeout {
				r.fail = failBad
			}
			return r
		}
		if r, ok := parseReply(buf[:n], query, q); ok {
			return r
		}
		bad = true
	}
}

// exchangeStream asks over TCP (RFC 7766) or TLS (RFC 7858). TLS connections are kept.
func (t *transport) exchangeStream(ctx context.Context, query []byte, q question, secure bool) reply {
	msg := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query)))
	msg = append(msg, query...)
	for {
		c, kept, err := t.connect(ctx, secure)
		if err != nil {
			return failed(err)
		}
		stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
		b, err := roundTrip(c, msg)
		stopped := stop()
		if err != nil {
			c.Close()
			if kept && ctx.Err() == nil {
				continue // closed by the other side while at rest
			}
			return failed(err)
		}
		r, ok := parseReply(b, query, q)
		if ok && secure && stopped {
			t.mu.Lock()
			t.idle = append(t.idle, c)
			t.mu.Unlock()
		} else {
			c.Close()
		}
		if !ok {
			return failed(errBadReply)
		}
		return r
	}
}

func (t *transport) connect(ctx context.Context, secure bool) (c net.Conn, kept bool, err error) {
	if !secure {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", t.server.addr)
		return c, false, err
	}
	t.mu.Lock()
	if n := len(t.idle); n > 0 {
		c, t.idle = t.idle[n-1], t.idle[:n-1]
	}
	t.mu.Unlock()
	if c != nil {
		return c, true, nil
	}
	d := &tls.Dialer{Config: t.tls}
	c, err = d.DialContext(ctx, "tcp", t.server.addr)
	return c, false, err
}

func roundTrip(c net.Conn, msg []byte) ([]byte, error) {
	if _, err := c.Write(msg); err != nil {
		return nil, err
	}
	var l [2]byte
	if _, err := io.ReadFull(c, l[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(l[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}

// exchangeHTTP asks over HTTPS (RFC 8484).
func (t *transport) exchangeHTTP(ctx context.Context, query []byte, q question) reply {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.server.url, bytes.NewReader(query))
	if err != nil {
		return failed(err)
	}
	req.Header.Set("Content-Type", "application/dns-message")
	req.Header.Set("Accept", "application/dns-message")
	resp, err := t.http.Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return failed(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/dns-message" {
		return failed(fmt.Errorf("%w: HTTP status %d", errBadReply, resp.StatusCode))
	}
	r, ok := parseReply(b, query, q)
	if !ok {
		return failed(errBadReply)
	}
	return r
}

// muxSocket is a connected UDP socket that many queries share.
type muxSocket struct {
	conn    *net.UDPConn
	deliver func(*flight, reply)

	mu      sync.Mutex
	flights map[uint16]*flight
	ids     []byte // random, for ids to come
}

// send registers the flight under a random id that is free and sends it.
func (m *muxSocket) send(f *flight) {
	m.mu.Lock()
	var id uint16
	for {
		if len(m.ids) < 2 {
			m.ids = m.ids[:cap(m.ids)]
			if len(m.ids) == 0 {
				m.ids = make([]byte, 512)
			}
			rand.Read(m.ids)
		}
		id = binary.BigEndian.Uint16(m.ids[len(m.ids)-2:])
		m.ids = m.ids[:len(m.ids)-2]
		if m.flights[id] == nil {
			break
		}
	}
	query, err := appendQuery(nil, id, f.ask.q, f.edns)
	if err != nil {
		m.mu.Unlock()
		m.deliver(f, reply{fail: failBad, ede: -1})
		return
	}
	f.query = query
	m.flights[id] = f
	m.mu.Unlock()
	if _, err := m.conn.Write(query); err != nil && !errors.Is(err, net.ErrClosed) {
		if errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EAGAIN) {
			return // a lost packet
		}
		m.failAll(err)
	}
}

// resend sends a query that still waits once more.
func (m *muxSocket) resend(f *flight) {
	m.mu.Lock()
	waits := len(f.query) > 1 && m.flights[binary.BigEndian.Uint16(f.query)] == f
	m.mu.Unlock()
	if waits {
		m.conn.Write(f.query)
	}
}

// failAll ends all queries of the socket: ICMP says that nobody listens, and
// not for which query.
func (m *muxSocket) failAll(err error) {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.flights))
	clear(m.flights)
	m.mu.Unlock()
	for _, f := range all {
		m.deliver(f, failed(err))
	}
}

// forget gives up waiting and returns whether something bad came meanwhile.
func (m *muxSocket) forget(f *flight) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(f.query) > 1 {
		id := binary.BigEndian.Uint16(f.query)
		if m.flights[id] == f {
			delete(m.flights, id)
		}
	}
	return f.bad
}

func (m *muxSocket) read() {
	buf := make([]byte, 4096)
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			m.failAll(err)
			continue
		}
		if n < 2 {
			continue
		}
		id := binary.BigEndian.Uint16(buf)
		m.mu.Lock()
		f := m.flights[id]
		m.mu.Unlock()
		if f == nil {
			continue // late, or somebody else's
		}
		r, ok := parseReply(buf[:n], f.query, f.ask.q)
		m.mu.Lock()
		if !ok {
			f.bad = true
			m.mu.Unlock()
			continue
		}
		mine := m.flights[id] == f
		if mine {
			delete(m.flights, id)
		}
		m.mu.Unlock()
		if mine {
			m.deliver(f, r)
		}
	}
}
