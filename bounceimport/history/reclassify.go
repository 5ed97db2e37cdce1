package history

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Moved says how many rows changed from one category (or action) to another.
type Moved struct {
	From       string              `json:"from"`
	FromAction bounceimport.Action `json:"from_action"`
	To         string              `json:"to"`
	ToAction   bounceimport.Action `json:"to_action"`
	N          int64               `json:"n"`
}

// reclassifyBatch is how many rows are judged, and their changes written, at once.
const reclassifyBatch = 20_000

// Reclassify judges the kept replies of all addresses again, by the rules of
// today, and moves what they judge otherwise: rules get better, and what was a
// dead mailbox to an old one may be the sender's fault. Rows without a whole
// reply stay as they are, and so do those of domains, whose addresses are not
// known. Unless apply is set nothing is changed. The result is ordered by count.
func (s *Store) Reclassify(ctx context.Context, classify func(reply.Evidence) reply.Verdict, apply bool) ([]Moved, error) {
	j := rejudging{s: s, classify: classify, moved: make(map[Moved]int64)}
	for n := reclassifyBatch; n == reclassifyBatch; {
		var err error
		if n, err = j.judge(ctx); err != nil {
			return nil, err
		}
		if apply && len(j.gone) > 0 {
			if err := j.write(ctx); err != nil {
				return nil, err
			}
		}
	}
	if apply && len(j.moved) > 0 {
		err := s.during(ctx, func() error { return s.change(func(t *totals) error { t.small = true; return s.findIncidents() }) })
		if err != nil {
			return nil, err
		}
	}
	var list []Moved
	for k, n := range j.moved {
		k.N = n
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b Moved) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.From, b.From), cmp.Compare(a.FromAction, b.FromAction), cmp.Compare(a.To, b.To), cmp.Compare(a.ToAction, b.ToAction))
	})
	return list, nil
}

// rejudging is the state of Reclassify.
type rejudging struct {
	s        *Store
	classify func(reply.Evidence) reply.Verdict
	moved    map[Moved]int64 // N is 0
	at       row             // the last one that was judged: where it goes on

	// Of the batch: the rows that move, and the events as which they come back.
	gone []row
	add  []bounceimport.Event
}

// judge judges the next batch and says how many rows it had.
func (j *rejudging) judge(ctx context.Context) (n int, err error) {
	j.gone, j.add = j.gone[:0], j.add[:0]
	err = j.s.during(ctx, func() error {
		return sqlitex.Execute(j.s.conn, "SELECT "+allColumns+" FROM event WHERE (key, category, action, day) > (?, ?, ?, ?) ORDER BY key, category, action, day LIMIT ?",
			&sqlitex.ExecOptions{Args: []any{j.at.key, j.at.category, string(j.at.action), j.at.day, reclassifyBatch}, ResultFunc: func(st *sqlite.Stmt) error {
				n++
				j.at.scan(st)
				if j.at.key[0] != '@' && j.at.whole {
					j.row(j.at)
				}
				return nil
			}})
	})
	return n, err
}

// row judges one row.
func (j *rejudging) row(r row) {
	v := j.classify(reply.Evidence{Recipient: r.key, Reply: strings.ReplaceAll(r.reply, "***", "x"), // a masked address must look like an address
		Code: int(r.code), Status: r.status, Phase: r.phase, Remote: r.remote, Hint: r.hint})
	if r.category == v.Category && r.action == v.Action {
		return
	}
	j.moved[Moved{From: r.category, FromAction: r.action, To: v.Category, ToAction: v.Action}]++
	j.gone = append(j.gone, r)
	e := bounceimport.Event{Recipient: r.key, Time: unix(r.last), Reply: r.reply, Source: r.source, Remote: r.remote, Hint: r.hint,
		Class: v.Class, Code: v.Code, Status: v.Status, Phase: v.Phase}
	j.add = append(j.add, e)
	if r.first != r.last {
		e.Time = unix(r.first)
		j.add = append(j.add, e)
	}
}

// write moves the rows of the batch.
func (j *rejudging) write(ctx context.Context) error {
	m := j.s.Begin(ctx)
	for i := range j.add {
		if err := m.collect(&j.add[i]); err != nil {
			return err
		}
	}
	return j.s.during(ctx, func() error {
		return j.s.change(func(t *totals) error {
			for _, r := range j.gone {
				if _, err := j.s.remove(t, "key = ? AND category = ? AND action = ? AND day = ?", r.key, r.category, string(r.action), r.day); err != nil {
					return err
				}
			}
			m.sort()
			_, err := m.put(t, m.sorted(), math.MaxInt)
			return err
		})
	})
}
