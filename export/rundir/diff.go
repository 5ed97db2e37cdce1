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
	where uint32 // index into the places
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
	before, err := Open(was)
	if err != nil {
		return nil, err
	}
	after, err := Open(now)
	if err != nil {
		return nil, err
	}
	c := comparison{reveal: reveal, seed: maphash.MakeSeed(), number: map[place]uint32{}, changes: map[[2]place]*Change{}}
	if err := c.load(ctx, before); err != nil {
		return nil, err
	}
	if err := c.compare(ctx, after); err != nil {
		return nil, err
	}
	if err := c.gone(ctx, before); err != nil {
		return nil, err
	}
	all := make([]Change, 0, len(c.changes))
	for _, change := range c.changes {
		all = append(all, *change)
	}
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.List, b.List), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.WasList, b.WasList), cmp.Compare(a.WasReason, b.WasReason))
	})
	return all, nil
}

// comparison is what is held of two runs.
type comparison struct {
	reveal  bool
	seed    maphash.Seed
	places  []place
	number  map[place]uint32 // of places
	old     []stand          // of the first run, by hash
	changes map[[2]place]*Change
}

// load reads the first run.
func (c *comparison) load(ctx context.Context, run *Run) error {
	err := eachStand(ctx, run, func(key []byte, p place) {
		n, ok := c.number[p]
		if !ok {
			n = uint32(len(c.places))
			c.places = append(c.places, p)
			c.number[p] = n
		}
		c.old = append(c.old, stand{hash: maphash.Bytes(c.seed, key), where: n})
	})
	// The lists come in the order of what matters most, so the first one wins.
	slices.SortStableFunc(c.old, func(a, b stand) int { return cmp.Compare(a.hash, b.hash) })
	c.old = slices.CompactFunc(c.old, func(a, b stand) bool { return a.hash == b.hash })
	return err
}

// find returns where an address was in the first run, nil when it was not there.
func (c *comparison) find(hash uint64) *stand {
	i, found := slices.BinarySearchFunc(c.old, hash, func(s stand, h uint64) int { return cmp.Compare(s.hash, h) })
	if !found {
		return nil
	}
	return &c.old[i]
}

// compare counts what moved and what is new in the second run.
func (c *comparison) compare(ctx context.Context, run *Run) error {
	fresh := map[uint64]struct{}{}
	return eachStand(ctx, run, func(key []byte, to place) {
		h := maphash.Bytes(c.seed, key)
		old := c.find(h)
		if old == nil {
			if _, again := fresh[h]; !again {
				fresh[h] = struct{}{}
				c.count(place{}, to, key)
			}
			return
		}
		if old.seen {
			return // a further copy
		}
		old.seen = true
		if from := c.places[old.where]; from != to {
			c.count(from, to, key)
		}
	})
}

// gone counts what is only in the first run.
func (c *comparison) gone(ctx context.Context, run *Run) error {
	if !slices.ContainsFunc(c.old, func(s stand) bool { return !s.seen }) {
		return nil
	}
	return eachStand(ctx, run, func(key []byte, from place) {
		if old := c.find(maphash.Bytes(c.seed, key)); old != nil && !old.seen {
			old.seen = true
			c.count(from, place{}, key)
		}
	})
}

func (c *comparison) count(from, to place, key []byte) {
	change := c.changes[[2]place{from, to}]
	if change == nil {
		change = &Change{WasList: from.list, WasReason: from.reason, List: to.list, Reason: to.reason}
		c.changes[[2]place{from, to}] = change
	}
	change.N++
	if len(change.Examples) < diffExamples {
		change.Examples = append(change.Examples, example(key, c.reveal))
	}
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
