package winnow

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sync/errgroup"
)

// What grows with the list
//
// A run holds, for every record that has an address, 8 bytes: a 64-bit hash
// of its key (hashStore, until the duplicates are found; beyond maxHashes it is
// on disk, where it costs little: it is written and read in one piece). When there are suppression lists or evidence, 10 bits more (a
// Bloom filter of the keys on the list). For every address that occurs more
// than once, about 30 bytes and its key once (dups); for every address of
// which a list or a source says something, about 35 bytes and what is said
// (facts). For every domain, about 200 bytes. Nothing else grows.
//
// A hash never decides. Two keys of one hash are told apart by comparing the
// keys themselves, of the few addresses whose hash occurs more than once.

const (
	maxHashes  = 64 << 20 // bytes, of 8 million records
	partBits   = 9
	partCount  = 1 << partBits
	slabHashes = 2048 // 16 KiB
	pendHashes = 64
)

// hashStore collects one hash per record, split by its top bits, so that each
// part can be searched for equals in the processor's cache. What does not fit
// into limit goes to a temporary file.
type hashStore struct {
	parts [partCount]struct {
		mu    sync.Mutex
		slabs [][]uint64 // all full but the last
		n     int64
		disk  []int64 // offsets of slabs in file
	}
	limit int64 // bytes in memory
	held  atomic.Int64
	pool  pool
	spill spillFile
}

// add takes hashes of one part.
func (s *hashStore) add(part int, hs []uint64) error {
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
func (s *hashStore) each(part int, buf []uint64, f func([]uint64)) error {
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

func (s *hashStore) count() (n int64) {
	for i := range s.parts {
		n += s.parts[i].n
	}
	return n
}

// hashBatch is one worker's way into a hashStore: it takes the lock of a part
// once for many hashes.
type hashBatch struct {
	store *hashStore
	n     [partCount]uint8
	pend  [partCount][pendHashes]uint64
}

func (b *hashBatch) add(h uint64) error {
	p := h >> (64 - partBits)
	b.pend[p][b.n[p]] = h
	b.n[p]++
	if b.n[p] == pendHashes {
		b.n[p] = 0
		return b.store.add(int(p), b.pend[p][:])
	}
	return nil
}

func (b *hashBatch) flush() error {
	for p := range b.n {
		if err := b.store.add(p, b.pend[p][:b.n[p]]); err != nil {
			return err
		}
		b.n[p] = 0
	}
	return nil
}

// settle finds the hashes that occur more than once, fills the filter with all
// of them when there is one, and empties the store.
func (s *hashStore) settle(ctx context.Context, f *filter) (*dups, error) {
	var found [partCount][]uint64
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			var table []uint64
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
				size := 16
				for int64(size) < 2*p.n {
					size *= 2
				}
				if cap(table) < size {
					table = make([]uint64, size)
				}
				table = table[:size]
				clear(table)
				mask := uint64(size - 1)
				var twice []uint64
				err := s.each(part, buf, func(hs []uint64) {
					for _, h := range hs {
						if f != nil {
							f.add(h)
						}
						// 0 marks a free slot; hashes are made odd (see keyHash).
						for i := h >> 1; ; i++ {
							switch table[i&mask] {
							case 0:
								table[i&mask] = h
							case h:
								twice = append(twice, h)
							default:
								continue
							}
							break
						}
					}
				})
				if err != nil {
					return err
				}
				slices.Sort(twice)
				found[part] = slices.Clip(slices.Compact(twice))
				p.slabs, p.disk = nil, nil
			}
		})
	}
	err := g.Wait()
	s.pool.free()
	if err != nil {
		return nil, err
	}
	d := &dups{}
	n := 0
	for i := range found {
		n += len(found[i])
	}
	d.hashes = d.pool.hashes(n)
	for i := range found {
		d.hashes = append(d.hashes, found[i]...)
		found[i] = nil
	}
	d.index()
	return d, s.spill.close()
}

// dups holds the hashes that occur more than once, sorted, and in the second
// pass the first records that have them.
type dups struct {
	hashes []uint64
	start  []uint32 // by the top bits: where in hashes
	shift  uint
	first  []uint64 // by the place in hashes: 1 + reference in keys, 0: not seen yet
	keys   arena    // of: fate, list, record, reference as in first of another key of the same hash, key
	pool   pool
	entry  []byte
}

