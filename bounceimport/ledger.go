package bounceimport

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/winnow-email/winnow/internal/anytime"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// A Ledger holds what the bounce files of one run say, as a Source: one entry a
// key, category and day, in about 150 bytes, with the servers' words compressed.
// The zero value is ready to use. It is not safe for concurrent use while events
// are added.
type Ledger struct {
	keys    map[string]int32 // key -> index into names and heads
	names   []string
	heads   []int32 // first of the days of a key, an index into days
	days    []ledgerDay
	words   interner // categories, rules, providers: some hundreds
	files   interner // names of files: a maildir has as many as mails
	replies replyStore
	keybuf  []byte

	providers Providers

	Events  int64 // events added
	Foreign int64 // events whose recipient is not an address, so that no list can hold it
}

// ledgerDay is a DayEvent in little space.
type ledgerDay struct {
	first, last int64 // Unix milliseconds; noTime: not known
	reply       replyID
	next        int32 // of the same key; 0: none, the days count from 1
	events      int32
	line        int32 // of the source; 0: it names none
	file        uint32
	category    uint16
	rule        uint16
	provider    uint16
	action      uint8
	soft        bool
}

const noTime = math.MinInt64

func millis(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == noTime {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func sameDay(a, b int64) bool {
	if a == noTime || b == noTime {
		return a == b
	}
	const ms = int64(day / time.Millisecond)
	return floorDiv(a, ms) == floorDiv(b, ms)
}

var ledgerActions = [...]Action{"", SuppressNow, Count, Report, Ignore, Clear}

// Add adds an event; it keeps no reference to e. An error means that there are more
// categories, rules and providers than any set of rules has.
func (l *Ledger) Add(e *Event) error {
	a, err := validate.ParseAddress(e.Recipient)
	if err != nil {
		l.Foreign++
		return nil
	}
	l.Events++
	if c := e.AddressCategory(); c != "" {
		l.keybuf = a.AppendKey(l.keybuf[:0])
		l.add(e, c, e.Action)
	}
	if c := e.DomainCategory(); c != "" {
		l.keybuf = append(append(l.keybuf[:0], '@'), a.Domain...)
		action := e.Action
		if c == "delivered" {
			action = Clear
		}
		l.add(e, c, action)
	}
	if len(l.words.list) > math.MaxUint16 {
		return errors.New("more kinds of bounces than can be told apart")
	}
	return nil
}

func (l *Ledger) add(e *Event, category string, action Action) {
	i, ok := l.keys[string(l.keybuf)]
	if !ok {
		if l.keys == nil {
			l.keys = make(map[string]int32)
			l.days = make([]ledgerDay, 1) // 0 ends a chain
		}
		i = int32(len(l.names))
		key := string(l.keybuf)
		l.keys[key] = i
		l.names, l.heads = append(l.names, key), append(l.heads, 0)
	}
	when := millis(e.Time)
	cat, act := uint16(l.words.id(category)), uint8(max(0, slices.Index(ledgerActions[:], action)))
	for j := l.heads[i]; j != 0; j = l.days[j].next {
		d := &l.days[j]
		if d.category != cat || d.action != act || !sameDay(d.last, when) {
			continue
		}
		d.events++
		d.soft = d.soft && e.Soft()
		d.first = min(d.first, when)
		o := Record{Category: category, Last: fromMillis(when), Source: e.Source}
		if c := (Record{Category: category, Last: fromMillis(d.last), Source: l.source(d)}); before(&c, &o) {
			d.last = max(d.last, when)
			l.say(d, e)
		}
		return
	}
	d := ledgerDay{first: when, last: when, next: l.heads[i], events: 1, category: cat, action: act, soft: e.Soft()}
	l.say(&d, e)
	l.heads[i] = int32(len(l.days))
	l.days = append(l.days, d)
}

// say notes the words that stand for a day.
func (l *Ledger) say(d *ledgerDay, e *Event) {
	d.provider = uint16(l.words.id(l.providers.Of(e)))
	d.reply, d.rule = l.replies.put(cutReply(e.Reply)), uint16(l.words.id(e.Rule))
	file, line := e.Source, 0
	if i := strings.LastIndexByte(file, ':'); i >= 0 {
		if n, ok := anytime.Digits(file[i+1:]); ok && n > 0 && file[i+1] != '0' {
			file, line = file[:i], n
		}
	}
	d.file, d.line = uint32(l.files.id(file)), int32(line)
}

func (l *Ledger) source(d *ledgerDay) string {
	if d.line == 0 {
		return l.files.list[d.file]
	}
	return l.files.list[d.file] + ":" + strconv.Itoa(int(d.line))
}

// Incidents returns the windows in which a provider's answers are not believed:
// those that are known, and those that the events themselves show.
func (l *Ledger) Incidents() []Incident {
	var f IncidentFinder
	for i, key := range l.names {
		if key[0] == '@' {
			continue
		}
		for j := l.heads[i]; j != 0; j = l.days[j].next {
			d := &l.days[j]
			f.Add(l.words.list[d.provider], l.words.list[d.category], fromMillis(d.first))
		}
	}
	return slices.Concat(KnownIncidents(), f.Find())
}

// Records implements Source. Keys come in the order in which they were first
// seen. Events in one of the Incidents hold their address for review.
func (l *Ledger) Records(ctx context.Context, now time.Time, want func(key string) bool, yield func(key string, r Record) error) error {
	incidents := l.Incidents()
	var events []DayEvent
	var from []int32
	var words replyReader
	for i, key := range l.names {
		if i&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if want != nil && !want(key) {
			continue
		}
		events, from = events[:0], from[:0]
		for j := l.heads[i]; j != 0; j = l.days[j].next {
			d := &l.days[j]
			events = append(events, DayEvent{Category: l.words.list[d.category], Action: ledgerActions[d.action], Soft: d.soft, Events: int(d.events),
				First: fromMillis(d.first), Last: fromMillis(d.last), Provider: l.words.list[d.provider], Rule: l.words.list[d.rule], Source: l.source(d)})
			from = append(from, j)
		}
		r := FoldIncidents(events, incidents, now)
		if r.Category == "" {
			continue
		}
		for k := range events { // only the words of the deciding day are wanted
			if e := &events[k]; e.Category == r.Category && e.Source == r.Source && e.Last.Equal(r.Last) {
				r.Reply = words.get(&l.replies, l.days[from[k]].reply)
				break
			}
		}
		if err := yield(key, r); err != nil {
			return err
		}
	}
	return nil
}

// interner keeps one copy of strings that come again and again.
type interner struct {
	ids  map[string]int
	list []string
}

func (n *interner) id(s string) int {
	if i, ok := n.ids[s]; ok {
		return i
	}
	if n.ids == nil {
		n.ids = make(map[string]int)
	}
	s = strings.Clone(s)
	n.ids[s] = len(n.list)
	n.list = append(n.list, s)
	return len(n.list) - 1
}

// replyStore keeps replies in compressed blocks: servers say the same things
// over and over, so they come to a tenth of their size.
type replyStore struct {
	blocks [][]byte
	open   []byte // the block that is being filled: each reply after its length
	last   string // the last reply, which often comes again, and where it is
	lastID replyID
	enc    *zstd.Encoder
}

// A replyID is the block's number and the place within it, plus one; 0: no reply.
type replyID uint64

const (
	replyBlock = 64 << 10
	replyShift = 20
)

func (s *replyStore) put(reply string) replyID {
	if reply == "" {
		return 0
	}
	if reply == s.last && s.lastID != 0 {
		return s.lastID
	}
	if len(s.open) > replyBlock {
		if s.enc == nil {
			s.enc, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true)) // fails on bad options only
		}
		s.blocks = append(s.blocks, s.enc.EncodeAll(s.open, nil))
		s.open = s.open[:0]
	}
	id := replyID(len(s.blocks))<<replyShift | replyID(len(s.open)) + 1
	s.open = append(s.open, byte(len(reply)>>8), byte(len(reply)))
	s.open = append(s.open, reply...)
	s.last, s.lastID = strings.Clone(reply), id
	return id
}

// replyReader reads from a replyStore and remembers the block it unpacked last.
type replyReader struct {
	dec   *zstd.Decoder
	block int // its number plus one
	data  []byte
}

func (r *replyReader) get(s *replyStore, id replyID) string {
	if id == 0 {
		return ""
	}
	id--
	n, at := int(id>>replyShift), int(id&(1<<replyShift-1))
	data := s.open
	if n < len(s.blocks) {
		if r.block != n+1 {
			if r.dec == nil {
				r.dec, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)) // fails on bad options only
			}
			var err error
			if r.data, err = r.dec.DecodeAll(s.blocks[n], r.data[:0]); err != nil {
				return "" // our own memory: cannot be
			}
			r.block = n + 1
		}
		data = r.data
	}
	size := int(data[at])<<8 | int(data[at+1])
	return string(data[at+2 : at+2+size])
}

// cutReply makes a stranger's text fit to be shown: no control characters, at
// most 512 bytes, cut between characters.
func cutReply(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f || s[i] == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			clean = false
			break
		}
	}
	if !clean {
		s = strings.Map(func(r rune) rune {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				return ' '
			}
			return r
		}, s)
		s = strings.Join(strings.Fields(s), " ")
	}
	return shown.Prefix(s, 512)
}
