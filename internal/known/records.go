package known

import (
	"encoding/binary"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// Wish reports whether a record says that the person does not want the mail.
func Wish(rec *bounceimport.Record) bool {
	if rec.Action != bounceimport.SuppressNow || rec.Held != "" {
		return false
	}
	c, _ := bounceimport.LookupCategory(rec.Category)
	return c.Wish
}

// heavier reports whether a decides before b: what suppresses before what only
// informs, then the later, then by content, so that the order in which sources
// are asked does not matter.
func heavier(a, b *bounceimport.Record) bool {
	if x, y := weight(a), weight(b); x != y {
		return x > y
	}
	if !a.Last.Equal(b.Last) {
		return a.Last.After(b.Last)
	}
	if a.Category != b.Category {
		return a.Category < b.Category
	}
	if a.Source != b.Source {
		return a.Source < b.Source
	}
	return a.Reply < b.Reply
}

func weight(r *bounceimport.Record) int {
	c, _ := bounceimport.LookupCategory(r.Category)
	switch {
	case c.Action != bounceimport.SuppressNow && c.Action != bounceimport.Count:
		return 0
	case r.Held != "":
		return 2
	case Wish(r):
		return 5
	case r.Action == bounceimport.SuppressNow && c.Action == bounceimport.SuppressNow:
		return 4
	case r.Action == bounceimport.Count:
		return 3
	}
	return 1
}

// texts numbers texts that occur often.
type texts struct {
	mu    sync.Mutex
	names map[string]uint64 // from 1
	all   []string
}

// maxNames bounds the table of texts.
const maxNames = 1 << 14

func (t *texts) appendRecord(b []byte, r *bounceimport.Record) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	b = t.append(b, r.Category)
	b = t.append(b, string(r.Action))
	b = t.append(b, r.Held)
	b = binary.AppendUvarint(b, uint64(r.Events))
	b = appendTime(b, r.First)
	b = appendTime(b, r.Last)
	b = appendTime(b, r.Until)
	b = t.append(b, r.Reply)
	b = t.append(b, r.Rule)
	return appendBytes(b, r.Source)
}

func (t *texts) readRecord(b []byte, r *bounceimport.Record) {
	var action string
	r.Category, b = t.read(b)
	action, b = t.read(b)
	r.Action = bounceimport.Action(action)
	r.Held, b = t.read(b)
	n, k := binary.Uvarint(b)
	r.Events, b = int(n), b[k:]
	r.First, b = readTime(b)
	r.Last, b = readTime(b)
	r.Until, b = readTime(b)
	r.Reply, b = t.read(b)
	r.Rule, b = t.read(b)
	r.Source, _ = readBytes(b)
}

// append appends a text by number, or as it is when the table is full.
func (t *texts) append(b []byte, s string) []byte {
	if s == "" {
		return append(b, 0)
	}
	id := t.names[s]
	if id == 0 {
		if len(t.all) >= maxNames {
			return appendBytes(append(b, 1), s)
		}
		if t.names == nil {
			t.names = map[string]uint64{}
		}
		s = strings.Clone(s)
		t.all = append(t.all, s)
		id = uint64(len(t.all))
		t.names[s] = id
	}
	return binary.AppendUvarint(b, id+1)
}

// read reads what append appended, when nothing is appended any more.
func (t *texts) read(b []byte) (string, []byte) {
	id, k := binary.Uvarint(b)
	b = b[k:]
	switch id {
	case 0:
		return "", b
	case 1:
		return readBytes(b)
	}
	return t.all[id-2], b
}

func appendBytes(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func readBytes(b []byte) (string, []byte) {
	n, k := binary.Uvarint(b)
	return string(b[k : k+int(n)]), b[k+int(n):]
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, math.MinInt64)
	}
	return binary.AppendVarint(b, t.Unix())
}

func readTime(b []byte) (time.Time, []byte) {
	s, k := binary.Varint(b)
	if s == math.MinInt64 {
		return time.Time{}, b[k:]
	}
	return time.Unix(s, 0).UTC(), b[k:]
}
