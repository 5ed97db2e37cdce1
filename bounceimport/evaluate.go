package bounceimport

import (
	"cmp"
	"slices"
)

// Evaluation compares classes with the right ones. The zero value is ready.
type Evaluation struct {
	Cases    int // with a known right category
	Right    int // the exact category
	Suppress int // cases that must be suppressed at once …
	Found    int // … and are
	Sender   int // cases that are the sender's …
	Wrong    int // … but would be suppressed at once
	Other    int // all other cases …
	TooSoon  int // … that would be suppressed at once
	pairs    map[[2]string]int
}

// Add counts one case: the right category and the class it got. It reports
// whether the two agree, in the category and in suppressing at once.
func (v *Evaluation) Add(right Category, got *Class) bool {
	v.Cases++
	now := got.Action == SuppressNow
	switch {
	case right.Action == SuppressNow:
		v.Suppress++
		if now {
			v.Found++
		}
	case right.Side == Sender:
		v.Sender++
		if now {
			v.Wrong++
		}
	default:
		v.Other++
		if now {
			v.TooSoon++
		}
	}
	if right.Name == got.Category {
		v.Right++
		return now == (right.Action == SuppressNow)
	}
	if v.pairs == nil {
		v.pairs = map[[2]string]int{}
	}
	v.pairs[[2]string{right.Name, got.Category}]++
	return false
}

// Confusion is how often one category was taken for another.
type Confusion struct {
	Right, Got string
	Cases      int
}

// Confusions returns the wrong categories, the most frequent first.
func (v *Evaluation) Confusions() []Confusion {
	var list []Confusion
	for p, n := range v.pairs {
		list = append(list, Confusion{p[0], p[1], n})
	}
	slices.SortFunc(list, func(a, b Confusion) int {
		return cmp.Or(b.Cases-a.Cases, cmp.Compare(a.Right, b.Right), cmp.Compare(a.Got, b.Got))
	})
	return list
}
