package keyset

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// Table keeps notes on keys, any number on each. It may be filled from several
// goroutines; nothing may be put any more when it is read.
type Table struct {
	mu    sync.Mutex
	slots []slot
	n     int
	notes arena // of: key length, key, note
	entry []byte
	buf   []byte
}

type slot struct {
	hash uint64 // 0: free
	ref  int64  // in notes
}

// NewTable returns an empty table. It keeps up to limit bytes of keys and notes
// in memory and the rest in a file in dir, a private folder.
func NewTable(limit int64, dir string) *Table {
	t := &Table{}
	t.notes.bound(limit, dir)
	return t
}

// Put adds a note on a key, unless skip, called with each note that is there
// already, says that it tells nothing new. skip may be nil.
func (t *Table) Put(h uint64, key, note []byte, skip func(note []byte) bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if skip != nil {
		known := false
		err := t.Each(h, key, &t.buf, func(have []byte) { known = known || skip(have) })
		if err != nil || known {
			return err
		}
	}
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]slot, max(1024, 2*len(old)))
		for _, s := range old {
			if s.hash != 0 {
				t.insert(s)
			}
		}
	}
	b := append(binary.AppendUvarint(t.entry[:0], uint64(len(key))), key...)
	t.entry = append(b, note...)
	ref, err := t.notes.put(t.entry)
	if err != nil {
		return err
	}
	t.insert(slot{h, ref})
	t.n++
	return nil
}

func (t *Table) insert(s slot) {
	mask := uint64(len(t.slots) - 1)
	i := (s.hash >> 1) & mask
	for t.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// Each calls f with every note on a key. A note is valid until f returns; buf is
// memory for reading.
func (t *Table) Each(h uint64, key []byte, buf *[]byte, f func(note []byte)) error {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := (h >> 1) & mask; t.slots[i].hash != 0; i = (i + 1) & mask {
		if t.slots[i].hash != h {
			continue
		}
		b, err := t.notes.get(t.slots[i].ref, buf)
		if err != nil {
			return err
		}
		n, k := binary.Uvarint(b)
		if b = b[k:]; bytes.Equal(b[:n], key) {
			f(b[n:])
		}
	}
	return nil
}

// Len returns the number of notes.
func (t *Table) Len() int { return t.n }

// AddTo adds the hashes of the keys to a filter.
func (t *Table) AddTo(f *Filter) {
	for i := range t.slots {
		if h := t.slots[i].hash; h != 0 {
			f.Add(h)
		}
	}
}

// Close gives back what the table holds.
func (t *Table) Close() {
	t.slots = nil
	t.notes.close()
}

// Log keeps byte strings until they are read again, all of them at once.
type Log struct {
	mu  sync.Mutex
	all arena
}

// NewLog returns an empty log. It keeps up to limit bytes in memory and the rest
// in a file in dir, a private folder.
func NewLog(limit int64, dir string) *Log {
	l := &Log{}
	l.all.bound(limit, dir)
	return l
}

// Add copies b into the log. It may be called from several goroutines.
func (l *Log) Add(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.all.put(b)
	return err
}

// Each calls f with all that was added, in no order, when nothing is added any
// more.
func (l *Log) Each(f func(b []byte) error) error { return l.all.each(f) }

// Close gives back what the log holds.
func (l *Log) Close() { l.all.close() }
