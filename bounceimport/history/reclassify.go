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
	type kind struct {
		from       string
		fromAction bounceimport.Action
		to         string
		toAction   bounceimport.Action
	}
	count := make(map[kind]int64)
	type place struct {
		key, category, action string
		day                   int64
	}
	var at place
	for {
		var gone []place
		var add []bounceimport.Event
		n := 0
		err := s.during(ctx, func() error {
			return sqlitex.Execute(s.conn, `SELECT key, category, action, day, first, last, reply, source, code, status, phase, remote, hint, whole FROM event
				WHERE (key, category, action, day) > (?, ?, ?, ?) ORDER BY key, category, action, day LIMIT ?`,
				&sqlitex.ExecOptions{Args: []any{at.key, at.category, at.action, at.day, reclassifyBatch}, ResultFunc: func(st *sqlite.Stmt) error {
					n++
					at = place{st.ColumnText(0), st.ColumnText(1), st.ColumnText(2), st.ColumnInt64(3)}
					if at.key[0] == '@' || !st.ColumnBool(13) {
						return nil
					}
					first, last := st.ColumnInt64(4), st.ColumnInt64(5)
					is := reply.Evidence{Recipient: at.key, Reply: strings.ReplaceAll(st.ColumnText(6), "***", "x"), // a masked address must look like an address
						Code: st.ColumnInt(8), Status: st.ColumnText(9), Phase: st.ColumnText(10), Remote: st.ColumnText(11), Hint: st.ColumnText(12)}
					v := classify(is)
					e := bounceimport.Event{Recipient: at.key, Time: unix(last), Reply: st.ColumnText(6), Source: st.ColumnText(7), Remote: is.Remote, Hint: is.Hint,
						Class: v.Class, Code: v.Code, Status: v.Status, Phase: v.Phase}
					k := kind{at.category, bounceimport.Action(at.action), e.Category, e.Action}
					if k.from == k.to && k.fromAction == k.toAction {
						return nil
					}
					count[k]++
					gone = append(gone, at)
					add = append(add, e)
					if first != last {
						e.Time = unix(first)
						add = append(add, e)
					}
					return nil
				}})
		})
		if err != nil {
			return nil, err
		}
		if apply && len(gone) > 0 {
			m := s.Begin(ctx)
			for i := range add {
				if err := m.collect(&add[i]); err != nil {
					return nil, err
				}
			}
			err := s.during(ctx, func() error {
				return s.write(func() error {
					for _, p := range gone {
						err := sqlitex.Execute(s.conn, "DELETE FROM event WHERE key = ? AND category = ? AND action = ? AND day = ?",
							&sqlitex.ExecOptions{Args: []any{p.key, p.category, p.action, p.day}})
						if err != nil {
							return err
						}
					}
					m.sort()
					_, err := m.upsert(m.sorted(), math.MaxInt)
					return err
				})
			})
			if err != nil {
				return nil, err
			}
		}
		if n < reclassifyBatch {
			break
		}
	}
	if apply && len(count) > 0 {
		err := s.during(ctx, func() error { return s.write(s.findIncidents) })
		if err != nil {
			return nil, err
		}
	}
	var list []Moved
	for k, n := range count {
		list = append(list, Moved{k.from, k.fromAction, k.to, k.toAction, n})
	}
	slices.SortFunc(list, func(a, b Moved) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.From, b.From), cmp.Compare(a.FromAction, b.FromAction), cmp.Compare(a.To, b.To), cmp.Compare(a.ToAction, b.ToAction))
	})
	return list, nil
}
