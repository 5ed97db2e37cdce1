package known

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
)

// lookup is a source that knows addresses by a keyed hash alone.
type lookup func(key string) (bounceimport.Record, bool)

// ReadEvidence keeps what the sources know at the time now of the domains of the
// list and of the addresses whose keys are in the filter onList (and of about one
// in a hundred that are not on the list: the filter lets them pass).
func (k *Known) ReadEvidence(ctx context.Context, sources []bounceimport.Source, now time.Time, onList *keyset.Filter) error {
	var key []byte
	var mu sync.Mutex // of key
	hash := func(address string) uint64 {
		key = k.identity(append(key[:0], address...))
		return k.Hash(key)
	}
	want := func(name string) bool {
		if domain, ok := strings.CutPrefix(name, "@"); ok {
			return k.Domains.Find(domain) != nil
		}
		mu.Lock()
		defer mu.Unlock()
		return onList.Has(hash(name))
	}
	keep := func(name string, rec bounceimport.Record) error {
		if rec.Held == "" && (rec.Action == bounceimport.Ignore || rec.Action == bounceimport.Clear) {
			return nil // says nothing against the address
		}
		if domain, ok := strings.CutPrefix(name, "@"); ok {
			if rec.Action == bounceimport.Report {
				return nil // what was said to one address of the domain is no evidence on another
			}
			if d := k.Domains.Find(domain); d != nil && (d.record == nil || heavier(&rec, d.record)) {
				d.record = &rec
			}
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if h := hash(name); onList.Has(h) {
			return k.facts.Put(h, key, k.texts.appendRecord([]byte{noteRecord}, &rec), nil)
		}
		return nil
	}
	for _, src := range sources {
		if src, ok := src.(bounceimport.HashedSource); ok {
			look, err := src.Hashed(ctx)
			if err != nil {
				return err
			}
			if look != nil {
				k.hashed = append(k.hashed, look)
			}
		}
		if err := src.Records(ctx, now, want, keep); err != nil {
			return err
		}
	}
	return nil
}

// Reader looks up what is known, for one goroutine.
type Reader struct {
	k        *Known
	digester digester
	key, buf []byte
	own      bounceimport.Record
}

// Reader returns a reader of k, which must not be filled any more.
func (k *Known) Reader() *Reader { return &Reader{k: k} }

// Look returns what the user says of an address and the record of earlier mail
// that decides, nil when there is none; onList says that it is of the address and
// not of its domain. d is the domain of the address. marked says that the key of
// the address, whose hash is h, is among those of Known.Mark. The record is valid
// until the next call.
func (r *Reader) Look(a *validate.Address, d *Domain, marked bool, h uint64, key []byte) (said Said, rec *bounceimport.Record, onList bool, err error) {
	k := r.k
	f := d.said
	if marked {
		err := k.facts.Each(h, key, &r.buf, func(note []byte) {
			if note[0] != noteRecord {
				f.merge(note)
				return
			}
			var o bounceimport.Record
			k.texts.readRecord(note[1:], &o)
			if rec == nil || heavier(&o, rec) {
				r.own = o
				rec, onList = &r.own, true
			}
		})
		if err != nil {
			return said, nil, false, err
		}
	}
	if len(k.hashed) > 0 {
		r.key = a.AppendKey(r.key[:0])
		for _, look := range k.hashed {
			if o, ok := look(stringOf(r.key)); ok && (rec == nil || heavier(&o, rec)) {
				rec = &o
			}
		}
	}
	if d.record != nil && (rec == nil || heavier(d.record, rec)) {
		rec = d.record
	}
	if len(k.digests) > 0 {
		source, err := r.digested(a)
		if err != nil {
			return said, nil, false, err
		}
		if source > 0 {
			f = fact{block: Suppressed, source: source}
		}
	}
	return k.said(f), rec, onList, nil
}

// Carry makes an order about one address hold for another, which an accepted fix
// puts in its place: who is on a suppression list under the one, or complained, is
// the same person under the other.
func (k *Known) Carry(from, to *validate.Address) error {
	r := k.Reader()
	key := k.Key(nil, from)
	var notes [][]byte
	err := k.facts.Each(k.Hash(key), key, &r.buf, func(note []byte) {
		var rec bounceimport.Record
		if note[0] == noteRecord {
			k.texts.readRecord(note[1:], &rec)
		}
		if note[0] == noteBlock || Wish(&rec) {
			notes = append(notes, bytes.Clone(note))
		}
	})
	if err != nil {
		return err
	}
	source, err := r.digested(from)
	if err != nil {
		return err
	}
	key = k.Key(key[:0], to)
	if source > 0 {
		if err := k.putBlock(k.Hash(key), key, Suppressed, source); err != nil {
			return err
		}
	}
	for _, note := range notes {
		if err := k.facts.Put(k.Hash(key), key, note, nil); err != nil {
			return err
		}
	}
	return nil
}

// Wish reports whether a record says that the person does not want the mail.
func Wish(rec *bounceimport.Record) bool {
	if rec.Action != bounceimport.SuppressNow || rec.Held != "" {
		return false
	}
	c, _ := bounceimport.LookupCategory(rec.Category)
	return c.Wish
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
	c, _ := bounceimport.LookupCategory(r.Category)
	switch {
	case c.Action != bounceimport.SuppressNow && c.Action != bounceimport.Count:
		return 0
	case r.Held != "":
		return 2
	case Wish(r):
		return 5
	case r.Action == bounceimport.SuppressNow && c.Action == bounceimport.SuppressNow:
		return 4
	case r.Action == bounceimport.Count:
		return 3
	}
	return 1
}

// texts numbers texts that occur often.
type texts struct {
	mu    sync.Mutex
	names map[string]uint64 // from 1
	all   []string
}

// maxNames bounds the table of texts.
const maxNames = 1 << 14

func (t *texts) appendRecord(b []byte, r *bounceimport.Record) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	b = t.append(b, r.Category)
	b = t.append(b, string(r.Action))
	b = t.append(b, r.Held)
	b = binary.AppendUvarint(b, uint64(r.Events))
	b = appendTime(b, r.First)
	b = appendTime(b, r.Last)
	b = appendTime(b, r.Until)
	b = t.append(b, r.Reply)
	b = t.append(b, r.Rule)
	return appendBytes(b, r.Source)
}

