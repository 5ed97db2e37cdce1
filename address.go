package winnow

import (
	"unsafe"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/validate"
)

// blockSize is how many records a worker takes at a time. What costs most in a
// row are the places of big tables that are not in the processor's cache; they
// are fetched for a block of records at once, so that the waits overlap.
const blockSize = 128

// parsed is one address of a record.
type parsed struct {
	addr validate.Address
	err  error             // not nil: it is none
	fix  *validate.Address // accepted, already in addr
	hash uint64            // of its key
	dom  *known.Domain     // nil: not met before
}

// parser takes the address cells of a block of records apart. Both readings of
// the lists do.
type parser struct {
	known *known.Known
	fixes *fixTable
	cells []byte // of cells that had to be unquoted
	text  [blockSize][]byte
	from  [blockSize + 1]int32 // where the addresses of a record begin
	addrs []validate.CellAddress
	list  []parsed    // of addrs
	refs  []known.Ref // of list
	key   []byte
	sink  uint64
}

func newParser(k *known.Known, fixes *fixTable) *parser {
	return &parser{known: k, fixes: fixes, cells: make([]byte, 0, 1<<15)}
}

// block parses records i0 up to i1, whose address is in a column. What it finds is
// valid until the next call.
func (p *parser) block(c *csvrows.Chunk, column, i0, i1 int) {
	p.cells, p.addrs, p.list, p.refs = p.cells[:0], p.addrs[:0], p.list[:0], p.refs[:0]
	for i := i0; i < i1; i++ {
		p.from[i-i0] = int32(len(p.addrs))
		p.text[i-i0] = nil
		if c.Problem(i) != "" {
			continue
		}
		n := len(p.cells)
		text := c.Cell(i, column, p.cells[n:])
		if len(text) > 0 && cap(p.cells) > n && &text[0] == &p.cells[:n+1][n] {
			p.cells = p.cells[:n+len(text)]
		}
		p.text[i-i0] = text
		p.addrs = validate.ParseCell(p.addrs, stringOf(text))
		for k := len(p.list); k < len(p.addrs); k++ {
			p.list = append(p.list, parsed{})
			p.refs = append(p.refs, known.Ref{})
			x := &p.list[k]
			x.addr, x.err = validate.ParseAddress(p.addrs[k].Address)
			if p.fixes.m != nil {
				if x.fix = p.fixes.of(p.addrs[k].Address, x.addr, x.err); x.fix != nil {
					x.addr, x.err = *x.fix, nil
				}
			}
			if x.err != nil {
				continue // it has no domain
			}
			x.hash = p.known.Hash(p.keyOf(&x.addr))
			p.refs[k] = p.known.Domains.Ref(x.addr.Domain)
		}
	}
	p.from[i1-i0] = int32(len(p.addrs))
	p.sink += p.known.Domains.Fetch(p.refs)
	for k := range p.list {
		p.list[k].dom = p.refs[k].Domain
	}
}

// keyOf returns the key under which an address is compared. It is valid until the
// next call.
func (p *parser) keyOf(a *validate.Address) []byte {
	p.key = p.known.Key(p.key[:0], a)
	return p.key
}

// stringOf returns b as a string without copying it. b must not change while
// the string is in use: the strings of a chunk live as long as its records are
// being judged, and what is kept longer is cloned.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
