package bounceimport

import (
	"context"
	"slices"
	"strings"
	"time"

	"winnow/validate"
)

// A Ledger holds what the bounce files of one run say, as a Source: one entry a
// key, category and day. The zero value is ready to use. It is not safe for
// concurrent use while events are added.
type Ledger struct {
	keys    map[string]int32
	entries []ledgerEntry
	keybuf  []byte

	providers Providers

	Events  int64 // events added
	Foreign int64 // events whose recipient is not an address, so that no list can hold it
}

type ledgerEntry struct {
	key  string
	days []DayEvent
}

// Add adds an event; it keeps no reference to e. Its error is always nil: the
// signature is that of Read's yield.
func (l *Ledger) Add(e *Event) error {
	a, err := validate.ParseAddress(e.Recipient)
	if err != nil {
		l.Foreign++
		return nil
	}
	l.Events++
	if c := e.AddressCategory(); c != "" {
		l.keybuf = a.AppendKey(l.keybuf[:0])
		l.add(e, c, e.Action)
	}
	if c := e.DomainCategory(); c != "" {
		l.keybuf = append(append(l.keybuf[:0], '@'), a.Domain...)
		action := e.Action
		if c == "delivered" {
			action = Clear
		}
		l.add(e, c, action)
	}
	return nil
}

func (l *Ledger) add(e *Event, category string, action Action) {
	i, ok := l.keys[string(l.keybuf)]
	if !ok {
		if l.keys == nil {
			l.keys = make(map[string]int32)
		}
		i = int32(len(l.entries))
		key := string(l.keybuf)
		l.keys[key] = i
		l.entries = append(l.entries, ledgerEntry{key: key})
	}
	n := &l.entries[i]
	for j := range n.days {
		d := &n.days[j]
		if d.Category == category && d.Action == action && sameDay(d.Last, e.Time) {
			d.Events++
			d.Soft = d.Soft && e.Soft()
			if e.Time.Before(d.First) {
				d.First = e.Time
			}
			o := Record{Category: category, Last: e.Time, Source: e.Source, Reply: cutReply(e.Reply)}
			if c := (Record{Category: category, Last: d.Last, Source: d.Source, Reply: d.Reply}); before(&c, &o) {
				d.Last = later(d.Last, e.Time)
				d.Reply, d.Rule, d.Source, d.Provider = strings.Clone(o.Reply), e.Rule, strings.Clone(e.Source), l.providers.Of(e)
			}
			return
		}
	}
	n.days = append(n.days, DayEvent{Category: category, Action: action, Soft: e.Soft(), Events: 1, First: e.Time, Last: e.Time,
		Provider: l.providers.Of(e), Reply: strings.Clone(cutReply(e.Reply)), Rule: e.Rule, Source: strings.Clone(e.Source)})
}

func sameDay(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return a.UTC().Truncate(day).Equal(b.UTC().Truncate(day))
}

// Incidents returns the windows in which a provider's answers are not believed:
// those that are known, and those that the events themselves show.
func (l *Ledger) Incidents() []Incident {
	var f IncidentFinder
	for i := range l.entries {
		if n := &l.entries[i]; n.key[0] != '@' {
			for j := range n.days {
				f.Add(n.days[j].Provider, n.days[j].Category, n.days[j].First)
			}
		}
	}
	return slices.Concat(KnownIncidents(), f.Find())
}

// Records implements Source. Keys come in the order in which they were first
// seen. Events in one of the Incidents hold their address for review.
func (l *Ledger) Records(ctx context.Context, now time.Time, want func(key string) bool, yield func(key string, r Record) error) error {
	incidents := l.Incidents()
	for i := range l.entries {
		if i&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		n := &l.entries[i]
		if want != nil && !want(n.key) {
			continue
		}
		if r := FoldIncidents(n.days, incidents, now); r.Category != "" {
			if err := yield(n.key, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutReply makes a stranger's text fit to be shown: no control characters, at
// most 512 bytes, cut between characters.
func cutReply(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f || s[i] == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			clean = false
			break
		}
	}
	if !clean {
		s = strings.Map(func(r rune) rune {
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				return ' '
			}
			return r
		}, s)
		s = strings.Join(strings.Fields(s), " ")
	}
	if len(s) > 512 {
		cut := 512
		for cut > 0 && s[cut]&0xc0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	return s
}
