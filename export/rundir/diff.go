package rundir

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
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
	before, err := Open(was)
	if err != nil {
		return nil, err
	}
	after, err := Open(now)
	if err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	// The lists come in the order of what matters most, so the first one wins.
	var old []stand
	if err := eachStand(ctx, before, func(key []byte, p place) {
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
		if len(c.Examples) < diffExamples {
			c.Examples = append(c.Examples, example(key, reveal))
		}
	}
	fresh := map[uint64]bool{}
	err = eachStand(ctx, after, func(key []byte, to place) {
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
		err := eachStand(ctx, before, func(key []byte, from place) {
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
	run, err := Open(dir)
	if err != nil {
		return nil, err
	}
	found := map[place][]summary.Example{}
	var k keyer
	for _, list := range []string{export.Suppressed, export.Review} {
		err := run.Each(ctx, list, func(r *Row) error {
			p := place{list, r.Reason()}
			if len(found[p]) >= n {
				return nil
			}
			key := k.of(r.Address)
			if key == nil {
				return nil
			}
			found[p] = append(found[p], summary.Example{List: list, Reason: p.reason, Address: example(key, reveal)})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var all []summary.Example
	for _, r := range run.Summary.Reasons {
		all = append(all, found[place{r.List, r.Reason}]...)
	}
	return all, nil
}

func example(key []byte, reveal bool) string {
	if reveal {
		return string(key)
	}
	return shown.Mask(string(key))
}

// keyer finds what makes the first address of a cell the same as another.
type keyer struct {
	found []validate.CellAddress
	key   []byte
}

// of returns the key of a cell, good until the next call; nil when no address is in it.
func (k *keyer) of(cell string) []byte {
	if k.found = validate.ParseCell(k.found[:0], cell); len(k.found) == 0 {
		return nil
	}
	if a, err := validate.ParseAddress(k.found[0].Address); err != nil {
		k.key = append(k.key[:0], strings.ToLower(cell)...)
	} else {
		k.key = a.AppendKey(k.key[:0])
	}
	return k.key
}

// eachStand calls f for every address of a run with the place it is in. The lists
// come in the order of what matters most.
func eachStand(ctx context.Context, run *Run, f func(key []byte, p place)) error {
	var k keyer
	for _, list := range []string{export.Suppressed, export.Review, export.Cleaned} {
		err := run.Each(ctx, list, func(r *Row) error {
			if key := k.of(r.Address); key != nil {
				f(key, place{list, r.Reason()})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
