package dnsmx

import (
	"errors"
	"net"
	"os"
	"syscall"
)

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
