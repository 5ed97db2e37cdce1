package history

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// row is a row of the table event, or what adds to one.
type row struct {
	key         string
	category    string
	action      bounceimport.Action
	day         int64
	first, last int64 // seconds since 1970, 0: not known
	soft        bool
	provider    string
	reply       string
	rule        string
	source      string
	code        int64
	status      string
	phase       string
	remote      string
	hint        string
	whole       bool
}

// compare orders rows as the table does.
func (r *row) compare(o *row) int {
	if c := strings.Compare(r.key, o.key); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(r.category, o.category), cmp.Compare(r.action, o.action), cmp.Compare(r.day, o.day))
}

// merge adds o, a row of the same key, category, action and day. It is a join
// of a semilattice (associative, commutative, idempotent): that is why the order
// and the number of imports do not show.
func (r *row) merge(o *row) {
	if o.first != 0 && (r.first == 0 || o.first < r.first) {
		r.first = o.first
	}
	r.soft = r.soft && o.soft
	if cmp.Or(cmp.Compare(o.last, r.last), cmp.Compare(o.reply, r.reply), cmp.Compare(o.source, r.source),
		cmp.Compare(o.rule, r.rule), cmp.Compare(o.provider, r.provider), cmp.Compare(o.code, r.code), cmp.Compare(o.status, r.status),
		cmp.Compare(o.phase, r.phase), cmp.Compare(o.remote, r.remote), cmp.Compare(o.hint, r.hint), cmp.Compare(bit(o.whole), bit(r.whole))) > 0 {
		first, soft := r.first, r.soft
		*r = *o
		r.first, r.soft = first, soft
	}
}

// castagnoli is the polynomial of the checksums: processors compute it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sums are the checksums that stand in a row: sum is that of the key (the upper
// half) and of the columns that decide, which are read in every run; rest that of
// what is kept to judge the reply again.
func (r *row) sums(buf []byte) (sum, rest int64, _ []byte) {
	buf = append(buf[:0], r.key...)
	key := crc32.Checksum(buf, castagnoli)
	buf = r.deciding(buf[:0])
	sum = int64(uint64(key)<<32 | uint64(crc32.Checksum(buf, castagnoli)))
	buf = buf[:0]
	for _, v := range [...]string{r.provider, r.status, r.phase, r.remote, r.hint} {
		buf = appendWord(buf, v)
	}
	buf = append(binary.AppendVarint(binary.AppendVarint(buf, r.day), r.code), bit(r.soft), bit(r.whole))
	return sum, int64(crc32.Checksum(buf, castagnoli)), buf
}

// deciding appends the columns of the lower half of sum. Whether replies were
// temporary decides only where they are counted.
func (r *row) deciding(b []byte) []byte {
	for _, v := range [...]string{r.category, string(r.action), r.reply, r.rule, r.source} {
		b = appendWord(b, v)
	}
	b = binary.AppendVarint(binary.AppendVarint(b, r.first), r.last)
	return append(b, bit(r.soft && r.action == bounceimport.Count))
}

func appendWord(b []byte, v string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// encode appends the row, without its length.
func (r *row) encode(b []byte) []byte {
	for _, v := range [...]string{r.key, r.category, string(r.action), r.provider, r.reply, r.rule, r.source, r.status, r.phase, r.remote, r.hint} {
		b = appendWord(b, v)
	}
	for _, v := range [...]int64{r.day, r.first, r.last, r.code} {
		b = binary.AppendVarint(b, v)
	}
	return append(b, bit(r.soft)|bit(r.whole)<<1)
}

// decode is the inverse of encode. Words that come up again and again are taken
// from one table.
func (r *row) decode(b []byte, shared map[string]string) error {
	word := func() []byte {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			b = nil
			return nil
		}
		w := b[k : k+int(n)]
		b = b[k+int(n):]
		return w
	}
	share := func() string {
		w := word()
		s, ok := shared[string(w)]
		if !ok {
			s = string(w)
			if len(shared) < 1<<16 {
				shared[s] = s
			}
		}
		return s
	}
	number := func() int64 {
		n, k := binary.Varint(b)
		if k <= 0 {
			b = nil
			return 0
		}
		b = b[k:]
		return n
	}
	r.key = string(word())
	r.category, r.action, r.provider = share(), bounceimport.Action(share()), share()
	r.reply = string(word())
	r.rule = share()
	r.source = string(word())
	r.status, r.phase, r.remote, r.hint = share(), share(), share(), share()
	r.day, r.first, r.last, r.code = number(), number(), number(), number()
	if len(b) != 1 {
		return errors.New("temporary file of the import: damaged")
	}
	r.soft, r.whole = b[0]&1 != 0, b[0]&2 != 0
	return nil
}

// Days that are none.
const (
	noDay     = -1 // the source gave no time
	singleDay = 0  // proof of life: only the last one counts, so one row holds them all
)

func dayOf(t int64, a bounceimport.Action) int64 {
	switch {
	case a == bounceimport.Clear:
		return singleDay
	case t == 0:
		return noDay
	case t < 0: // before 1970: a broken clock, but not no time
		return noDay
	}
	return t / 86400
}
