package history

import (
	"errors"
	"hash/crc32"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// selectEvents reads what a run asks for of the events.
const selectEvents = `SELECT key, category, action, first, last, soft, reply, rule, source, sum, provider FROM event`

// allColumns are the columns of the table event but for its checksums.
const allColumns = "key, category, action, day, first, last, soft, provider, reply, rule, source, code, status, phase, remote, hint, whole"

// rows calls each for the events that a query in the form of selectEvents
// finds, and returns how many there were and the sum of their checksums. The keys
// for which want answers false are skipped before anything else of them is read but
// their checksum. A row's key is the same string for all rows of the key. With
// incidents only what folding with these asks for is read.
func (s *Store) rows(query string, args []any, incidents []bounceimport.Incident, want func(string) bool, each func(key string, d bounceimport.DayEvent) error) (t totals, err error) {
	var w words
	var buf, check []byte
	var key string
	var keySum uint32
	wanted := false
	err = sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		if b := readColumn(st, colKey, &buf); string(b) != key {
			key = string(b)
			keySum = crc32.Checksum(b, castagnoli)
			wanted = want == nil || want(key)
		}
		sum := uint64(st.ColumnInt64(colSum))
		t.rows++
		t.sum += sum
		if uint32(sum>>32) != keySum {
			return s.damaged("an address does not match its checksum")
		}
		if !wanted {
			return nil
		}
		r := row{category: w.column(st, colCategory), action: bounceimport.Action(w.column(st, colAction)), first: st.ColumnInt64(colFirst), last: st.ColumnInt64(colLast),
			reply: st.ColumnText(colReply), rule: w.column(st, colRule), source: st.ColumnText(colSource)}
		// Each column costs; these two do not matter to every row.
		if r.action == bounceimport.Count {
			r.soft = st.ColumnInt(colSoft) != 0
		}
		if check = r.deciding(check[:0]); crc32.Checksum(check, castagnoli) != uint32(sum) {
			return s.damaged("an event does not match its checksum")
		}
		d := bounceimport.DayEvent{Category: r.category, Action: r.action, Soft: r.soft, Events: 1, First: unix(r.first), Last: unix(r.last),
			Reply: r.reply, Rule: r.rule, Source: r.source}
		if incidents == nil || near(incidents, &d) {
			d.Provider = w.column(st, colProvider)
		}
		return each(key, d)
	}})
	return t, err
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

// records folds the events that a query in the form of selectEvents finds, in the
// order of their keys.
func (s *Store) records(query string, args []any, incidents []bounceimport.Incident, now time.Time, want func(string) bool, yield func(string, bounceimport.Record) error) (totals, error) {
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
	t, err := s.rows(query, args, incidents, want, func(k string, d bounceimport.DayEvent) error {
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
		return t, err
	}
	return t, done()
}

// scan fills the row from a query for allColumns.
func (r *row) scan(st *sqlite.Stmt) {
	*r = row{key: st.ColumnText(0), category: st.ColumnText(1), action: bounceimport.Action(st.ColumnText(2)), day: st.ColumnInt64(3),
		first: st.ColumnInt64(4), last: st.ColumnInt64(5), soft: st.ColumnBool(6), provider: st.ColumnText(7), reply: st.ColumnText(8),
		rule: st.ColumnText(9), source: st.ColumnText(10), code: st.ColumnInt64(11), status: st.ColumnText(12), phase: st.ColumnText(13),
		remote: st.ColumnText(14), hint: st.ColumnText(15), whole: st.ColumnBool(16)}
}

// merge adds a row to the table, within a write transaction, and says whether that
// changed anything.
func (s *Store) merge(t *totals, r *row) (changed bool, err error) {
	st, err := s.conn.Prepare("SELECT " + allColumns + ", sum, rest FROM event WHERE key = ? AND category = ? AND action = ? AND day = ?")
	if err != nil {
		return false, err
	}
	st.BindText(1, r.key)
	st.BindText(2, r.category)
	st.BindText(3, string(r.action))
	st.BindInt64(4, r.day)
	found, err := st.Step()
	if err != nil {
		return false, errors.Join(err, st.Reset())
	}
	if !found {
		t.rows++
		return true, errors.Join(st.Reset(), s.put(t, "INSERT INTO event ("+allColumns+", sum, rest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)", r))
	}
	var have row
	have.scan(st)
	was, rest := st.ColumnInt64(17), st.ColumnInt64(18)
	if err := st.Reset(); err != nil {
		return false, err
	}
	var sum, sumRest int64
	if sum, sumRest, t.buf = have.sums(t.buf); sum != was || sumRest != rest {
		return false, s.damaged("an event does not match its checksum")
	}
	both := have
	if both.merge(r); both == have {
		return false, nil
	}
	t.sum -= uint64(was)
	return true, s.put(t, `UPDATE event SET first = ?5, last = ?6, soft = ?7, provider = ?8, reply = ?9, rule = ?10, source = ?11, code = ?12, status = ?13,
		phase = ?14, remote = ?15, hint = ?16, whole = ?17, sum = ?18, rest = ?19 WHERE key = ?1 AND category = ?2 AND action = ?3 AND day = ?4`, &both)
}

// put writes a row by a statement with the columns in their order, and counts its checksum.
func (s *Store) put(t *totals, query string, r *row) error {
	st, err := s.conn.Prepare(query)
	if err != nil {
		return err
	}
	for i, v := range [...]string{0: r.key, 1: r.category, 2: string(r.action), 7: r.provider, 8: r.reply, 9: r.rule, 10: r.source, 12: r.status, 13: r.phase, 14: r.remote, 15: r.hint} {
		st.BindText(i+1, v)
	}
	var sum, rest int64
	sum, rest, t.buf = r.sums(t.buf)
	st.BindInt64(4, r.day)
	st.BindInt64(5, r.first)
	st.BindInt64(6, r.last)
	st.BindBool(7, r.soft)
	st.BindInt64(12, r.code)
	st.BindBool(17, r.whole)
	st.BindInt64(18, sum)
	st.BindInt64(19, rest)
	t.sum += uint64(sum)
	_, err = st.Step()
	return errors.Join(err, st.Reset())
}

// remove deletes the events that a condition finds, within a write transaction.
func (s *Store) remove(t *totals, where string, args ...any) (n int, err error) {
	err = sqlitex.Execute(s.conn, "DELETE FROM event WHERE "+where+" RETURNING sum", &sqlitex.ExecOptions{Args: args, ResultFunc: func(st *sqlite.Stmt) error {
		n++
		t.rows--
		t.sum -= uint64(st.ColumnInt64(0))
		return nil
	}})
	return n, err
}
