package winnow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"winnow/export"
	"winnow/internal/csvrows"
	"winnow/validate"
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
				example = mask(example)
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
func Examples(ctx context.Context, dir string, n int, reveal bool) ([]export.Example, error) {
	s, err := export.ReadSummary(dir)
	if err != nil {
		return nil, err
	}
	found := map[place][]export.Example{}
	err = eachStand(ctx, dir, func(key []byte, p place) {
		if p.list == export.Cleaned || len(found[p]) >= n {
			return
		}
		e := export.Example{List: p.list, Reason: p.reason, Address: string(key)}
		if !reveal {
			e.Address = mask(e.Address)
		}
		found[p] = append(found[p], e)
	})
	var all []export.Example
	for _, r := range s.Reasons {
		all = append(all, found[place{r.List, r.Reason}]...)
	}
	return all, err
}

// eachStand calls f for every address of a run with the place it is in.
func eachStand(ctx context.Context, dir string, f func(key []byte, p place)) error {
	s, err := export.ReadSummary(dir)
	if err != nil {
		return err
	}
	for _, list := range []string{export.Suppressed, export.Review, export.Cleaned} {
		for _, in := range s.Inputs {
			if in.Role != "list" {
				continue
			}
			path := filepath.Join(dir, filepath.FromSlash(in.Folder), list+".csv")
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := eachAddress(ctx, path, in.ColumnNo, list, f); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

func eachAddress(ctx context.Context, path string, column int, list string, f func(key []byte, p place)) (err error) {
	l, err := csvrows.Open(path, csvrows.Options{Column: strconv.Itoa(column)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	reasonAt := slices.Index(l.Header, reasonColumns[0])
	var key []byte
	var found []validate.CellAddress
	return eachRecord(ctx, l, func(c *csvrows.Chunk, i int, buf []byte) error {
		cell := string(c.Cell(i, l.Column, buf[:0]))
		p := place{list: list}
		if reasonAt >= 0 {
			p.reason = string(c.Cell(i, reasonAt, buf[:0]))
		}
		found = validate.ParseCell(found[:0], cell)
		if len(found) == 0 {
			return nil
		}
		a, err := validate.ParseAddress(found[0].Address)
		if err != nil {
			key = append(key[:0], strings.ToLower(cell)...)
		} else {
			key = a.AppendKey(key[:0])
		}
		f(key, p)
		return nil
	})
}
