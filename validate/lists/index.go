package lists

import (
	"fmt"
	"io"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Kind says which list a domain is on.
type Kind uint8

// The kinds of lists, in order of precedence: a domain that is on several
// counts as what the first of them says.
const (
	none       Kind = iota
	Provider        // providers.txt: mailbox providers and access providers
	Alias           // aliases.txt: privacy aliases and relays
	Disposable      // disposable.txt
	Free            // free.txt: further domains that give mailboxes away
	known           // known.txt: real domains that look like a slip of the hand
)

// A List is text as it lies in a file: a head of # lines ("# name: value"), then
// one entry a line, sorted, key and columns parted by tabs. Nothing is parsed
// until an entry is asked for.
type List struct {
	Name string
	Path string // of a user's own list; "": embedded

	kind  Kind
	text  string
	body  int    // where the entries begin
	base  int    // offset of text in all texts of its index
	label string // see Label
}

// Label names the list and its date, for evidence: "disposable, 2026-05-13".
func (l *List) Label() string { return l.label }

// Head returns the values of a name in the head of the list: source, licence, date …
func (l *List) Head(name string) (values []string) {
	for rest := l.text; strings.HasPrefix(rest, "#"); {
		line, after, _ := strings.Cut(rest, "\n")
		if v, ok := strings.CutPrefix(line, "# "+name+": "); ok {
			values = append(values, strings.TrimSpace(v))
		}
		rest = after
	}
	return values
}

// Date returns the date in the head of the list: that of its oldest source. It
// is zero when there is none.
func (l *List) Date() time.Time {
	for _, v := range l.Head("date") {
		if t, err := time.Parse(time.DateOnly, v); err == nil {
			return t
		}
	}
	return time.Time{}
}

// WriteTo writes the list as it is.
func (l *List) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, l.text)
	return int64(n), err
}

// Len returns the number of entries.
func (l *List) Len() (n int) {
	l.each(func(int, string) { n++ })
	return n
}

// An index finds entries in the lists it covers. The first few keys are looked for
// in the sorted texts as they are: for one address that is all there is to do. Then
// it pays to make a table: open-addressed, of 32-bit slots, of which the low 24 bits
// are the offset of an entry in the joined texts plus one, the high 8 bits are bits
// of its key's hash, so that looking for what is on no list seldom touches the text.
type index struct {
	lists []List
	asked atomic.Int32 // keys looked for without a table
	once  sync.Once
	slots atomic.Pointer[[]uint32] // a power of two of them
}

const (
	maxText  = 1<<24 - 1
	tablePay = 1000 // keys that cost more to look for than the table to make
)

// newIndex returns an index of sorted lists.
func newIndex(lists ...List) *index {
	base := 0
	for i := range lists {
		l := &lists[i]
		l.base = base
		base += len(l.text)
		for strings.HasPrefix(l.text[l.body:], "#") {
			l.body += strings.IndexByte(l.text[l.body:], '\n') + 1
		}
		l.label = l.Name
		if _, date, ok := strings.Cut(l.text[:min(len(l.text), 1000)], "\n# date: "); ok {
			l.label += ", " + date[:min(len(date), len(time.DateOnly))]
		}
	}
	return &index{lists: lists}
}

// hash mixes a key eight octets at a time.
func hash(s string) uint64 {
	const k0, k1 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(s)) * k0
	for len(s) >= 8 {
		h = mix(h^le64(s), k1)
		s = s[8:]
	}
	var tail uint64
	for i := 0; i < len(s); i++ {
		tail = tail<<8 | uint64(s[i])
	}
	return mix(h^tail, k0)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// find returns the list that has key and the offset of its entry there.
