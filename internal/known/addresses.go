package known

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
)

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

// digested returns the source that lists a digest of an address, or 0.
func (r *Reader) digested(a *validate.Address) (uint32, error) {
	k := r.k
	r.key = a.AppendKey(r.key[:0])
	for _, d := range k.digests {
		r.digester.key = digestKey(r.digester.key[:0], d.kind, r.digester.of(d.kind, r.key, k.opt.Secret))
		var f fact
		if err := k.facts.Each(k.Hash(r.digester.key), r.digester.key, &r.buf, f.merge); err != nil {
			return 0, err
		}
		if f.block != NoBlock {
			k.matched[f.source].Add(1)
			return f.source, nil
		}
	}
	return 0, nil
}
