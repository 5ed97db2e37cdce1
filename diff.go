package winnow

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// Change is a group of addresses that two runs treat differently, and in the
// same way: where they were, where they are, and why.
type Change struct {
	WasList   string   `json:"was_list"` // "" when the address is new
	WasReason string   `json:"was_reason,omitempty"`
	List      string   `json:"list"` // "" when the address is gone
	Reason    string   `json:"reason,omitempty"`
	N         int64    `json:"n"`
	Examples  []string `json:"examples"` // at most three
}

// diffExamples is how many addresses stand for a change.
const diffExamples = 3

// stand is where an address is, in a run that is compared.
type stand struct {
	hash  uint64
	where uint16 // index into the places
	seen  bool
}

// place is a list and a reason in it.
type place struct{ list, reason string }

// Diff compares two run directories address by address and returns what
// changed, the largest group first. An address that is in a run several times
// counts once, where it matters most: suppressed, then review, then cleaned.
// It holds 16 bytes per address of the first run. reveal shows the examples in
// full; otherwise their local parts are masked.
func Diff(ctx context.Context, was, now string, reveal bool) ([]Change, error) {
	var places []place
	number := map[place]uint16{}
	numberOf := func(p place) uint16 {
		n, ok := number[p]
		if !ok {
			n = uint16(len(places))
			places = append(places, p)
			number[p] = n
		}
		return n
	}
	seed := maphash.MakeSeed()
	// The lists come in the order of what matters most, so the first one wins.
	var old []stand
	if err := eachStand(ctx, was, func(key []byte, p place) {
		old = append(old, stand{hash: maphash.Bytes(seed, key), where: numberOf(p)})
	}); err != nil {
		return nil, err
	}
	slices.SortStableFunc(old, func(a, b stand) int { return cmp.Compare(a.hash, b.hash) })
	old = slices.CompactFunc(old, func(a, b stand) bool { return a.hash == b.hash })

	changes := map[[2]place]*Change{}
	count := func(from, to place, key []byte) {
		c := changes[[2]place{from, to}]
		if c == nil {
			c = &Change{WasList: from.list, WasReason: from.reason, List: to.list, Reason: to.reason}
			changes[[2]place{from, to}] = c
		}
		c.N++
		if key != nil && len(c.Examples) < diffExamples {
			example := string(key)
			if !reveal {
				example = shown.Mask(example)
			}
			c.Examples = append(c.Examples, example)
		}
	}
	fresh := map[uint64]bool{}
	err := eachStand(ctx, now, func(key []byte, to place) {
		h := maphash.Bytes(seed, key)
		i, found := slices.BinarySearchFunc(old, h, func(s stand, h uint64) int { return cmp.Compare(s.hash, h) })
		switch {
		case !found && fresh[h], found && old[i].seen:
			return // a further copy
		case !found:
			fresh[h] = true
			count(place{}, to, key)
			return
		}
		old[i].seen = true
		if from := places[old[i].where]; from != to {
			count(from, to, key)
		}
	})
	if err != nil {
		return nil, err
	}
	gone := slices.ContainsFunc(old, func(s stand) bool { return !s.seen })
	if gone {
		err := eachStand(ctx, was, func(key []byte, from place) {
			i, found := slices.BinarySearchFunc(old, maphash.Bytes(seed, key), func(s stand, h uint64) int { return cmp.Compare(s.hash, h) })
			if found && !old[i].seen {
				old[i].seen = true
				count(from, place{}, key)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	var all []Change
	for _, c := range changes {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.List, b.List), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.WasList, b.WasList), cmp.Compare(a.WasReason, b.WasReason))
	})
	return all, nil
}

// Examples returns up to n addresses of each reason of a run, in the order of
// the reasons of its summary. reveal shows them in full.
func Examples(ctx context.Context, dir string, n int, reveal bool) ([]summary.Example, error) {
	s, err := summary.Read(dir)
	if err != nil {
		return nil, err
	}
	found := map[place][]summary.Example{}
	err = eachStand(ctx, dir, func(key []byte, p place) {
		if p.list == export.Cleaned || len(found[p]) >= n {
			return
		}
		e := summary.Example{List: p.list, Reason: p.reason, Address: string(key)}
		if !reveal {
			e.Address = shown.Mask(e.Address)
		}
		found[p] = append(found[p], e)
	})
	var all []summary.Example
	for _, r := range s.Reasons {
		all = append(all, found[place{r.List, r.Reason}]...)
	}
	return all, err
}

// eachStand calls f for every address of a run with the place it is in.
func eachStand(ctx context.Context, dir string, f func(key []byte, p place)) error {
	s, err := summary.Read(dir)
	if err != nil {
		return err
	}
	records := map[string]int64{}
	for _, o := range s.Outputs {
		records[o.Name] = o.Records
	}
	for _, list := range []string{export.Suppressed, export.Review, export.Cleaned} {
		for _, in := range s.Inputs {
			name := in.Folder + list + ".csv"
			if in.Role != "list" || records[name] == 0 {
				continue
			}
			if err := eachAddress(ctx, filepath.Join(dir, filepath.FromSlash(name)), &in, list, records[name], f); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachAddress calls f for every address of a list of a run, which holds so many records.
func eachAddress(ctx context.Context, path string, in *summary.InputFile, list string, records int64, f func(key []byte, p place)) (err error) {
	opt := csvrows.Options{Column: strconv.Itoa(in.ColumnNo), Done: ctx.Done()}
	if len(in.Delimiter) == 1 {
		opt.Comma = in.Delimiter[0] // a short list could be taken for one with another
	}
	l, err := csvrows.Open(path, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	// The reason is the first of the cells at the end of a row: in a row that is
	// longer than the header it does not stand under its name.
	added := 0
	if list != export.Cleaned {
		added = len(export.ReasonColumns())
	}
	var key []byte
	var found []validate.CellAddress
	row := func(cell, reason string) {
		if found = validate.ParseCell(found[:0], cell); len(found) == 0 {
			return
		}
		a, err := validate.ParseAddress(found[0].Address)
		if err != nil {
			key = append(key[:0], strings.ToLower(cell)...)
		} else {
			key = a.AppendKey(key[:0])
		}
		f(key, place{list, reason})
	}
	err = l.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		records--
		reason := ""
		if added > 0 {
			reason = string(c.Cell(i, c.Cells(i)-added, buf[:0]))
		}
		row(string(c.Cell(i, l.Column, buf[:0])), reason)
		return nil
	})
	// Without a header, a first row whose address is broken was taken for one.
	if h := l.Header; records == 1 && added > 0 && len(h) > max(added, l.Column) {
		row(h[l.Column], h[len(h)-added])
	}
	return err
}
