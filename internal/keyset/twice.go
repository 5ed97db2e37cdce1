package keyset

import (
	"bytes"
	"encoding/binary"
)

// Twice holds the hashes that occur more than once, sorted, and a note on each
// of their keys.
type Twice struct {
	hashes []uint64
	start  []uint32 // by the top bits: where in hashes
	shift  uint
	first  []uint64 // by the place in hashes: 1 + reference in keys, 0: none yet
	keys   arena    // of: note length, note, reference as in first of another key of the same hash, key
	pool   pool
	entry  []byte
}

// newTwice takes the hashes of the parts, in order.
func newTwice(parts [][]uint64) *Twice {
	t := &Twice{}
	n := 0
	for i := range parts {
		n += len(parts[i])
	}
	t.hashes = t.pool.hashes(n)
	for i := range parts {
		t.hashes = append(t.hashes, parts[i]...)
		parts[i] = nil
	}
	t.index()
	return t
}

// Spill keeps up to limit bytes of keys and notes in memory and the rest in a
// file in dir, a private folder.
func (t *Twice) Spill(limit int64, dir string) { t.keys.bound(limit, dir) }

func (t *Twice) index() {
	top := uint(1)
	for top < 20 && 1<<top < len(t.hashes) {
		top++
	}
	t.shift = 64 - top
	t.start = make([]uint32, 1<<top+1)
	for _, h := range t.hashes {
		t.start[h>>t.shift+1]++
	}
	for i := 1; i < len(t.start); i++ {
		t.start[i] += t.start[i-1]
	}
}

// Len returns how many hashes occur more than once.
func (t *Twice) Len() int { return len(t.hashes) }

// AddTo adds the hashes to a filter.
func (t *Twice) AddTo(f *Filter) {
	for _, h := range t.hashes {
		f.Add(h)
	}
}

// Find returns the place of a hash, or -1 when it does not occur more than once.
func (t *Twice) Find(h uint64) int {
	b := h >> t.shift
	lo, hi := t.start[b], t.start[b+1]
	if lo == hi {
		return -1
	}
	for hi-lo > 8 {
		mid := (lo + hi) / 2
		if t.hashes[mid] <= h {
			lo = mid
		} else {
			hi = mid
		}
	}
	for ; lo < hi; lo++ {
		if t.hashes[lo] == h {
			return int(lo)
		}
	}
	return -1
}

// Get returns the note on a key; at is what Find returned for its hash. The note
// is valid until the next call.
func (t *Twice) Get(at int, key []byte, buf *[]byte) (note []byte, found bool, err error) {
	if t.first == nil {
		return nil, false, nil
	}
	for ref := t.first[at]; ref != 0; {
		b, err := t.keys.get(int64(ref-1), buf)
		if err != nil {
			return nil, false, err
		}
		size, n := binary.Uvarint(b)
		note, b = b[n:n+int(size)], b[n+int(size):]
		ref, n = binary.Uvarint(b)
		if bytes.Equal(b[n:], key) {
			return note, true, nil
		}
	}
	return nil, false, nil
}

// Put notes something on a key that has no note yet. Put and Get are for one
// goroutine at a time.
func (t *Twice) Put(at int, key, note []byte) error {
	if t.first == nil {
		t.first = t.pool.hashes(len(t.hashes))[:len(t.hashes)]
	}
	b := append(binary.AppendUvarint(t.entry[:0], uint64(len(note))), note...)
	b = binary.AppendUvarint(b, t.first[at])
	t.entry = append(b, key...)
	ref, err := t.keys.put(t.entry)
	if err != nil {
		return err
	}
	t.first[at] = uint64(ref) + 1
	return nil
}

// Close gives back what t holds. t may be nil.
func (t *Twice) Close() {
	if t == nil {
		return
	}
	t.hashes, t.first = nil, nil
	t.keys.close()
	t.pool.free()
}
