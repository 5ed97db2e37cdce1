package history

import (
	"github.com/winnow-email/winnow/bounceimport"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

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
