package winnow

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// blockKind is why the user does not want an address mailed. The lowest that
// is not 0 is the one that is told.
type blockKind uint8

const (
	noBlock blockKind = iota
	blockComplained
	blockUnsubscribed
	blockSuppressed
	blockBlocked
	blockBounced
)

var blockReasons = [...]string{"", ReasonUserComplained, ReasonUserUnsubscribed, ReasonUserSuppressed, ReasonUserBlocked, ReasonUserBounced}

// block merges a block into f.
func (f *userFact) addBlock(k blockKind, source uint16) {
	if f.block == noBlock || k < f.block || k == f.block && source < f.source {
		f.block, f.source = k, source
	}
}

func (f *userFact) addAllow(source uint16) {
	if f.allow == 0 || source < f.allow {
		f.allow = source
	}
}

// factTable holds what lists and sources say of addresses of the list (and of
// about one in a hundred that are not on it: the filter of the list lets them
// pass). It is filled by several goroutines, and then only read.
type factTable struct {
	mu    sync.Mutex
	slots []factSlot
	n     int
	keys  arena
	names map[string]uint64 // texts that occur often, numbered from 1
	texts []string
}

type factSlot struct {
	hash uint64 // 0: free
	ref  int64  // of: key length, key, kind, content
}

const (
	factBlock  = 'b'
	factAllow  = 'a'
	factRecord = 'r'
)

// maxNames bounds the table of texts.
const maxNames = 1 << 14

func (t *factTable) putUser(h uint64, key []byte, k blockKind, source uint16, allow bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	// The same again, which is usual in suppression lists, is not kept.
	var have userFact
	if _, err := t.get(h, key, &have, nil, nil); err != nil {
		return err
	}
	if allow && have.allow != 0 && have.allow <= source || !allow && have.block != noBlock && (have.block < k || have.block == k && have.source <= source) {
		return nil
	}
	b := appendFactKey(nil, key)
	if allow {
		b = append(b, factAllow)
	} else {
		b = append(b, factBlock, byte(k))
	}
	return t.put(h, binary.AppendUvarint(b, uint64(source)))
}

func appendFactKey(b, key []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(key))), key...)
}

func (t *factTable) putRecord(h uint64, key []byte, r *bounceimport.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := append(appendFactKey(nil, key), factRecord)
	b = t.appendText(b, r.Category)
	b = t.appendText(b, string(r.Action))
	b = t.appendText(b, r.Held)
	b = binary.AppendUvarint(b, uint64(r.Events))
	b = appendTime(b, r.First)
	b = appendTime(b, r.Last)
	b = appendTime(b, r.Until)
	b = t.appendText(b, r.Reply)
	b = t.appendText(b, r.Rule)
	b = appendBytes(b, r.Source)
	return t.put(h, b)
}

func (t *factTable) put(h uint64, b []byte) error {
	if 2*(t.n+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]factSlot, max(1024, 2*len(old)))
		for _, s := range old {
			if s.hash != 0 {
				t.insert(s)
			}
		}
	}
	ref, err := t.keys.put(b)
	if err != nil {
		return err
	}
	t.insert(factSlot{h, ref})
	t.n++
	return nil
}

