package bounceimport

import (
	"slices"
	"strings"
	"time"
)

// DayEvent is what the events of one address (or domain) of one category on one
// day come to. However many there are, a day counts once: a sender that retries
// ten times an hour must not use up ten chances of a mailbox.
type DayEvent struct {
	Category string    `json:"category"`
	Action   Action    `json:"action"`         // of the class; SuppressNow needs at least medium confidence, else the classifier says Count
	Soft     bool      `json:"soft,omitempty"` // every reply of the day was temporary (4yz)
	Events   int       `json:"events"`         // how many there were
	First    time.Time `json:"first,omitzero"` // first and last event of the day; zero: the source gave no time
	Last     time.Time `json:"last,omitzero"`
	Provider string    `json:"provider,omitempty"` // of the last event, as Providers names it
	Reply    string    `json:"reply,omitempty"`    // of the last event, and where it stands
	Rule     string    `json:"rule,omitempty"`
	Source   string    `json:"source,omitempty"`
}

// AddressCategory returns the category under which the event counts for its
// address, or "" when it says nothing of the address but only of its domain.
func (e *Event) AddressCategory() string {
	if categoryOf(e.Category).AboutDomain {
		return ""
	}
	return e.Category
}

// DomainCategory returns the category under which the event counts for the
// domain of its address (the key "@domain"), or "" when it says nothing of it. A
// mail server that answers with a reply code is alive, whatever it answers: that is
// "delivered" to the counters of the domain, and keeps a few time-outs from
// condemning a provider that serves millions. That holds for unknown wording and
// for a complaint about our protocol as well: somebody spoke SMTP with us. A wrong
// "alive" lets a dead domain be mailed a little longer; a wrong "dead" condemns
// everybody behind it.
func (e *Event) DomainCategory() string {
	c := categoryOf(e.Category)
	switch {
	case c.AboutDomain || e.Category == "delivered":
		return e.Category
	case c.Answered && e.Code != 0 && e.Reply != "":
		return "delivered"
	}
	return ""
}

// Soft reports whether the event is a temporary failure by its own codes or,
// where there are none, by the words of its source.
func (e *Event) Soft() bool {
	switch {
	case e.Status != "":
		return e.Status[0] == '4'
	case e.Code != 0:
		return e.Code/100 == 4
	}
	v := strings.ToLower(e.Verdict)
	return strings.Contains(v, "soft") || strings.Contains(v, "transient") || strings.Contains(v, "temp") || strings.Contains(v, "defer")
}

// Fold applies the thresholds to everything known of one key at the time now:
// one event of some categories suppresses; others must come back on several
// days within a window; proof of life resets what came before it; sender-side
// events never suppress. Events may come in any order; the result does not
// depend on it. It returns the zero Record when nothing counts any more.
func Fold(events []DayEvent, now time.Time) Record {
	// Proof of life. A delivery without a time disproves nothing.
	var alive, takenBack time.Time
	for i := range events {
		switch e := &events[i]; e.Category {
		case "delivered":
			alive = later(alive, e.Last)
		case "not_spam": // RFC 5965: the recipient took a complaint back; clears what was counted, gives no consent
			takenBack = later(takenBack, e.Last)
		}
	}
	stands := func(e *DayEvent) bool {
		if !categoryOf(e.Category).Revivable {
			return true
		}
		cleared := alive
		if e.Action == Count {
			cleared = later(cleared, takenBack)
		}
		return cleared.IsZero() || (!e.Last.IsZero() && e.Last.After(cleared)) || (e.Last.IsZero() && e.Action == SuppressNow)
	}

	var best Record
	var bestRank int
	consider := func(rank int, r Record) {
		if best.Category == "" || rank > bestRank || rank == bestRank && before(&best, &r) {
			best, bestRank = r, rank
		}
	}
	type kind struct {
		category string
		action   Action
	}
	var done [4]kind // those that were looked at; there are rarely more
	again := func(e *DayEvent) bool {
		k := kind{e.Category, e.Action}
		if slices.Contains(done[:], k) {
			return true
		}
		copy(done[1:], done[:])
		done[0] = k
		return false
	}
	for i := range events {
		e := &events[i]
		switch e.Action {
		case SuppressNow:
			if !stands(e) || again(e) {
				continue
			}
			c := categoryOf(e.Category)
			r := gather(events, stands, func(o *DayEvent) bool { return o.Category == e.Category && o.Action == SuppressNow })
			if c.Expiry > 0 && !r.Last.IsZero() {
				r.Until = r.Last.Add(c.Expiry)
				if !now.Before(r.Until) {
					continue
				}
			}
			consider(c.rank, r)
		case Count:
			if again(e) {
				continue
			}
			switch r := count(events, e.Category, stands, now); r.Action {
			case Count:
				consider(40, r)
			case Ignore:
				consider(10, r) // known, not yet enough
			}
		case Report:
			consider(20, single(e))
		case Clear:
			consider(5, single(e))
		case Ignore:
			consider(1, single(e))
		}
	}
	return best
}

