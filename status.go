package winnow

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/winnow-email/winnow/internal/csvrows"
)

// logStatus notes the addresses of records that a status column blocks.
func (r *run) logStatus(p *cellParser, c *csvrows.Chunk, l *list, i0, i1 int, buf *[]byte) error {
	for i := i0; i < i1; i++ {
		if p.from[i-i0] == p.from[i-i0+1] {
			continue
		}
		block, column := l.blocked(c, i, buf)
		if block == noBlock {
			continue
		}
		for k := p.from[i-i0]; k < p.from[i-i0+1]; k++ {
			if x := &p.list[k]; x.err == nil {
				if err := r.log.add(x.hash, p.identity(x), block, l, column); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// blocked returns what the status columns of the exporting ESP say of record i,
// and the place in Status of the column that says it.
func (l *list) blocked(c *csvrows.Chunk, i int, buf *[]byte) (blockKind, int) {
	best, at := noBlock, 0
	if l.Whole != "" { // a file of people who must not be mailed
		best, at = blockOf(l.Whole), len(l.Status)
	}
	for k := range l.Status {
		st := &l.Status[k]
		kind := st.Hit(c.Cell(i, st.Column, *buf))
		if kind == "" {
			continue
		}
		if b := blockOf(kind); best == noBlock || b < best {
			best, at = b, k
		}
	}
	return best, at
}

func blockOf(kind string) blockKind {
	switch kind {
	case csvrows.KindComplaint:
		return blockComplained
	case csvrows.KindUnsubscribe:
		return blockUnsubscribed
	case csvrows.KindBounce:
		return blockBounced
	}
	return blockBlocked
}

// statusLog keeps the addresses of records that a status column blocks, until
// it is known which of them occur in other records too: those must be blocked
// as well.
type statusLog struct {
	mu   sync.Mutex
	keys arena
	refs []int64
}

func (s *statusLog) add(h uint64, key []byte, k blockKind, l *list, column int) error {
	var b [32]byte
	e := binary.LittleEndian.AppendUint64(b[:0], h)
	e = append(e, byte(k))
	e = binary.AppendUvarint(e, uint64(l.index))
	e = binary.AppendUvarint(e, uint64(column))
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, err := s.keys.put(append(e, key...))
	if err != nil {
		return err
	}
	s.refs = append(s.refs, ref)
	return nil
}

// replay tells r.facts of the addresses in the log that occur more than once.
func (s *statusLog) replay(r *run) error {
	if len(s.refs) == 0 {
		return nil
	}
	// Sources are numbered by list and column, so that they do not depend on the
	// order in which the workers came.
	at := make([]uint16, len(r.lists))
	for i, l := range r.lists {
		at[i] = uint16(len(r.sources))
		for k := range len(l.Status) + 1 {
			r.sources = append(r.sources, l.statusSource(k))
		}
	}
	var buf []byte
	for _, ref := range s.refs {
		b, err := s.keys.get(ref, &buf)
		if err != nil {
			return err
		}
		h := binary.LittleEndian.Uint64(b)
		k := blockKind(b[8])
		b = b[9:]
		list, n := binary.Uvarint(b)
		b = b[n:]
		column, n := binary.Uvarint(b)
		b = b[n:]
		if r.dups.find(h) >= 0 {
			if err := r.facts.putUser(h, b, k, at[list]+uint16(column)+1, false); err != nil {
				return err
			}
		}
	}
	s.refs = nil
	s.keys.close()
	return nil
}

// statusSource names what blocked says.
func (l *list) statusSource(at int) string {
	if at == len(l.Status) {
		return filepath.Base(l.Name)
	}
	return fmt.Sprintf("column %q of %s", l.Status[at].Name, filepath.Base(l.Name))
}

// hasStatus reports whether blocked can say anything.
func (l *list) hasStatus() bool { return len(l.Status) > 0 || l.Whole != "" }
