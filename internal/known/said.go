package known

import (
	"encoding/binary"
)

// Block is why the user does not want an address mailed. The lowest that is not
// NoBlock is the one that is told.
type Block uint8

// The blocks.
const (
	NoBlock Block = iota
	Complained
	Unsubscribed
	Suppressed
	Blocked
	Bounced
)

// Said is what the user says of an address.
type Said struct {
	Block  Block
	Allow  bool
	Source string // where it stands: of the block, or else of the allowance
}

// fact is what the user's lists say; sources are numbered from 1 in the order in
// which they were named, 0: none.
type fact struct {
	block  Block
	source uint32 // of block
	allow  uint32 // source
}

// addBlock merges a block into f.
func (f *fact) addBlock(b Block, source uint32) {
	if f.block == NoBlock || b < f.block || b == f.block && source < f.source {
		f.block, f.source = b, source
	}
}

// addAllow merges an allowance into f.
func (f *fact) addAllow(source uint32) {
	if f.allow == 0 || source < f.allow {
		f.allow = source
	}
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

// The kinds of notes in the table of facts, by their first byte.
const (
	noteBlock  = 'b'
	noteAllow  = 'a'
	noteRecord = 'r'
)

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

// merge merges a note into f, if it is of a kind that says something of the user.
func (f *fact) merge(note []byte) {
	switch note[0] {
	case noteBlock:
		source, _ := binary.Uvarint(note[2:])
		f.addBlock(Block(note[1]), uint32(source))
	case noteAllow:
		source, _ := binary.Uvarint(note[1:])
		f.addAllow(uint32(source))
	}
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
