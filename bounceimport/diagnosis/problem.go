package diagnosis

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// problem answers the questions for one category.
func (d *Diagnosis) problem(keys []cellKey, changes []Change) Problem {
	slices.SortFunc(keys, func(a, b cellKey) int {
		return cmp.Or(cmp.Compare(d.cells[b].n, d.cells[a].n), cmp.Compare(a.provider, b.provider), cmp.Compare(a.action, b.action))
	})
	top := d.cells[keys[0]]
	about, _ := bounceimport.LookupCategory(top.category)
	p := Problem{Category: top.category, Bucket: top.bucket, Meaning: about.Meaning, Fix: about.Fix}
	var recipients, domains, senders sketch
	for _, k := range keys {
		c := d.cells[k]
		p.N += c.n
		if i := slices.IndexFunc(p.Providers, func(o ProviderCount) bool { return o.Provider == k.provider }); i >= 0 {
			p.Providers[i].N += c.n
		} else {
			p.Providers = append(p.Providers, ProviderCount{k.provider, c.n})
		}
		widen(&p.First, &p.Last, c.first)
		widen(&p.First, &p.Last, c.last)
		recipients.merge(&c.recipients)
		domains.merge(&c.domains)
		senders.merge(&c.senders)
		p.Domain, p.Sender = cmp.Or(p.Domain, c.aDomain), cmp.Or(p.Sender, c.aSender)
	}
	slices.SortStableFunc(p.Providers, func(a, b ProviderCount) int { return cmp.Compare(b.N, a.N) })
	p.Recipients, p.Domains, p.Senders = recipients.n(), domains.n(), senders.n()
	if p.Domains != 1 {
		p.Domain = ""
	}
	if p.Senders != 1 {
		p.Sender = ""
	}
	p.Scope = d.scope(&p)
	// The providers that matter: a single stray at another one must not move the onset.
	var cells []cellKey
	for _, k := range keys {
		if d.cells[k].n*20 >= p.N {
			cells = append(cells, k)
		}
	}
	p.Since, p.Over = d.onset(cells, changes)
	return p
}

// scope says whether a category is met at one provider or everywhere.
func (d *Diagnosis) scope(p *Problem) string {
	top := p.Providers[0]
	var here, all int64 // events at that provider, and all
	for k, c := range d.cells {
		if c.side == bounceimport.None {
			continue
		}
		all += c.n
		if k.provider == top.Provider {
			here += c.n
		}
	}
	share := float64(top.N) / float64(p.N)
	switch {
	case top.Provider == "" && share > 0.5:
		return "not_known"
	case all-here < 5 && share == 1: // nothing to compare with
		return "not_known"
	case share >= 0.95:
		return "one_provider"
	case share >= 0.7 && share > 1.5*float64(here)/float64(all):
		return "mostly_one_provider"
	}
	return "everywhere"
}

// An exposure is how often a problem was met out of all events at the providers
// where it was, hour by hour.
type exposure struct {
	mine   map[*tally]bool // the cells of the problem
	hours  []int64         // since 1970, ascending
	points map[int64]Share // hour -> its events
	total  Share
}

func (d *Diagnosis) exposure(keys []cellKey) *exposure {
	x := &exposure{mine: make(map[*tally]bool), points: make(map[int64]Share)}
	providers := make(map[string]bool)
	for _, k := range keys {
		x.mine[d.cells[k]] = true
		providers[k.provider] = true
	}
	exposed := make(map[*tally]bool) // all cells of the same providers
	for k, c := range d.cells {
		exposed[c] = providers[k.provider]
	}
	for h, n := range d.hours {
		if !exposed[h.cell] {
			continue
		}
		p := x.points[h.hour]
		p.Of += n
		x.total.Of += n
		if x.mine[h.cell] {
			p.N += n
			x.total.N += n
		}
		x.points[h.hour] = p
	}
	x.hours = slices.Sorted(maps.Keys(x.points))
	return x
}

// split looks for the hour since which the problem is a much larger part of all: the
// split with the greatest likelihood. Its time is zero when there is none.
func (x *exposure) split() (best Onset) {
	gain := 10.0 // log-likelihood that a split must win, far beyond chance
	var before Share
	for _, h := range x.hours {
		p := x.points[h]
		after := Share{x.total.N - before.N, x.total.Of - before.Of}
		if p.N > 0 && before.Of > 0 && float64(after.N)*float64(before.Of) > 5*float64(before.N)*float64(after.Of) {
			if g := before.likelihood() + after.likelihood() - x.total.likelihood(); g > gain {
				gain = g
				best = Onset{Time: time.Unix(h*3600, 0).UTC(), Before: before, From: after}
			}
		}
		before.N += p.N
		before.Of += p.Of
	}
	return best
}

// later counts what came after the last event of the problem.
func (x *exposure) later() (n int64) {
	for _, h := range slices.Backward(x.hours) {
		if x.points[h].N > 0 {
			break
		}
		n += x.points[h].Of
	}
	return n
}

// onset says since when the cells' events are a much larger part of all events at
// the same providers, and whether that is over: what came after the last one would
// have met it, had it gone on.
func (d *Diagnosis) onset(keys []cellKey, changes []Change) (since *Onset, over bool) {
	x := d.exposure(keys)
	if x.total.N == 0 {
		return nil, false
	}
	best := x.split()
	from := best.From
	if best.Time.IsZero() {
		from = x.total
	}
	over = float64(x.later())*float64(from.N)/float64(from.Of) >= 10
	if best.Time.IsZero() {
		return nil, over
	}
	if !d.daily { // the hour is known; so is the first event in it, when the cell began there
		end := best.Time.Add(time.Hour)
		first := end
		for c := range x.mine {
			if !c.first.Before(best.Time) && c.first.Before(first) {
				first = c.first
			}
		}
		if first.Before(end) {
			best.Time = first
		}
	}
	for _, c := range changes {
		// A change that is dated by its day counts for all of it.
		if t := c.Time; !t.After(best.Time) && best.Time.Sub(t) <= 14*24*time.Hour {
			best.After = &c
		}
	}
	return &best, over
}

// likelihood is the log-likelihood of N out of Of at their own rate.
func (s Share) likelihood() float64 {
	if s.N == 0 || s.N == s.Of {
		return 0
	}
	p := float64(s.N) / float64(s.Of)
	return float64(s.N)*math.Log(p) + float64(s.Of-s.N)*math.Log(1-p)
}
