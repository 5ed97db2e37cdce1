package history

import (
	"context"
	"math"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
)

// Diagnose adds to d what the history knows of the time from from (included) to
// to (not included): one event for each address, category and day, and the
// incidents that were found in all of the history. A zero time is no limit; rows
// of which the time is not known are left out where from is one. Proof of life and
// what is said of whole domains are left out. Of events that came back the same
// day only the last reply is known.
func (s *Store) Diagnose(ctx context.Context, d *diagnosis.Diagnosis, from, to time.Time) error {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		lo = from.Unix()
	}
	if !to.IsZero() {
		hi = to.Unix()
	}
	return s.snapshot(ctx, func() error {
		_, err := s.rows(selectEvents+" WHERE last >= ? AND first < ? ORDER BY key, category, action, day", []any{lo, hi}, nil, func(key string) bool { return key[0] != '@' }, func(key string, day bounceimport.DayEvent) error {
			if day.Action == bounceimport.Clear {
				return nil
			}
			e := bounceimport.Event{Recipient: key, Time: day.Last, Reply: day.Reply, Source: day.Source, Format: "history"}
			c, _ := bounceimport.LookupCategory(day.Category)
			e.Class = bounceimport.Class{Category: day.Category, Bucket: c.Bucket, Side: c.Side, Action: day.Action, Rule: day.Rule,
				Provider: day.Provider, Meaning: c.Meaning, Fix: c.Fix}
			return d.Add(&e)
		})
		if err != nil {
			return err
		}
		incidents, err := s.incidents()
		for _, in := range incidents[len(bounceimport.KnownIncidents()):] {
			if in.To.Unix() > lo && in.From.Unix() < hi {
				d.Incidents = append(d.Incidents, in)
			}
		}
		return err
	})
}