func (t *texts) readRecord(b []byte, r *bounceimport.Record) {
	var action string
	r.Category, b = t.read(b)
	action, b = t.read(b)
	r.Action = bounceimport.Action(action)
	r.Held, b = t.read(b)
	n, k := binary.Uvarint(b)
	r.Events, b = int(n), b[k:]
	r.First, b = readTime(b)
	r.Last, b = readTime(b)
	r.Until, b = readTime(b)
	r.Reply, b = t.read(b)
	r.Rule, b = t.read(b)
	r.Source, _ = readBytes(b)
}

// append appends a text by number, or as it is when the table is full.
func (t *texts) append(b []byte, s string) []byte {
	if s == "" {
		return append(b, 0)
	}
	id := t.names[s]
	if id == 0 {
		if len(t.all) >= maxNames {
			return appendBytes(append(b, 1), s)
		}
		if t.names == nil {
			t.names = map[string]uint64{}
		}
		s = strings.Clone(s)
		t.all = append(t.all, s)
		id = uint64(len(t.all))
		t.names[s] = id
	}
	return binary.AppendUvarint(b, id+1)
}

// read reads what append appended, when nothing is appended any more.
func (t *texts) read(b []byte) (string, []byte) {
	id, k := binary.Uvarint(b)
	b = b[k:]
	switch id {
	case 0:
		return "", b
	case 1:
		return readBytes(b)
	}
	return t.all[id-2], b
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
