package history

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Stats is an overview of a history.
type Stats struct {
	Addresses  int64                   `json:"addresses"`
	Domains    int64                   `json:"domains"`
	Rows       int64                   `json:"rows"`
	Forgotten  int64                   `json:"forgotten"`
	Oldest     time.Time               `json:"oldest,omitzero"`
	Newest     time.Time               `json:"newest,omitzero"`
	NoTime     int64                   `json:"without_time"`
	Suppressed int64                   `json:"suppressed"` // addresses and domains that are to be suppressed now
	Held       int64                   `json:"held"`       // held for review: an incident
	Categories []Count                 `json:"categories"` // most first
	Sides      []Count                 `json:"sides"`
	Providers  []Count                 `json:"providers"`
	Files      []File                  `json:"files"`
	Incidents  []bounceimport.Incident `json:"incidents"` // found in this history, not the known ones
}

func counts(m map[string]int64) []Count {
	list := make([]Count, 0, len(m))
	for name, n := range m {
		list = append(list, Count{name, n})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return list
}

// Count is a name and how many rows (an address, category and day) it has.
type Count struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// Stats looks at the whole history.
func (s *Store) Stats(ctx context.Context, now time.Time) (*Stats, error) {
	t := &Stats{}
	categories, sides, providers := map[string]int64{}, map[string]int64{}, map[string]int64{}
	err := s.snapshot(ctx, func() error {
		incidents, err := s.incidents()
		if err != nil {
			return err
		}
		t.Incidents = incidents[len(bounceimport.KnownIncidents()):]
		var key string
		var days []bounceimport.DayEvent
		standing := func() {
			if len(days) == 0 {
				return
			}
			switch r := bounceimport.FoldIncidents(days, incidents, now); {
			case r.Action != bounceimport.SuppressNow && r.Action != bounceimport.Count:
			case r.Held != "":
				t.Held++
			default:
				t.Suppressed++
			}
			days = days[:0]
		}
		read, err := s.rows(selectEvents+" ORDER BY key, category, action, day", nil, nil, nil, func(k string, d bounceimport.DayEvent) error {
			if k != key {
				standing()
				key = k
				if k[0] == '@' {
					t.Domains++
				} else {
					t.Addresses++
				}
			}
			days = append(days, d)
			t.Rows++
			if k[0] == '@' {
				return nil
			}
			if d.Last.IsZero() {
				t.NoTime++
			} else {
				if t.Oldest.IsZero() || d.First.Before(t.Oldest) {
					t.Oldest = d.First
				}
				if d.Last.After(t.Newest) {
					t.Newest = d.Last
				}
			}
			categories[d.Category]++
			p := d.Provider
			if p == "" {
				p = "other"
			}
			providers[p]++
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.whole(read); err != nil {
			return err
		}
		standing()
		if t.Forgotten, err = s.int("SELECT count(*) FROM forgotten"); err != nil {
			return err
		}
		return sqlitex.Execute(s.conn, "SELECT name, sha256, format, records FROM file ORDER BY name, sha256", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
			t.Files = append(t.Files, File{st.ColumnText(0), st.ColumnText(1), st.ColumnText(2), st.ColumnInt64(3)})
			return nil
		}})
	})
	for name, n := range categories {
		c, _ := bounceimport.LookupCategory(name)
		sides[string(c.Side)] += n
	}
	t.Categories, t.Sides, t.Providers = counts(categories), counts(sides), counts(providers)
	return t, err
}