func (x *index) find(key string) (*List, int) {
	p := x.slots.Load()
	if p == nil {
		if x.asked.Add(1) < tablePay {
			return x.search(key)
		}
		x.once.Do(func() { x.build() }) // what is embedded is not too long
		p = x.slots.Load()
	}
	slots := *p
	h := hash(key)
	tag := uint32(h>>56) << 24
	for i := uint32(h) & uint32(len(slots)-1); ; i = (i + 1) & uint32(len(slots)-1) {
		v := slots[i]
		if v == 0 {
			return nil, 0
		}
		if v&^maxText != tag {
			continue
		}
		if l, off := x.at(int(v&maxText) - 1); l.hasKey(off, key) {
			return l, off
		}
	}
}

// search is find without the table.
func (x *index) search(key string) (*List, int) {
	for i := range x.lists {
		if off, ok := x.lists[i].search(key); ok {
			return &x.lists[i], off
		}
	}
	return nil, 0
}

// search finds the entry of a key in a sorted list.
func (l *List) search(key string) (off int, ok bool) {
	lo, hi := l.body, len(l.text)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		start := lo + strings.LastIndexByte(l.text[lo:mid], '\n') + 1
		line, _, _ := strings.Cut(l.text[start:hi], "\n")
		have, _, _ := strings.Cut(line, "\t")
		switch {
		case have == key:
			return start, true
		case have < key:
			lo = start + len(line) + 1
		default:
			hi = start
		}
	}
	return 0, false
}

// at returns the list at an offset of the joined texts, and the offset there.
func (x *index) at(off int) (*List, int) {
	for i := len(x.lists) - 1; ; i-- {
		if l := &x.lists[i]; off >= l.base {
			return l, off - l.base
		}
	}
}

// hasKey reports whether key is all of the key of the entry at off.
func (l *List) hasKey(off int, key string) bool {
	end := off + len(key)
	return end < len(l.text) && l.text[off:end] == key && (l.text[end] == '\t' || l.text[end] == '\n')
}

// columns returns the columns behind the key, of n octets, of the entry at off.
func (l *List) columns(off, n int) (first, rest string) {
	line := l.text[off+n:]
	if line[0] == '\n' {
		return "", ""
	}
	line = line[1:]
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\n':
			return line[:i], ""
		case '\t':
			return line[:i], line[i+1 : i+1+strings.IndexByte(line[i+1:], '\n')]
		}
	}
	return line, ""
}

// each calls f with the offset and the key of every entry.
func (l *List) each(f func(off int, key string)) {
	for off := 0; off < len(l.text); {
		n := strings.IndexByte(l.text[off:], '\n')
		if n < 0 {
			return
		}
		line := l.text[off : off+n]
		if line != "" && line[0] != '#' {
			key, _, _ := strings.Cut(line, "\t")
			f(off, key)
		}
		off += n + 1
	}
}

// build makes the table. Of entries with the same key the first counts.
func (x *index) build() error {
	total, entries := 0, 0
	for i := range x.lists {
		l := &x.lists[i]
		if l.text != "" && l.text[len(l.text)-1] != '\n' {
			return fmt.Errorf("list %s: the last line has no end", l.Name)
		}
		total += len(l.text)
		l.each(func(int, string) { entries++ })
	}
	if total > maxText {
		return fmt.Errorf("the lists are together %d octets long, at most %d can be searched", total, maxText)
	}
	size := uint32(8)
	for int(size) < 2*entries {
		size *= 2
	}
	slots := make([]uint32, size)
	for i := range x.lists {
		l := &x.lists[i]
		l.each(func(off int, key string) {
			h := hash(key)
			tag := uint32(h>>56) << 24
			for j := uint32(h) & (size - 1); ; j = (j + 1) & (size - 1) {
				v := slots[j]
				if v == 0 {
					slots[j] = tag | uint32(l.base+off+1)
					return
				}
				if v&^maxText == tag {
					if o, at := x.at(int(v&maxText) - 1); o.hasKey(at, key) {
						return
					}
				}
			}
		})
	}
	x.slots.Store(&slots)
	return nil
}