// firstSeen is the first record of an address that occurs more than once.
type firstSeen struct {
	record int64  // in the list
	list   uint32 // which list
	fate   fate   // what became of it
}

func (d *dups) index() {
	top := uint(1)
	for top < 20 && 1<<top < len(d.hashes) {
		top++
	}
	d.shift = 64 - top
	d.start = make([]uint32, 1<<top+1)
	for _, h := range d.hashes {
		d.start[h>>d.shift+1]++
	}
	for i := 1; i < len(d.start); i++ {
		d.start[i] += d.start[i-1]
	}
}

// find returns the place of h in hashes, or -1.
func (d *dups) find(h uint64) int {
	b := h >> d.shift
	lo, hi := d.start[b], d.start[b+1]
	if lo == hi {
		return -1
	}
	for hi-lo > 8 {
		mid := (lo + hi) / 2
		if d.hashes[mid] <= h {
			lo = mid
		} else {
			hi = mid
		}
	}
	for ; lo < hi; lo++ {
		if d.hashes[lo] == h {
			return int(lo)
		}
	}
	return -1
}

// lookup returns the first record with this key; at is what find returned.
func (d *dups) lookup(at int, key []byte, buf *[]byte) (f firstSeen, found bool, err error) {
	if d.first == nil {
		return f, false, nil
	}
	for ref := d.first[at]; ref != 0; {
		b, err := d.keys.get(int64(ref-1), buf)
		if err != nil {
			return f, false, err
		}
		f.fate = fate(b[0])
		list, n := binary.Uvarint(b[1:])
		b = b[1+n:]
		record, n := binary.Uvarint(b)
		b = b[n:]
		ref, n = binary.Uvarint(b)
		if bytes.Equal(b[n:], key) {
			f.list, f.record = uint32(list), int64(record)
			return f, true, nil
		}
	}
	return f, false, nil
}

// put notes the first record of a key.
func (d *dups) put(at int, key []byte, f firstSeen) error {
	if d.first == nil {
		d.first = d.pool.hashes(len(d.hashes))[:len(d.hashes)]
	}
	b := append(d.entry[:0], byte(f.fate))
	b = binary.AppendUvarint(b, uint64(f.list))
	b = binary.AppendUvarint(b, uint64(f.record))
	b = binary.AppendUvarint(b, d.first[at])
	d.entry = append(b, key...)
	ref, err := d.keys.put(d.entry)
	if err != nil {
		return err
	}
	d.first[at] = uint64(ref) + 1
	return nil
}

// close gives back what dups holds.
func (d *dups) close() {
	d.hashes, d.first = nil, nil
	d.keys.close()
	d.pool.free()
}

// filter is a blocked Bloom filter of hashes: it may say yes to a hash that was
// not added (about 1 in 100), never no to one that was. A block is the 64 bytes
// that the processor fetches at once. Blocks follow each other in the order of
// the hashes' top bits, so that filling it part by part stays in the cache.
type filter struct {
	blocks [][8]atomic.Uint64
	pool   pool
}

func newFilter(n int64) *filter {
	f := &filter{}
	blocks := int(max(1, (n*10+511)/512))
	f.blocks = unsafe.Slice((*[8]atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(f.pool.alloc(64*blocks)))), blocks)
	return f
}

// free gives the memory of the filter back. f may be nil.
func (f *filter) free() {
	if f != nil {
		f.blocks = nil
		f.pool.free()
	}
}

// place returns the block of h.
func (f *filter) place(h uint64) *[8]atomic.Uint64 {
	hi, _ := bits.Mul64(h, uint64(len(f.blocks)))
	return &f.blocks[hi]
}

// add may be called from several goroutines.
func (f *filter) add(h uint64) {
	b := f.place(h)
	x := h * 0x9e3779b97f4a7c15 // the top bits have chosen the block
	for range 6 {
		w, bit := &b[x>>61], uint64(1)<<(x>>55&63)
		if w.Load()&bit == 0 {
			w.Or(bit)
		}
		x = x<<9 | x>>55
	}
}

func (f *filter) has(h uint64) bool {
	b := f.place(h)
	x := h * 0x9e3779b97f4a7c15
	for range 6 {
		if b[x>>61].Load()&(1<<(x>>55&63)) == 0 {
			return false
		}
		x = x<<9 | x>>55
	}
	return true
}

