package dnsmx

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"sync"
	"syscall"
	"time"
)

// query is one message on its way to a resolver.
type query struct {
	q       question
	via     via
	edns    bool
	timeout time.Duration
	owner   any // whose it is

	msg  []byte   // set before the connection knows of it
	wait *waiting // nil: a goroutine of its own waits for the reply, and for it to be late

	// Guarded by wait.
	bad  bool // a message came that was no reply
	link int  // the number of the connection it went over
}

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

var errBadReply = errors.New("not a reply to the query")

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