func (t *factTable) insert(s factSlot) {
	mask := uint64(len(t.slots) - 1)
	i := (s.hash >> 1) & mask
	for t.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// get merges what is known of key into u and r and reports whether r was set.
// Of several records the one that weighs most counts.
func (t *factTable) get(h uint64, key []byte, u *userFact, r *bounceimport.Record, buf *[]byte) (found bool, err error) {
	if len(t.slots) == 0 {
		return false, nil
	}
	var own []byte
	if buf == nil {
		buf = &own
	}
	mask := uint64(len(t.slots) - 1)
	for i := (h >> 1) & mask; t.slots[i].hash != 0; i = (i + 1) & mask {
		if t.slots[i].hash != h {
			continue
		}
		b, err := t.keys.get(t.slots[i].ref, buf)
		if err != nil {
			return false, err
		}
		n, k := binary.Uvarint(b)
		if !bytes.Equal(b[k:k+int(n)], key) {
			continue
		}
		b = b[k+int(n):]
		switch b[0] {
		case factBlock:
			src, _ := binary.Uvarint(b[2:])
			u.addBlock(blockKind(b[1]), uint16(src))
		case factAllow:
			src, _ := binary.Uvarint(b[1:])
			u.addAllow(uint16(src))
		case factRecord:
			if r == nil {
				continue
			}
			var o bounceimport.Record
			t.decode(b[1:], &o)
			if !found || heavier(&o, r) {
				*r = o
			}
			found = true
		}
	}
	return found, nil
}

func (t *factTable) decode(b []byte, r *bounceimport.Record) {
	var action string
	r.Category, b = t.text(b)
	action, b = t.text(b)
	r.Action = bounceimport.Action(action)
	r.Held, b = t.text(b)
	n, k := binary.Uvarint(b)
	r.Events, b = int(n), b[k:]
	r.First, b = readTime(b)
	r.Last, b = readTime(b)
	r.Until, b = readTime(b)
	r.Reply, b = t.text(b)
	r.Rule, b = t.text(b)
	r.Source, _ = readBytes(b)
}

// heavier reports whether a decides before b: what suppresses before what only
// informs, then the later, then by content, so that the order in which sources
// are asked does not matter.
func heavier(a, b *bounceimport.Record) bool {
	if x, y := weight(a), weight(b); x != y {
		return x > y
	}
	if !a.Last.Equal(b.Last) {
		return a.Last.After(b.Last)
	}
	if a.Category != b.Category {
		return a.Category < b.Category
	}
	if a.Source != b.Source {
		return a.Source < b.Source
	}
	return a.Reply < b.Reply
}

func weight(r *bounceimport.Record) int {
	c := categoryOf(r.Category)
	switch {
	case !c.condemns():
		return 0
	case r.Held != "":
		return 2
	case r.Action == bounceimport.SuppressNow && c.Wish:
		return 5
	case r.Action == bounceimport.SuppressNow && c.Action == bounceimport.SuppressNow:
		return 4
	case r.Action == bounceimport.Count:
		return 3
	}
	return 1
}

// appendText appends a text by number where it occurs often, or as it is.
func (t *factTable) appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, 0)
	}
	id := t.names[s]
	if id == 0 {
		if len(t.texts) >= maxNames {
			return appendBytes(append(b, 1), s)
		}
		if t.names == nil {
			t.names = map[string]uint64{}
		}
		s = strings.Clone(s)
		t.texts = append(t.texts, s)
		id = uint64(len(t.texts))
		t.names[s] = id
	}
	return binary.AppendUvarint(b, id+1)
}

func (t *factTable) text(b []byte) (string, []byte) {
	id, k := binary.Uvarint(b)
	b = b[k:]
	switch id {
	case 0:
		return "", b
	case 1:
		return readBytes(b)
	}
	return t.texts[id-2], b
}

func appendBytes(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func readBytes(b []byte) (string, []byte) {
	n, k := binary.Uvarint(b)
	return string(b[k : k+int(n)]), b[k+int(n):]
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, math.MinInt64)
	}
	return binary.AppendVarint(b, t.Unix())
}

func readTime(b []byte) (time.Time, []byte) {
	s, k := binary.Varint(b)
	if s == math.MinInt64 {
		return time.Time{}, b[k:]
	}
	return time.Unix(s, 0).UTC(), b[k:]
}

// readEvidence keeps what the sources know of addresses and domains of the list.
func (r *run) readEvidence(ctx context.Context) error {
	now := r.job.Now
	if now.IsZero() {
		now = time.Now()
	}
	var key []byte
	var mu sync.Mutex
	hash := func(k string) uint64 {
		key = r.identity(append(key[:0], k...))
		return r.hash(key)
	}
	want := func(k string) bool {
		if name, ok := strings.CutPrefix(k, "@"); ok {
			return r.domains.find(name) != nil
		}
		mu.Lock()
		defer mu.Unlock()
		return r.onList.has(hash(k))
	}
	for _, src := range r.job.Evidence {
		if src, ok := src.(bounceimport.HashedSource); ok {
			look, err := src.Hashed(ctx)
			if err != nil {
				return err
			}
			if look != nil {
				r.hashed = append(r.hashed, look)
			}
		}
		err := src.Records(ctx, now, want, func(k string, rec bounceimport.Record) error {
			if rec.Held == "" && (rec.Action == bounceimport.Ignore || rec.Action == bounceimport.Clear) {
				return nil // says nothing against the address
			}
			if name, ok := strings.CutPrefix(k, "@"); ok {
				if rec.Action == bounceimport.Report {
					return nil // what was said to one address of the domain is no evidence on another
				}
				if d := r.domains.find(name); d != nil && (d.rec == nil || heavier(&rec, d.rec)) {
					d.rec = &rec
				}
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if h := hash(k); r.onList.has(h) {
				return r.facts.putRecord(h, key, &rec)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// identity makes of an address key what the run takes for one and the same
// person. It changes key.
func (r *run) identity(key []byte) []byte {
	if r.job.Dedupe == "provider" {
		return foldProvider(key)
	}
	return key
}

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
