// Package known holds what is known before row one is judged: of the addresses of
// the list, by the user's own lists and the columns of the list itself, and by
// earlier mail; of its domains, by their names and by the DNS.
//
// It is filled while the lists are read for the first time and between the two
// readings, and only read in the second. It keeps what speaks of the list, not
// what the sources hold: how long those are does not matter.
package known

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
)

// Options say how to hold what is known.
type Options struct {
	Fold   bool   // spellings that one provider delivers to one mailbox are one person
	Secret []byte // of keyed hashes (HMAC-SHA-256) in the user's lists
	Memory int64  // bytes of texts that may be held, once for each of three tables; what is over is on disk
	Temp   string // a private folder
}

// Known is what is known.
type Known struct {
	Domains *Domains

	opt     Options
	seed    maphash.Seed
	facts   *keyset.Table
	log     *keyset.Log
	texts   texts
	sources []string // of what the user says; a fact names one by index + 1
	digests []digest
	matched map[uint32]*atomic.Int64 // by source: addresses of the list with one of its hashes
	hashed  []lookup
}

// New returns a Known of the domains, which knows nothing else yet.
func New(domains *Domains, opt Options) *Known {
	return &Known{
		Domains: domains, opt: opt, seed: maphash.MakeSeed(), matched: map[uint32]*atomic.Int64{},
		facts: keyset.NewTable(opt.Memory, opt.Temp), log: keyset.NewLog(opt.Memory, opt.Temp),
	}
}

// Close gives back what k holds in memory and on disk.
func (k *Known) Close() {
	k.facts.Close()
	k.log.Close()
	for i := range k.digests {
		k.digests[i].filter.Close()
	}
}

// Mark adds the keys of which anything is known to a filter.
func (k *Known) Mark(f *keyset.Filter) { k.facts.AddTo(f) }

// Marks is how many keys Mark adds, at most.
func (k *Known) Marks() int64 { return int64(k.facts.Len()) }

// Key appends to dst the key by which an address is compared: what has one key
// is one person.
func (k *Known) Key(dst []byte, a *validate.Address) []byte {
	return k.identity(a.AppendKey(dst))
}

// identity makes of the key of an address the one by which it is compared. It
// changes key.
func (k *Known) identity(key []byte) []byte {
	if k.opt.Fold {
		return foldProvider(key)
	}
	return key
}

// Hash returns the hash of a key. It is odd: 0 can mark a free slot.
func (k *Known) Hash(key []byte) uint64 { return maphash.Bytes(k.seed, key) | 1 }

// Source returns what a source is called.
func (k *Known) Source(number uint32) string { return k.sources[number-1] }

// source returns the number of a source of what the user says, from 1.
func (k *Known) source(name string) uint32 {
	k.sources = append(k.sources, name)
	return uint32(len(k.sources))
}

// said names the sources of f.
func (k *Known) said(f fact) (s Said) {
	if f.allow != 0 {
		s.Allow, s.Source = true, k.sources[f.allow-1]
	}
	if f.block != NoBlock {
		s.Block, s.Source = f.block, k.sources[f.source-1]
	}
	return s
}

// putBlock notes a block of a key. The same again, which is usual in suppression
// lists, is not kept.
func (k *Known) putBlock(h uint64, key []byte, b Block, source uint32) error {
	return k.facts.Put(h, key, binary.AppendUvarint([]byte{noteBlock, byte(b)}, uint64(source)), func(have []byte) bool {
		var f fact
		f.merge(have)
		return f.block != NoBlock && (f.block < b || f.block == b && f.source <= source)
	})
}

func (k *Known) putAllow(h uint64, key []byte, source uint32) error {
	return k.facts.Put(h, key, binary.AppendUvarint([]byte{noteAllow}, uint64(source)), func(have []byte) bool {
		var f fact
		f.merge(have)
		return f.allow != 0 && f.allow <= source
	})
}

// Columns makes the status columns of a list sources, by what they are called.
// The first of them has the number that is returned, the next follow. The lists are
// numbered in their order, so that nothing depends on which worker came first.
func (k *Known) Columns(names []string) (first uint32) {
	first = uint32(len(k.sources)) + 1
	for _, name := range names {
		k.source(name)
	}
	return first
}

// LogBlock notes that a record with this address is blocked by a status column.
// It may be called from several goroutines.
func (k *Known) LogBlock(h uint64, key []byte, b Block, source uint32) error {
	var space [64]byte
	e := append(binary.LittleEndian.AppendUint64(space[:0], h), byte(b))
	e = binary.AppendUvarint(e, uint64(source))
	return k.log.Add(append(e, key...))
}

// SettleLog makes facts of what was logged of addresses that occur in other
// records too: those must be blocked as well. It empties the log.
func (k *Known) SettleLog(twice func(h uint64) bool) error {
	err := k.log.Each(func(e []byte) error {
		h := binary.LittleEndian.Uint64(e)
		source, n := binary.Uvarint(e[9:])
		if !twice(h) {
			return nil
		}
		return k.putBlock(h, e[9+n:], Block(e[8]), uint32(source))
	})
	k.log.Close()
	return err
}

// lookup is a source that knows addresses by a keyed hash alone.
type lookup func(key string) (bounceimport.Record, bool)
