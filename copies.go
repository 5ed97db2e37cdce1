package winnow

import (
	"encoding/binary"

	"github.com/winnow-email/winnow/internal/keyset"
)

// copies finds the further copies of an address among the records, which come to
// it in their order.
type copies struct {
	twice *keyset.Twice
	buf   []byte
}

// firstSeen is the first record of an address that occurs more than once.
type firstSeen struct {
	record int64  // in the list
	list   uint32 // which list
	fate   fate   // what became of it
}

func (f firstSeen) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, byte(f.fate)), uint64(f.list))
	return binary.AppendUvarint(b, uint64(f.record))
}

func readFirstSeen(b []byte) (f firstSeen) {
	f.fate = fate(b[0])
	list, n := binary.Uvarint(b[1:])
	record, _ := binary.Uvarint(b[1+n:])
	f.list, f.record = uint32(list), int64(record)
	return f
}

// place decides what becomes of the copies among the rows, the first of which has
// the number first. A record of several addresses is a copy when all of them were
// seen before.
func (c *copies) place(rs *rows, first int64) error {
	var space [24]byte
	for i := 0; i < len(rs.cands); {
		j := i
		at := rs.cands[i].row
		rw := &rs.all[at]
		var before firstSeen
		n := int32(0) // addresses of the cell that were seen before
		for ; j < len(rs.cands) && rs.cands[j].row == at; j++ {
			x := &rs.cands[j]
			note, found, err := c.twice.Get(int(x.at), rs.keys[x.from:x.to], &c.buf)
			if err != nil {
				return err
			}
			if x.seen = found; found {
				if f := readFirstSeen(note); n == 0 || f.fate > before.fate {
					before = f
				}
				n++
			}
		}
		if n > 0 && n == rw.count {
			rw.first, rw.firstIn = before.record, before.list
			rs.follow(rw, before.fate)
		}
		for k := i; k < j; k++ {
			x := &rs.cands[k]
			if x.seen {
				continue
			}
			f := firstSeen{record: first + int64(at), list: uint32(rs.list), fate: rw.fate}
			if err := c.twice.Put(int(x.at), rs.keys[x.from:x.to], f.append(space[:0])); err != nil {
				return err
			}
		}
		i = j
	}
	return nil
}
