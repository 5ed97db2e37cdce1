package dnsmx

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// exchanger answers a query in the place of a network, in tests.
type exchanger func(ctx context.Context, server string, way via, msg []byte) ([]byte, error)

// transport carries queries to one resolver.
type transport struct {
	ctx     context.Context
	server  server
	deliver func(*query, reply)
	socks   []*muxSocket // for UDP to a near resolver
	turn    int
	stream  *stream // for TCP and TLS
	http    *http.Client
	test    exchanger
}

// muxSockets is how many sockets a near resolver gets. Their ports are random;
// more would add nothing, for towards the own machine or network nobody can
// guess ids without seeing them.
const muxSockets = 4

func newTransport(ctx context.Context, s server, cfg *tls.Config, test exchanger, deliver func(*query, reply)) *transport {
	t := &transport{ctx: ctx, server: s, deliver: deliver, test: test}
	if test != nil {
		return t
	}
	secure := &tls.Config{}
	if cfg != nil {
		secure = cfg.Clone()
	}
	secure.ServerName = s.tlsName
	secure.InsecureSkipVerify = false
	secure.MinVersion = tls.VersionTLS12
	switch s.via {
	case udp:
		t.stream = newStream(ctx, func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", s.addr)
		}, deliver)
		if !s.public { // else a fresh socket, and so a fresh port, for each query (RFC 5452 section 9.2)
			t.openSockets()
		}
	case dot:
		t.stream = newStream(ctx, func(ctx context.Context) (net.Conn, error) {
			d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout}, Config: secure}
			return d.DialContext(ctx, "tcp", s.addr)
		}, deliver)
	case doh:
		tr := &http.Transport{TLSClientConfig: secure, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
		if s.addr != "" {
			tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.addr)
			}
		}
		t.http = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return t
}

const dialTimeout = 5 * time.Second

// openSockets opens the sockets that queries share. Without a route, for instance,
// there are none: each query will find that out, and the other resolvers are asked.
func (t *transport) openSockets() {
	for range muxSockets {
		c, err := net.Dial("udp", t.server.addr)
		if err != nil {
			break
		}
		m := &muxSocket{conn: c.(*net.UDPConn), deliver: t.deliver}
		m.conn.SetReadBuffer(1 << 20)
		t.socks = append(t.socks, m)
		go m.read()
	}
}

func (t *transport) close() {
	for _, m := range t.socks {
		m.conn.Close()
	}
	if t.stream != nil {
		t.stream.close()
	}
	if t.http != nil {
		t.http.CloseIdleConnections()
	}
}

// send sends a query. Its reply or failure comes to deliver, from another
// goroutine; that it is late does not when the query has a wait.
func (t *transport) send(q *query) {
	switch {
	case t.test != nil:
		t.alone(q, t.exchangeTest)
	case q.via == udp && len(t.socks) > 0:
		t.turn++
		t.socks[t.turn%len(t.socks)].send(q)
	case q.via == udp:
		t.alone(q, t.exchangeUDP)
	case q.via == doh:
		t.alone(q, t.exchangeHTTP)
	default:
		t.stream.send(q)
	}
}

// resend sends a query over UDP that still waits once more, if it can be done.
func (t *transport) resend(q *query) {
	for _, m := range t.socks {
		if q.wait == &m.waiting {
			m.resend(q)
		}
	}
}

// giveUp ends the waiting for a reply, and returns what is to be taken for it.
func (t *transport) giveUp(q *query) reply {
	r := reply{fail: failTimeout, ede: -1}
	if q.wait.forget(q) {
		r.fail = failBad
	}
	if q.via != udp {
		t.stream.gaveUp()
	}
	return r
}

// alone asks and waits in a goroutine.
func (t *transport) alone(q *query, exchange func(context.Context, *query) reply) {
	go func() {
		ctx, cancel := context.WithTimeout(t.ctx, q.timeout)
		defer cancel()
		var id [2]byte
		if q.via != doh { // RFC 8484 section 4.1: id 0, for caches
			rand.Read(id[:])
		}
		var err error
		if q.msg, err = appendQuery(nil, binary.BigEndian.Uint16(id[:]), q.q, q.edns); err != nil {
			t.deliver(q, reply{fail: failBad, ede: -1})
			return
		}
		t.deliver(q, exchange(ctx, q))
	}()
}

func (t *transport) exchangeTest(ctx context.Context, q *query) reply {
	b, err := t.test(ctx, t.server.name, q.via, q.msg)
	if err != nil {
		return failed(err)
	}
	if r, ok := parseReply(b, q.msg, q.q); ok {
		return r
	}
	if q.via == udp {
		<-ctx.Done() // perhaps the right one still comes
	}
	return failed(errBadReply)
}

func (t *transport) exchangeUDP(ctx context.Context, q *query) reply {
	c, err := new(net.Dialer).DialContext(ctx, "udp", t.server.addr)
	if err != nil {
		return failed(err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.Write(q.msg); err != nil {
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
		if r, ok := parseReply(buf[:n], q.msg, q.q); ok {
			return r
		}
		bad = true
	}
}

// exchangeHTTP asks over HTTPS (RFC 8484).
func (t *transport) exchangeHTTP(ctx context.Context, q *query) reply {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.server.url, bytes.NewReader(q.msg))
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
	r, ok := parseReply(b, q.msg, q.q)
	if !ok {
		return failed(errBadReply)
	}
	return r
}