// count applies the threshold of a counted category. The record's action is
// Count when it was reached, Ignore when there is something that may yet add up,
// and "" when there is nothing or all of it has run out.
func count(events []DayEvent, category string, stands func(*DayEvent) bool, now time.Time) Record {
	is := func(o *DayEvent) bool { return o.Category == category && o.Action == Count }
	r := gather(events, stands, is)
	if r.Category == "" {
		return r
	}
	c := categoryOf(category)
	if c.Counts.Days == 0 { // too weak to act on at once (low confidence): it counts as a reply does that says nothing
		weak := *categoryOf("unknown")
		weak.CountsSoft = weak.Counts
		c = &weak
	}
	end := reached(events, c.Counts, func(o *DayEvent) bool { return is(o) && stands(o) && (c.Counts == c.CountsSoft || !o.Soft) })
	if c.Counts != c.CountsSoft {
		end = later(end, reached(events, c.CountsSoft, func(o *DayEvent) bool { return is(o) && stands(o) }))
	}
	// It runs out after the end of the window, not after any later event: what
	// comes back once after the suppression ran out has to add up anew.
	switch until := end.Add(c.Expiry); {
	case end.IsZero():
		r.Action = Ignore
	case now.Before(until):
		r.Action, r.Until = Count, until
	case r.Last.After(end):
		r.Action = Ignore
	default:
		r.Action = ""
	}
	return r
}

// reached returns the time of the last event that ends a window with enough
// days in it, or zero when there is none. Days without a time cannot be told
// apart, so they never reach a threshold together.
func reached(events []DayEvent, t Threshold, is func(*DayEvent) bool) (end time.Time) {
	type span struct{ first, last time.Time }
	days := make([]span, 0, 8)
	for i := range events {
		if e := &events[i]; is(e) && !e.Last.IsZero() {
			days = append(days, span{e.First, e.Last})
		}
	}
	if len(days) < t.Days {
		return end
	}
	slices.SortFunc(days, func(a, b span) int { return a.last.Compare(b.last) })
	n := 0 // the caller may not have put the events of a day together
	for _, d := range days[1:] {
		if have := &days[n]; have.last.UTC().Truncate(day).Equal(d.last.UTC().Truncate(day)) {
			have.last = d.last
			if d.first.Before(have.first) {
				have.first = d.first
			}
		} else {
			n++
			days[n] = d
		}
	}
	days = days[:n+1]
	from := 0
	for i, d := range days {
		for t.Window > 0 && d.last.Sub(days[from].last) > t.Window {
			from++
		}
		if i-from+1 >= t.Days && d.last.Sub(days[from].first) >= t.Span {
			end = d.last
		}
	}
	return end
}

// gather sums up the events of one kind into a record that shows the last of them.
func gather(events []DayEvent, stands, is func(*DayEvent) bool) Record {
	var r Record
	n, first := 0, time.Time{}
	for i := range events {
		e := &events[i]
		if !is(e) || !stands(e) {
			continue
		}
		n += max(e.Events, 1)
		if !e.First.IsZero() && (first.IsZero() || e.First.Before(first)) {
			first = e.First
		}
		if s := single(e); r.Category == "" || before(&r, &s) {
			r = s
		}
	}
	r.Events, r.First = n, first
	return r
}

func single(e *DayEvent) Record {
	return Record{Category: e.Category, Action: e.Action, Events: max(e.Events, 1), First: e.First, Last: e.Last,
		Reply: e.Reply, Rule: e.Rule, Source: e.Source}
}

// before orders records of the same rank: the later event decides, and where
// the times are the same, an order that does not depend on the input's.
func before(a, b *Record) bool {
	if !a.Last.Equal(b.Last) {
		return a.Last.Before(b.Last)
	}
	if a.Category != b.Category {
		return a.Category > b.Category
	}
	if a.Source != b.Source {
		return a.Source > b.Source
	}
	return a.Reply > b.Reply
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
