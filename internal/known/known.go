// Package known holds what is known before row one is judged: of the addresses of
// the list, by the user's own lists and the columns of the list itself, and by
// earlier mail; of its domains, by their names and by the DNS.
//
// It is filled while the lists are read for the first time and between the two
// readings, and only read in the second. It keeps what speaks of the list, not
// what the sources hold: how long those are does not matter.
package known

import (
	"bytes"
	"hash/maphash"
	"unsafe"

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
	listOf  map[uint32]*List // of a source
	hashed  []lookup
}

// New returns a Known of the domains, which knows nothing else yet.
func New(domains *Domains, opt Options) *Known {
	return &Known{
		Domains: domains, opt: opt, seed: maphash.MakeSeed(), listOf: map[uint32]*List{},
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

// foldProvider folds a key at a provider that is known to deliver several
// spellings to one mailbox: Gmail ignores dots and what follows a plus sign
// (support.google.com/mail/answer/7436150). Domains hosted at Google follow
// rules of their own and are not folded.
func foldProvider(key []byte) []byte {
	at := bytes.LastIndexByte(key, '@')
	if at <= 0 || key[0] == '"' {
		return key
	}
	if d := string(key[at+1:]); d != "gmail.com" && d != "googlemail.com" {
		return key
	}
	n := 0
	for _, c := range key[:at] {
		if c == '+' && n > 0 {
			break
		}
		if c != '.' {
			key[n] = c
			n++
		}
	}
	return append(key[:n], "@gmail.com"...)
}

// Source returns what a source is called.
func (k *Known) Source(number uint32) string { return k.sources[number-1] }

// source returns the number of a source of what the user says, from 1.
func (k *Known) source(name string) uint32 {
	k.sources = append(k.sources, name)
	return uint32(len(k.sources))
}

// stringOf returns b as a string without copying it. b must not change while the
// string is in use.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
