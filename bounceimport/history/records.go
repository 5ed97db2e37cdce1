package history

import (
	"context"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
)

var _ bounceimport.HashedSource = (*Store)(nil)

// Records implements [bounceimport.Source]: it streams in the order of the
// keys' bytes, in memory that does not depend on the size of the history.
func (s *Store) Records(ctx context.Context, now time.Time, want func(key string) bool, yield func(key string, r bounceimport.Record) error) error {
	return s.Standings(ctx, now, want, func(key string, r bounceimport.Record) error {
		if r.Action == bounceimport.Clear || r.Action == bounceimport.Ignore {
			return nil // a sign of life, or not enough yet: nothing is done about it
		}
		return yield(key, r)
	})
}

// Standings is like Records, but with the addresses about which nothing is to be
// done.
func (s *Store) Standings(ctx context.Context, now time.Time, want func(key string) bool, yield func(key string, r bounceimport.Record) error) error {
	return s.snapshot(ctx, func() error {
		incidents, err := s.incidents()
		if err != nil {
			return err
		}
		read, err := s.records(selectEvents+" ORDER BY key, category, action, day", nil, incidents, now, want, yield)
		if err != nil {
			return err
		}
		return s.whole(read)
	})
}
