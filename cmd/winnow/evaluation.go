package main

import (
	"cmp"
	"slices"

	"github.com/winnow-email/winnow/bounceimport"
)

// evaluation compares classes with the right ones. The zero value is ready.
type evaluation struct {
	cases    int // with a known right category
	right    int // the exact category
	suppress int // cases that must be suppressed at once …
	found    int // … and are
	sender   int // cases that are the sender's …
	wrong    int // … but would be suppressed at once
	other    int // all other cases …
	tooSoon  int // … that would be suppressed at once
	pairs    map[[2]string]int
}

// add counts one case: the right category and the class it got. It reports
// whether the two agree, in the category and in suppressing at once.
func (v *evaluation) add(right bounceimport.Category, got *bounceimport.Class) bool {
	v.cases++
	now := got.Action == bounceimport.SuppressNow
	switch {
	case right.Action == bounceimport.SuppressNow:
		v.suppress++
		if now {
			v.found++
		}
	case right.Side == bounceimport.Sender:
		v.sender++
		if now {
			v.wrong++
		}
	default:
		v.other++
		if now {
			v.tooSoon++
		}
	}
	if right.Name == got.Category {
		v.right++
		return now == (right.Action == bounceimport.SuppressNow)
	}
	if v.pairs == nil {
		v.pairs = map[[2]string]int{}
	}
	v.pairs[[2]string{right.Name, got.Category}]++
	return false
}

// confusion is how often one category was taken for another.
type confusion struct {
	right, got string
	cases      int
}

// confusions returns the wrong categories, the most frequent first.
func (v *evaluation) confusions() []confusion {
	var list []confusion
	for p, n := range v.pairs {
		list = append(list, confusion{p[0], p[1], n})
	}
	slices.SortFunc(list, func(a, b confusion) int {
		return cmp.Or(b.cases-a.cases, cmp.Compare(a.right, b.right), cmp.Compare(a.got, b.got))
	})
	return list
}