// arena keeps byte strings, up to limit bytes in memory, the rest in a file.
// The zero value keeps all of them in memory.
type arena struct {
	slabs [][]byte
	pool  pool
	held  int64
	limit int64 // 0: none
	spill *spillFile
	wbuf  []byte
	wbase int64 // offset in the file of wbuf
}

const (
	arenaSlab   = 1 << 18
	arenaOnDisk = int64(1) << 62
)

// put copies b and returns where it is.
func (a *arena) put(b []byte) (int64, error) {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(b)))
	need := n + len(b)
	k := len(a.slabs) - 1
	if k < 0 || cap(a.slabs[k])-len(a.slabs[k]) < need {
		if a.limit > 0 && a.held >= a.limit && a.spill != nil {
			ref := arenaOnDisk | (a.wbase + int64(len(a.wbuf)))
			a.wbuf = append(append(a.wbuf, head[:n]...), b...)
			if len(a.wbuf) >= arenaSlab {
				if _, err := a.spill.append(a.wbuf); err != nil {
					return 0, err
				}
				a.wbase += int64(len(a.wbuf))
				a.wbuf = a.wbuf[:0]
			}
			return ref, nil
		}
		size := max(need, arenaSlab)
		a.slabs = append(a.slabs, a.pool.alloc(size)[:0])
		a.held += int64(size)
		k++
	}
	s := a.slabs[k]
	ref := int64(k)<<32 | int64(len(s))
	a.slabs[k] = append(append(s, head[:n]...), b...)
	return ref, nil
}

// get returns what put kept at ref: a part of the arena, or of the file in buf.
func (a *arena) get(ref int64, buf *[]byte) ([]byte, error) {
	if ref&arenaOnDisk == 0 {
		s := a.slabs[ref>>32][ref&0xffffffff:]
		n, k := binary.Uvarint(s)
		return s[k : k+int(n)], nil
	}
	off := ref &^ arenaOnDisk
	if off >= a.wbase {
		s := a.wbuf[off-a.wbase:]
		n, k := binary.Uvarint(s)
		*buf = append((*buf)[:0], s[k:k+int(n)]...)
		return *buf, nil
	}
	var head [512]byte
	got, err := a.spill.readSome(head[:], off)
	if err != nil {
		return nil, err
	}
	n, k := binary.Uvarint(head[:got])
	if k <= 0 {
		return nil, fmt.Errorf("a temporary file of this run was damaged")
	}
	if k+int(n) <= got {
		*buf = append((*buf)[:0], head[k:k+int(n)]...)
		return *buf, nil
	}
	*buf = slices.Grow((*buf)[:0], int(n))[:n]
	return *buf, a.spill.read(*buf, off+int64(k))
}

// close gives back the arena's memory and file.
func (a *arena) close() {
	a.slabs = nil
	a.pool.free()
	if a.spill != nil {
		a.spill.close() // the folder it lies in is removed in any case
	}
}

// spillFile is a private temporary file that only this process can see; it is
// created when it is first needed.
type spillFile struct {
	dir  string
	mu   sync.Mutex
	f    *os.File
	size int64
}

func (s *spillFile) append(b []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		f, err := os.CreateTemp(s.dir, "spill-*")
		if err != nil {
			return 0, err
		}
		s.f = f
	}
	off := s.size
	if _, err := s.f.WriteAt(b, off); err != nil {
		return 0, fmt.Errorf("writing a temporary file in %s: %w", filepath.Dir(filepath.Dir(s.f.Name())), err)
	}
	s.size += int64(len(b))
	return off, nil
}

func (s *spillFile) read(b []byte, off int64) error {
	_, err := s.f.ReadAt(b, off)
	return err
}

// readSome reads up to len(b) bytes.
func (s *spillFile) readSome(b []byte, off int64) (int, error) {
	b = b[:min(int64(len(b)), s.size-off)]
	return s.f.ReadAt(b, off)
}

// close removes the file. It may be called twice.
func (s *spillFile) close() error {
	if s.f == nil {
		return nil
	}
	name := s.f.Name()
	err := s.f.Close()
	s.f = nil
	if rerr := os.Remove(name); err == nil {
		err = rerr
	}
	return err
}
