package esp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// Options are what the user wants of an export. The zero value writes all that
// the target can hold.
type Options struct {
	Include []Reason // of the reasons that leave only when asked for
	HMACKey []byte   // for the target hmac
	Since   string   // an earlier run directory, export directory or file of addresses; "": none
	Against string   // the provider's present list, its own export; "": none
	Column  string   // the address column of Since and Against, by name or number; "": found
	Version string   // of winnow, for the manifest
}

// The files beside the provider's own.
const (
	leftName     = "not-expressed.csv" // what the target cannot hold
	releasedName = "released.csv"
	conflictName = "conflicts.csv"
)

// Write writes the suppressions of src for t into the directory dir, which
// appears whole or not at all. A directory there is replaced only when it is an
// earlier export.
func Write(ctx context.Context, dir string, t *Target, src *Source, o Options) (*Report, error) {
	if t.hash == "hmac" && len(o.HMACKey) < 16 {
		return nil, errors.New("the target hmac needs a key of at least 16 bytes (--hmac-key-file)")
	}
	w := &writer{t: t, o: &o, rep: &Report{SchemaVersion: 1, Kind: exportKind, Version: o.Version, Target: t.Name, Scope: t.Scope, Source: src.Name}}
	w.pk = newPicker(t, o.Include, o.HMACKey, w.rep)
	var err error
	if o.Against != "" {
		if w.there, err = readSet(ctx, o.Against, o.Column, w.pk); err != nil {
			return nil, err
		}
	}
	if o.Since != "" {
		if w.last, err = readSet(ctx, o.Since, o.Column, w.pk); err != nil {
			return nil, err
		}
	}
	d, err := export.CreateAs(dir, manifestName, o.Since, o.Against, src.Name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	w.begin(d)
	if err := src.Each(ctx, w.place); err != nil {
		return nil, err
	}
	if got := w.rep.balance(); got != w.rep.Entries {
		return nil, fmt.Errorf("%d entries were read and %d are accounted for; nothing was written (please report this)", w.rep.Entries, got)
	}
	m, err := w.finish(ctx, src)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return w.rep, d.CommitAs(append(m, '\n'))
}

// writer is one export.
type writer struct {
	t   *Target
	o   *Options
	rep *Report
	pk  *picker
	dir *dirWriter

	there, last set // what Against and Since hold
	outs        []*parts
	byReason    map[Reason]*parts
	state, left *list
}

func (w *writer) begin(d *export.Dir) {
	w.dir = &dirWriter{dir: d}
	w.outs = make([]*parts, len(w.t.files))
	w.byReason = map[Reason]*parts{}
	for i := range w.t.files {
		f := &w.t.files[i]
		w.outs[i] = &parts{w: w.dir, f: f, maxRows: w.t.MaxRows, maxBytes: w.t.MaxBytes, enc: f.enc()}
		for _, r := range reasons {
			if f.reasons == nil || slices.Contains(f.reasons, r) {
				w.byReason[r] = w.outs[i]
			}
		}
	}
	w.state = w.dir.list(stateName, "address", "reason")
	w.left = w.dir.list(leftName, "address", "reason", "why")
}

// place writes an entry where it belongs.
func (w *writer) place(e *Entry) error {
	word, id, why, err := w.pk.pick(e)
	if err != nil {
		return err
	}
	if why != "" {
		address := e.Address
		if w.t.hash != "" { // the directory of digests is handed on
			address = shown.Mask(address)
		}
		return w.left.add(address, string(e.Reason), shown.Cell(why))
	}
	if id == "" {
		return nil
	}
	out := *e
	if w.t.hash != "" {
		out.Address = id
	}
	if err := w.state.add(out.Address, string(e.Reason)); err != nil {
		return err
	}
	switch {
	case w.there.has(id):
		w.rep.There++
		return nil
	case w.last.has(id):
		w.rep.Unchanged++
		return nil
	}
	w.rep.Written++
	if shown.Formula(out.Address) {
		w.rep.Formulas++
	}
	count(&w.rep.Reasons, e.Reason)
	return w.byReason[e.Reason].add(&out, word)
}

// finish writes the lists beside the provider's files and returns the manifest.
func (w *writer) finish(ctx context.Context, src *Source) ([]byte, error) {
	for _, p := range w.outs {
		if err := p.close(); err != nil {
			return nil, err
		}
	}
	if w.o.Since != "" {
		if err := w.released(ctx, src); err != nil {
			return nil, err
		}
	}
	if w.o.Against != "" {
		if err := w.conflicts(ctx, src); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.state.close(), w.left.close()); err != nil {
		return nil, err
	}
	done, err := w.dir.dir.Outputs()
	if err != nil {
		return nil, err
	}
	for _, f := range w.dir.files { // in the order of their making: parts one after the other
		i := slices.IndexFunc(done, func(o summary.OutputFile) bool { return o.Name == f.name })
		w.rep.Files = append(w.rep.Files, FileInfo{done[i], f.what, f.addresses})
	}
	return json.MarshalIndent(w.rep, "", "  ")
}

// released lists the addresses that were suppressed at --since and are no
// longer. Where the run tells which addresses it delivers, an address that has
// left the list is not released: nobody vouches for it.
func (w *writer) released(ctx context.Context, src *Source) error {
	var kept set
	if src.Kept != nil {
		var err error
		kept, err = w.kept(ctx, src, func(id string) bool { return w.last.has(id) && !w.pk.seen.has(id) })
		if err != nil {
			return err
		}
	}
	out := w.dir.list(releasedName, "address", "why")
	done := set{}
	err := readIDs(ctx, w.o.Since, w.o.Column, w.pk, func(id, name, _ string) error {
		if w.pk.seen.has(id) || !done.add(id) {
			return nil
		}
		// Of a digest it cannot be told whether a forgotten address is behind it.
		if kept != nil && !kept.has(id) || src.Also != nil && (w.t.hash != "" || src.Also(id)) {
			w.rep.Gone++
			return nil
		}
		w.rep.Released++
		return out.add(name, "suppressed before, not any more")
	})
	return errors.Join(err, out.close())
}

// conflicts lists the addresses that the provider suppresses and this run
// delivers: the provider may know something that winnow does not.
func (w *writer) conflicts(ctx context.Context, src *Source) error {
	if src.Kept == nil {
		return nil
	}
	hit, err := w.kept(ctx, src, w.there.has)
	if err != nil || len(hit) == 0 {
		return err
	}
	out := w.dir.list(conflictName, "address", "there", "here")
	err = readIDs(ctx, w.o.Against, w.o.Column, w.pk, func(id, name, why string) error {
		if !hit.remove(id) {
			return nil
		}
		w.rep.Conflicts++
		if why == "" {
			why = "suppressed"
		}
		return out.add(name, shown.Cell(why), "delivered")
	})
	return errors.Join(err, out.close())
}

// kept returns those of the delivered addresses that are wanted.
func (w *writer) kept(ctx context.Context, src *Source, wanted func(id string) bool) (set, error) {
	kept := set{}
	err := src.Kept(ctx, func(key string) error {
		id, err := w.pk.id(key)
		if err == nil && wanted(id) {
			kept.add(id)
		}
		return err
	})
	return kept, err
}
