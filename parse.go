package winnow

import (
	"hash/maphash"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/validate"
)

// blockSize is how many records a worker takes at a time. What costs most in a
// row are the places of big tables that are not in the processor's cache; they
// are fetched for a block of records at once, so that the waits overlap.
const blockSize = 128

// parsed is one address of a record.
type parsed struct {
	addr  validate.Address
	err   error             // not nil: it is none
	fix   *validate.Address // accepted, already in addr
	hash  uint64            // of its identity
	dhash uint64            // of its domain
	slot  *domainSlot
	dom   *domain // nil: not seen before
}

// cellParser takes the address cells of a block of records apart. Both passes do.
type cellParser struct {
	r     *run
	cells []byte // of cells that had to be unquoted
	text  [blockSize][]byte
	from  [blockSize + 1]int32 // where the addresses of a record begin
	addrs []validate.CellAddress
	list  []parsed // of addrs
	key   []byte
	sink  uint64
}

func newParser(r *run) cellParser { return cellParser{r: r, cells: make([]byte, 0, 1<<15)} }

// block parses records i0 up to i1. What it finds is valid until the next call.
func (p *cellParser) block(c *csvrows.Chunk, l *list, i0, i1 int) {
	r := p.r
	p.cells, p.addrs, p.list = p.cells[:0], p.addrs[:0], p.list[:0]
	for i := i0; i < i1; i++ {
		p.from[i-i0] = int32(len(p.addrs))
		p.text[i-i0] = nil
		if c.Problem(i) != "" {
			continue
		}
		n := len(p.cells)
		text := c.Cell(i, l.Column, p.cells[n:])
		if len(text) > 0 && cap(p.cells) > n && &text[0] == &p.cells[:n+1][n] {
			p.cells = p.cells[:n+len(text)]
		}
		p.text[i-i0] = text
		p.addrs = validate.ParseCell(p.addrs, stringOf(text))
		for k := len(p.list); k < len(p.addrs); k++ {
			p.list = append(p.list, parsed{})
			x := &p.list[k]
			x.addr, x.err = validate.ParseAddress(p.addrs[k].Address)
			if r.fixes.m != nil {
				if x.fix = r.fixes.of(p.addrs[k].Address, x.addr, x.err); x.fix != nil {
					x.addr, x.err = *x.fix, nil
				}
			}
			if x.err != nil {
				continue
			}
			x.hash = r.hash(p.identity(x))
			x.dhash = maphash.String(r.domains.seed, x.addr.Domain) | 1
		}
	}
	p.from[i1-i0] = int32(len(p.addrs))

	// First all slots are asked for, then all domains: each loop has many loads
	// that do not wait for each other.
	slots := *r.domains.slots.Load()
	mask := uint64(len(slots) - 1)
	for k := range p.list {
		x := &p.list[k]
		x.slot = &slots[x.dhash>>1&mask]
		p.sink += x.slot.hash.Load()
	}
	for k := range p.list {
		x := &p.list[k]
		if x.dom = x.slot.dom.Load(); x.dom != nil {
			p.sink += uint64(len(x.dom.name))
		}
	}
	for k := range p.list {
		x := &p.list[k]
		if x.err == nil && (x.dom == nil || x.dom.name != x.addr.Domain) {
			x.dom, _ = r.domains.look(x.addr.Domain, x.dhash)
		}
	}
}

// identity returns the key under which an address is compared. It is valid
// until the next call.
func (p *cellParser) identity(x *parsed) []byte {
	p.key = p.r.identity(x.addr.AppendKey(p.key[:0]))
	return p.key
}
