package dnsmx

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
)

// waiting holds the queries that share a connection, by the id of their message.
type waiting struct {
	mu      sync.Mutex
	queries map[uint16]*query
	ids     []byte // random, for ids to come
}

// add gives the query a random id that is free and makes its message.
func (w *waiting) add(q *query) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queries == nil {
		w.queries = map[uint16]*query{}
	}
	var id uint16
	for {
		if len(w.ids) < 2 {
			w.ids = w.ids[:cap(w.ids)]
			if len(w.ids) == 0 {
				w.ids = make([]byte, 512)
			}
			rand.Read(w.ids)
		}
		id = binary.BigEndian.Uint16(w.ids[len(w.ids)-2:])
		w.ids = w.ids[:len(w.ids)-2]
		if w.queries[id] == nil {
			break
		}
	}
	msg, err := appendQuery(nil, id, q.q, q.edns)
	if err != nil {
		return err
	}
	q.msg, q.wait = msg, w
	w.queries[id] = q
	return nil
}

// match finds the query that a message replies to, and takes it out. A message
// that only looks like a reply to it is remembered.
func (w *waiting) match(msg []byte) (*query, reply, bool) {
	if len(msg) < 2 {
		return nil, reply{}, false
	}
	id := binary.BigEndian.Uint16(msg)
	w.mu.Lock()
	q := w.queries[id]
	w.mu.Unlock()
	if q == nil {
		return nil, reply{}, false // late, or somebody else's
	}
	r, ok := parseReply(msg, q.msg, q.q)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !ok {
		q.bad = true
		return nil, reply{}, false
	}
	if w.queries[id] != q {
		return nil, reply{}, false
	}
	delete(w.queries, id)
	return q, r, true
}

// holds says whether the query still waits.
func (w *waiting) holds(q *query) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queries[binary.BigEndian.Uint16(q.msg)] == q
}

// forget gives up waiting and returns whether something bad came meanwhile.
func (w *waiting) forget(q *query) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id := binary.BigEndian.Uint16(q.msg); w.queries[id] == q {
		delete(w.queries, id)
	}
	return q.bad
}

// take takes out the queries for which which is true.
func (w *waiting) take(which func(*query) bool) (taken []*query) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, q := range w.queries {
		if which(q) {
			taken = append(taken, q)
			delete(w.queries, id)
		}
	}
	return taken
}

// muxSocket is a connected UDP socket that many queries share.
type muxSocket struct {
	waiting
	conn    *net.UDPConn
	deliver func(*query, reply)
}

func (m *muxSocket) send(q *query) {
	if err := m.add(q); err != nil {
		go m.deliver(q, reply{fail: failBad, ede: -1})
		return
	}
	m.write(q)
}

// resend sends a query that still waits once more.
func (m *muxSocket) resend(q *query) {
	if m.holds(q) {
		m.write(q)
	}
}

func (m *muxSocket) write(q *query) {
	_, err := m.conn.Write(q.msg)
	if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.EAGAIN) {
		return // sent, or a lost packet
	}
	go m.failAll(err) // whoever sends must not wait for whoever takes the replies
}

// failAll ends all queries of the socket: ICMP says that nobody listens, and
// not for which query.
func (m *muxSocket) failAll(err error) {
	for _, q := range m.take(func(*query) bool { return true }) {
		m.deliver(q, failed(err))
	}
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
		if q, r, ok := m.match(buf[:n]); ok {
			m.deliver(q, r)
		}
	}
}
