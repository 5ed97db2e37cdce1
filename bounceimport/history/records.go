package history

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

var _ bounceimport.HashedSource = (*Store)(nil)

// snapshot runs f on the state of one moment, whatever other processes write.
func (s *Store) snapshot(ctx context.Context, f func() error) error {
	return s.during(ctx, func() (err error) {
		end := sqlitex.Transaction(s.conn)
		defer end(&err)
		return f()
	})
}

const selectEvents = `SELECT key, category, action, day, first, last, soft, provider, reply, rule, source FROM event`

// The columns of selectEvents.
const (
	colKey = iota
	colCategory
	colAction
	colDay
	colFirst
	colLast
	colSoft
	colProvider
	colReply
	colRule
	colSource
)

// words keeps one copy of each short string that comes up again and again.
type words struct {
	m    map[string]string
	last [colSource + 1]string // of each column: the next row often has the same
	buf  []byte
}

func (w *words) column(st *sqlite.Stmt, col int) string {
	b := readColumn(st, col, &w.buf)
	if string(b) == w.last[col] {
		return w.last[col]
	}
	s, ok := w.m[string(b)]
	if !ok {
		if w.m == nil {
			w.m = make(map[string]string)
		}
		s = string(b)
		if len(w.m) < 4096 {
			w.m[s] = s
		}
	}
	w.last[col] = s
	return s
}

// readColumn reads a column into a buffer, which grows where it must.
func readColumn(st *sqlite.Stmt, col int, buf *[]byte) []byte {
	if *buf == nil {
		*buf = make([]byte, 1024)
	}
	n := st.ColumnBytes(col, *buf)
	if n < len(*buf) {
		return (*buf)[:n]
	}
	*buf = make([]byte, 2*st.ColumnLen(col))
	return (*buf)[:st.ColumnBytes(col, *buf)]
}

// rows calls each for the events that a query in the form of selectEvents
// finds. The keys for which want answers false are skipped before anything else
// of them is read. A row's key is the same string for all rows of the key. With
// incidents only what folding with these asks for is read.
func (s *Store) rows(query string, args []any, incidents []bounceimport.Incident, want func(string) bool, each func(key string, d bounceimport.DayEvent) error) error {
	var w words
	var buf []byte
	var key string
	wanted := false
	return sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		if b := readColumn(st, colKey, &buf); string(b) != key {
			key = string(b)
			wanted = want == nil || want(key)
		}
		if !wanted {
			return nil
		}
		d := bounceimport.DayEvent{
			Category: w.column(st, colCategory),
			Action:   bounceimport.Action(w.column(st, colAction)),
			Events:   1,
			First:    unix(st.ColumnInt64(colFirst)),
			Last:     unix(st.ColumnInt64(colLast)),
			Reply:    st.ColumnText(colReply),
			Rule:     w.column(st, colRule),
			Source:   st.ColumnText(colSource),
		}
		// Each column costs; these two do not matter to every row.
		if d.Action == bounceimport.Count {
			d.Soft = st.ColumnInt(colSoft) != 0
		}
		if incidents == nil || near(incidents, &d) {
			d.Provider = w.column(st, colProvider)
		}
		return each(key, d)
	}})
}

// near says whether the event may lie in one of the incidents.
func near(incidents []bounceimport.Incident, d *bounceimport.DayEvent) bool {
	for i := range incidents {
		if in := &incidents[i]; !d.Last.Add(24*time.Hour).Before(in.From) && d.First.Before(in.To) {
			return true
		}
	}
	return false
}

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
		return s.records(incidents, selectEvents+" ORDER BY key, category, action, day", nil, now, want, yield)
	})
}

func (s *Store) records(incidents []bounceimport.Incident, query string, args []any, now time.Time, want func(string) bool, yield func(string, bounceimport.Record) error) error {
	var key string
	var days []bounceimport.DayEvent
	done := func() error {
		if len(days) == 0 {
			return nil
		}
		r := bounceimport.FoldIncidents(days, incidents, now)
		days = days[:0]
		if r.Category == "" {
			return nil
		}
		return yield(key, r)
	}
	err := s.rows(query, args, incidents, want, func(k string, d bounceimport.DayEvent) error {
		if k != key {
			if err := done(); err != nil {
				return err
			}
			key = k
		}
		days = append(days, d)
		return nil
	})
	if err != nil {
		return err
	}
	return done()
}

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
		err := s.rows(selectEvents+" WHERE last >= ? AND first < ? ORDER BY key, category, action, day", []any{lo, hi}, nil, func(key string) bool { return key[0] != '@' }, func(key string, day bounceimport.DayEvent) error {
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

// incidents returns the known incidents and those that were found.
func (s *Store) incidents() ([]bounceimport.Incident, error) {
	list := bounceimport.KnownIncidents()
	list = list[:len(list):len(list)]
	err := sqlitex.Execute(s.conn, "SELECT provider, first, last, n, why FROM incident ORDER BY first, provider", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		list = append(list, bounceimport.Incident{Provider: st.ColumnText(0), From: unix(st.ColumnInt64(1)), To: unix(st.ColumnInt64(2)), N: st.ColumnInt64(3), Why: st.ColumnText(4)})
		return nil
	}})
	return list, err
}

// findIncidents computes the incidents anew from the whole history, within a
// write transaction.
func (s *Store) findIncidents() error {
	var f bounceimport.IncidentFinder
	var w words
	// The hours in which anything was recorded count too: they say when mail was sent.
	err := sqlitex.Execute(s.conn, "SELECT provider, category, first / 3600 FROM event WHERE first > 0 AND day > 0 AND key NOT LIKE '@%'", &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		f.AddHour(w.column(st, 0), w.column(st, 1), st.ColumnInt64(2), 1)
		return nil
	}})
	if err != nil {
		return err
	}
	if err := sqlitex.Execute(s.conn, "DELETE FROM incident", nil); err != nil {
		return err
	}
	for _, in := range f.Find() {
		err := sqlitex.Execute(s.conn, "INSERT INTO incident (provider, first, last, n, why) VALUES (?, ?, ?, ?, ?)",
			&sqlitex.ExecOptions{Args: []any{in.Provider, in.From.Unix(), in.To.Unix(), in.N, in.Why}})
		if err != nil {
			return err
		}
	}
	return nil
}

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
			err := s.rows(selectEvents+" WHERE key = ? ORDER BY last, category, action, day", []any{key}, nil, nil, func(_ string, e bounceimport.DayEvent) error {
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
		err = s.rows(selectEvents+" ORDER BY key, category, action, day", nil, nil, nil, func(k string, d bounceimport.DayEvent) error {
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
