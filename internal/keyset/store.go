// Package keyset holds sets of keys that may be larger than memory, and what
// is noted of a key. A key is any byte string; the caller brings a 64-bit hash
// of it that is odd (0 marks a free slot).
//
// What grows with the keys: 8 bytes each while they are collected (Store; what
// is over its limit is on disk, where it costs little: it is written and read in
// one piece), 10 bits each in a Filter of all of them; about 30 bytes and the key
// once for every key that occurs more than once (Twice), about 35 bytes, the key
// and what is noted for every key in a Table. The bytes of keys and notes are on
// disk beyond a limit. Nothing else grows.
//
// A hash never decides. Two keys of one hash are told apart by comparing the
// keys themselves, of the few whose hash occurs more than once.
package keyset

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

const (
	maxHashes  = 64 << 20 // bytes, of 8 million keys
	partBits   = 9
	partCount  = 1 << partBits
	slabHashes = 2048 // 16 KiB
	pendHashes = 64
)

// Store collects the hashes of keys, split by their top bits, so that each part
// can be searched for equals in the processor's cache. What does not fit into
// its limit goes to a temporary file.
type Store struct {
	parts [partCount]struct {
		mu    sync.Mutex
		slabs [][]uint64 // all full but the last
		n     int64
		disk  []int64 // offsets of slabs in spill
	}
	limit int64 // bytes in memory
	held  atomic.Int64
	pool  pool
	spill spillFile
	mu    sync.Mutex
	idle  []*Batch
}

// NewStore returns an empty store that holds up to limit bytes in memory, and
// never more than 64 MiB. dir is a private folder for its temporary file.
func NewStore(limit int64, dir string) *Store {
	return &Store{limit: min(limit, maxHashes), spill: spillFile{dir: dir}}
}

// add takes hashes of one part.
func (s *Store) add(part int, hs []uint64) error {
	p := &s.parts[part]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += int64(len(hs))
	for len(hs) > 0 {
		var last []uint64
		if k := len(p.slabs); k > 0 {
			last = p.slabs[k-1]
		}
		if len(last) == cap(last) {
			if last != nil && s.held.Load() >= s.limit {
				// Write the full slab and use its memory again.
				off, err := s.spill.append(uint64Bytes(last))
				if err != nil {
					return err
				}
				p.disk = append(p.disk, off)
				p.slabs[len(p.slabs)-1] = last[:0]
				last = last[:0]
			} else {
				last = s.pool.hashes(slabHashes)
				p.slabs = append(p.slabs, last)
				s.held.Add(slabHashes * 8)
			}
		}
		n := min(len(hs), cap(last)-len(last))
		p.slabs[len(p.slabs)-1] = append(last, hs[:n]...)
		hs = hs[n:]
	}
	return nil
}

// each calls f with all hashes of a part, in pieces.
func (s *Store) each(part int, buf []uint64, f func([]uint64)) error {
	p := &s.parts[part]
	for _, sl := range p.slabs {
		f(sl)
	}
	for _, off := range p.disk {
		if err := s.spill.read(uint64Bytes(buf[:slabHashes]), off); err != nil {
			return err
		}
		f(buf[:slabHashes])
	}
	return nil
}

// Count returns how many hashes were added, equal ones counted.
func (s *Store) Count() (n int64) {
	for i := range s.parts {
		n += s.parts[i].n
	}
	return n
}

// Close gives back what the store holds, if Settle was not called.
func (s *Store) Close() {
	s.pool.free()
	s.spill.close() // the folder it lies in is removed in any case
}

// Batch is one goroutine's way into a Store: it takes the lock of a part once
// for many hashes.
type Batch struct {
	store *Store
	n     [partCount]uint8
	pend  [partCount][pendHashes]uint64
}

// Batch returns a way into s.
func (s *Store) Batch() *Batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		b := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return b
	}
	return &Batch{store: s}
}

// Add adds the hash of a key, at the latest when Flush is called.
func (b *Batch) Add(h uint64) error {
	p := h >> (64 - partBits)
	b.pend[p][b.n[p]] = h
	b.n[p]++
	if b.n[p] == pendHashes {
		b.n[p] = 0
		return b.store.add(int(p), b.pend[p][:])
	}
	return nil
}

// Flush adds what is still pending. It ends the batch, which is a quarter of a
// MiB: another goroutine may have it next.
func (b *Batch) Flush() error {
	for p := range b.n {
		if err := b.store.add(p, b.pend[p][:b.n[p]]); err != nil {
			return err
		}
		b.n[p] = 0
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.store.idle = append(b.store.idle, b)
	return nil
}

// Settle finds the hashes that occur more than once, adds all of them to a
// filter unless it is nil, and closes the store.
func (s *Store) Settle(ctx context.Context, all *Filter) (*Twice, error) {
	var found [partCount][]uint64
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	usual := 2*s.Count()/partCount + 1 // hashes of a part, and more where a key comes again and again
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			set := twiceSet{usual: usual}
			buf := make([]uint64, slabHashes)
			for {
				part := int(next.Add(1)) - 1
				if part >= partCount {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				p := &s.parts[part]
				if p.n == 0 {
					continue
				}
				set.reset(p.n)
				err := s.each(part, buf, func(hs []uint64) {
					if all != nil {
						for _, h := range hs {
							all.Add(h)
						}
					}
					set.add(hs)
				})
				if err != nil {
					return err
				}
				slices.Sort(set.twice)
				found[part] = slices.Clone(set.twice)
				p.slabs, p.disk = nil, nil
			}
		})
	}
	err := g.Wait()
	s.idle = nil
	s.pool.free()
	if err != nil {
		return nil, err
	}
	return newTwice(found[:]), s.spill.close()
}

// twiceSet finds the hashes of one part that occur more than once. Its size
// follows the different hashes, not how often each occurs.
type twiceSet struct {
	table []uint64 // hashes without their top bit, which all of a part share: there it says that one was seen twice
	n     int      // in table
	usual int64
	twice []uint64
}

const seenTwice = 1 << 63

// reset empties the set for n hashes.
func (t *twiceSet) reset(n int64) {
	size := 16
	for int64(size) < 2*min(n, t.usual) {
		size *= 2
	}
	if cap(t.table) < size {
		t.table = make([]uint64, size)
	}
	t.table = t.table[:size]
	clear(t.table)
	t.n, t.twice = 0, t.twice[:0]
}

func (t *twiceSet) add(hs []uint64) {
	table, mask := t.table, uint64(len(t.table)-1)
	for _, h := range hs {
		low := h &^ seenTwice
		for i := low >> 1; ; i++ {
			switch e := table[i&mask]; e &^ seenTwice {
			case 0:
				table[i&mask] = low
				if t.n++; 2*t.n > len(table) {
					t.grow()
					table, mask = t.table, uint64(len(t.table)-1)
				}
			case low:
				if e&seenTwice == 0 {
					table[i&mask] |= seenTwice
					t.twice = append(t.twice, h)
				}
			default:
				continue
			}
			break
		}
	}
}

func (t *twiceSet) grow() {
	old := t.table
	t.table = make([]uint64, 2*len(old))
	mask := uint64(len(t.table) - 1)
	for _, e := range old {
		if e == 0 {
			continue
		}
		i := e &^ seenTwice >> 1
		for t.table[i&mask] != 0 {
			i++
		}
		t.table[i&mask] = e
	}
}
