package keyset

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Filter is a blocked Bloom filter of hashes: it may say yes to a hash that was
// not added (about 1 in 100), never no to one that was. A block is the 64 bytes
// that the processor fetches at once. Blocks follow each other in the order of
// the hashes' top bits, so that filling it part by part stays in the cache.
type Filter struct {
	blocks [][8]atomic.Uint64
	pool   pool
}

// NewFilter returns a filter for n hashes.
func NewFilter(n int64) *Filter {
	f := &Filter{}
	blocks := int(max(1, (n*10+511)/512))
	f.blocks = unsafe.Slice((*[8]atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(f.pool.alloc(64*blocks)))), blocks)
	return f
}

// Close gives the memory of the filter back. f may be nil.
func (f *Filter) Close() {
	if f != nil {
		f.blocks = nil
		f.pool.free()
	}
}

// place returns the block of h.
func (f *Filter) place(h uint64) *[8]atomic.Uint64 {
	hi, _ := bits.Mul64(h, uint64(len(f.blocks)))
	return &f.blocks[hi]
}

// Touch reads a word of the block of h, so that the processor has fetched it when
// Has is called. The value means nothing; use it, so that it is read.
func (f *Filter) Touch(h uint64) uint64 { return f.place(h)[0].Load() }

// Add may be called from several goroutines.
func (f *Filter) Add(h uint64) {
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

// Has reports whether h may have been added.
func (f *Filter) Has(h uint64) bool {
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
