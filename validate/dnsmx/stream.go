package dnsmx

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// stream carries queries over one connection after the other, TCP (RFC 7766) or
// TLS (RFC 7858): many at a time, since a connection is dear.
type stream struct {
	waiting
	ctx     context.Context
	dial    func(context.Context) (net.Conn, error)
	deliver func(*query, reply)
	places  chan struct{} // for connections that nobody shares

	smu   sync.Mutex
	now   *link // nil: none was opened yet
	links int   // how many there were
}

func newStream(ctx context.Context, dial func(context.Context) (net.Conn, error), deliver func(*query, reply)) *stream {
	return &stream{ctx: ctx, dial: dial, deliver: deliver, places: make(chan struct{}, maxAlone)}
}

// link is one connection of a stream.
type link struct {
	s      *stream
	number int // from 1
	out    chan *query

	// Guarded by the stream's smu.
	closed  bool
	replies int
	silent  int // queries given up since the last reply
}

// streamQueue is how many queries may wait to be written, maxSilent how many may be
// given up before a connection is taken for dead.
const (
	streamQueue  = 512
	maxSilent    = 8
	maxAlone     = 8 // connections besides: a resolver has few places for them
	writeTimeout = 10 * time.Second
)

// send sends a query over the connection that is open, or over a new one.
func (s *stream) send(q *query) {
	if err := s.add(q); err != nil {
		go s.deliver(q, reply{fail: failBad, ede: -1})
		return
	}
	s.push(q)
}

// push queues a query to be written.
func (s *stream) push(q *query) {
	s.smu.Lock()
	defer s.smu.Unlock()
	if s.now == nil || s.now.closed {
		s.links++
		s.now = &link{s: s, number: s.links, out: make(chan *query, streamQueue)}
		go s.now.run()
	}
	s.mu.Lock()
	q.link = s.now.number
	s.mu.Unlock()
	select {
	case s.now.out <- q:
	default: // nobody reads at the other end
		s.forget(q)
		go s.deliver(q, reply{fail: failTimeout, ede: -1})
	}
}

// gaveUp says that a query was given up.
func (s *stream) gaveUp() {
	s.smu.Lock()
	defer s.smu.Unlock()
	if s.now != nil && !s.now.closed {
		if s.now.silent++; s.now.silent >= maxSilent {
			s.now.shut()
		}
	}
}

func (s *stream) close() {
	s.smu.Lock()
	defer s.smu.Unlock()
	if s.now != nil {
		s.now.shut()
	}
}

// shut ends the link. The caller holds smu.
func (l *link) shut() {
	if !l.closed {
		l.closed = true
		close(l.out)
	}
}

// run connects, writes what is to be sent, and ends what cannot be.
func (l *link) run() {
	s := l.s
	c, err := s.dial(s.ctx)
	if err == nil {
		stop := context.AfterFunc(s.ctx, func() { c.Close() })
		go func() {
			l.write(c)
			c.Close() // which ends reading too
		}()
		err = l.read(c, -1)
		stop()
	}
	s.smu.Lock()
	l.shut()
	again := l.replies > 0 && s.ctx.Err() == nil
	s.smu.Unlock()
	// A server that ends a connection after some queries would answer the rest over
	// another one (RFC 7766 section 6.2.4). Perhaps it was one of them that made it end:
	// now each has its own.
	if again {
		for _, q := range s.left(l) {
			go s.alone(q)
		}
		return
	}
	for _, q := range s.take(func(q *query) bool { return q.link == l.number }) {
		s.deliver(q, failed(err))
	}
}

// left returns the queries that are still out on a link.
func (s *stream) left(l *link) (left []*query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queries {
		if q.link == l.number {
			left = append(left, q)
		}
	}
	return left
}

// alone asks over a connection that nobody shares.
func (s *stream) alone(q *query) {
	s.places <- struct{}{}
	defer func() { <-s.places }()
	if !s.holds(q) || s.ctx.Err() != nil {
		return
	}
	c, err := s.dial(s.ctx)
	if err == nil {
		defer c.Close()
		stop := context.AfterFunc(s.ctx, func() { c.Close() })
		defer stop()
		c.SetDeadline(time.Now().Add(q.timeout))
		l := &link{s: s, out: make(chan *query, 1)}
		l.out <- q
		close(l.out)
		l.write(c)
		err = l.read(c, 1)
	}
	for _, q := range s.take(func(o *query) bool { return o == q }) {
		s.deliver(q, failed(err))
	}
}

// write writes queries until there will be no more.
func (l *link) write(c net.Conn) {
	w := bufio.NewWriter(c)
	for q := range l.out {
		if !l.s.holds(q) {
			continue // it was given up
		}
		c.SetWriteDeadline(time.Now().Add(writeTimeout))
		var size [2]byte
		binary.BigEndian.PutUint16(size[:], uint16(len(q.msg)))
		w.Write(size[:])
		w.Write(q.msg)
		if len(l.out) > 0 {
			continue // and flush then
		}
		if w.Flush() != nil {
			return // reading ends the link
		}
	}
}

// read takes n replies, -1 for all until the connection ends.
func (l *link) read(c net.Conn, n int) error {
	r := bufio.NewReader(c)
	var buf []byte
	for ; n != 0; n-- {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint16(head[:]))
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		if q, rep, ok := l.s.match(buf); ok {
			l.s.smu.Lock()
			l.replies++
			l.silent = 0
			l.s.smu.Unlock()
			l.s.deliver(q, rep)
		}
	}
	return errBadReply
}
