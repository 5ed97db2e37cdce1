package history

import (
	"context"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

// Dossier is all that is known of one address.
type Dossier struct {
	Key          string                  `json:"address"`
	Record       bounceimport.Record     `json:"record"`                  // what it comes to; Category "" when nothing counts
	DomainRecord bounceimport.Record     `json:"domain_record"`           // the same for its domain
	Events       []bounceimport.DayEvent `json:"events,omitempty"`        // by time
	DomainEvents []bounceimport.DayEvent `json:"domain_events,omitempty"` // of the domain as a whole
	Forgotten    time.Time               `json:"forgotten,omitzero"`      // when it was forgotten
}

// Show returns what is known of an address (its key, see validate.Address.Key)
// or of a domain ("@example.com") and its standing at the time now.
func (s *Store) Show(ctx context.Context, key string, now time.Time) (*Dossier, error) {
	d := &Dossier{Key: key}
	err := s.snapshot(ctx, func() error {
		incidents, err := s.incidents()
		if err != nil {
			return err
		}
		one := func(key string, days *[]bounceimport.DayEvent, r *bounceimport.Record) error {
			_, err := s.rows(selectEvents+" WHERE key = ? ORDER BY last, category, action, day", []any{key}, nil, nil, func(_ string, e bounceimport.DayEvent) error {
				*days = append(*days, e)
				return nil
			})
			*r = bounceimport.FoldIncidents(*days, incidents, now)
			return err
		}
		if err := one(key, &d.Events, &d.Record); err != nil {
			return err
		}
		if i := strings.LastIndexByte(key, '@'); i > 0 {
			if err := one(key[i:], &d.DomainEvents, &d.DomainRecord); err != nil {
				return err
			}
			if r, since, err := s.forgottenRecord(key); err != nil {
				return err
			} else if r.Category != "" {
				d.Record, d.Forgotten = r, since
			}
		}
		return nil
	})
	return d, err
}
