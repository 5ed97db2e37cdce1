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

// The kinds of notes in the table of facts, by their first byte.
const (
	noteBlock  = 'b'
	noteAllow  = 'a'
	noteRecord = 'r'
)

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
