package esp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// sender works a plan off.
type sender struct {
	t        *Target
	s        *service
	j        *journal
	b        *Balance
	look     bool // ask for the list again afterwards in any case
	progress func(done, total int64)

	anonymous bool    // something was rejected that was not named
	refusals  int     // one after the other, with nothing taken between
	lost      int     // calls without an answer, one after the other
	seen      *looked // when the list was asked for again
}

// The points at which going on makes no sense any more.
const (
	maxRefusals = 20
	maxLost     = 3
)

func (d *sender) run(ctx context.Context) error {
	b := d.b
	b.Sent, b.Rejected, b.Unknown, b.Pending = 0, 0, 0, b.Written
	err := d.j.batches(d.t, d.s.laneOf, func(n int, lane string, items []item) error { return d.batch(ctx, n, lane, items) })
	if err == nil && d.s.wait != nil {
		err = d.j.batches(d.t, d.s.laneOf, func(n int, _ string, items []item) error {
			st := d.j.state[n]
			if st.done != nil {
				return nil
			}
			return d.await(ctx, n, items, st.jobs, st.first)
		})
	}
	if err != nil {
		return err
	}
	if d.s.verify || d.look || b.Unknown > 0 || d.anonymous {
		if err := d.verify(ctx); ctx.Err() != nil {
			return err
		} else if err != nil {
			// What was sent stays sent; without the look there is no saying so.
			b.Notes = append(b.Notes, "what is there now could not be read: "+err.Error())
			if d.s.verify {
				b.Unknown += b.Sent
				b.Sent = 0
			}
		}
	}
	if got := b.Sent + b.Rejected + b.Unknown + b.Pending; got != b.Written || b.balance() != b.Entries {
		return fmt.Errorf("the balance does not add up: %d of %d, %d of %d entries (please report this)", got, b.Written, b.balance(), b.Entries)
	}
	if b.Lists, err = d.lists(); err != nil {
		return err
	}
	return d.j.end()
}

// batch sends one batch, unless an earlier push has.
func (d *sender) batch(ctx context.Context, n int, lane string, items []item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	hash := batchHash(items)
	if st := d.j.state[n]; st != nil {
		switch {
		case st.hash != hash:
			return d.j.misfit()
		case st.done != nil && st.done.Unknown == 0:
			d.add(len(items), st.done.Rejected, 0)
			return nil
		case st.done == nil && len(st.jobs) > 0:
			return nil // waited for later
		}
	}
	if err := d.j.write(record{T: "begin", B: n, Hash: hash}); err != nil {
		return err
	}
	got, err := d.deliver(ctx, lane, items, 0)
	if err != nil {
		return err
	}
	if len(got.jobs) == 0 {
		return d.settle(n, items, got.outcome)
	}
	if err := d.j.write(record{T: "job", B: n, Jobs: got.jobs, Rejected: got.rejected, Unknown: got.unknown, Why: got.why}); err != nil {
		return err
	}
	if d.s.serial {
		return d.await(ctx, n, items, got.jobs, got.outcome)
	}
	d.j.state[n] = &batchState{hash: hash, jobs: got.jobs, first: got.outcome}
	return nil
}

// settle books what became of a batch.
func (d *sender) settle(n int, items []item, out outcome) error {
	if err := d.j.write(record{T: "done", B: n, N: len(items), Rejected: out.rejected, Unknown: out.unknown, Why: out.why}); err != nil {
		return err
	}
	d.add(len(items), out.rejected, out.unknown)
	return nil
}

func (d *sender) add(n int, rejections []rejection, unknown int) {
	rejected := 0
	for _, r := range rejections {
		rejected += r.N
		d.anonymous = d.anonymous || r.At < 0
	}
	rejected = min(rejected, n)
	unknown = min(unknown, n-rejected)
	d.b.Sent += int64(n - rejected - unknown)
	d.b.Rejected += int64(rejected)
	d.b.Unknown += int64(unknown)
	d.b.Pending -= int64(n)
	if d.progress != nil {
		d.progress(d.b.Written-d.b.Pending, d.b.Written)
	}
}

// delivery is the outcome of a batch that may have been cut into several calls.
type delivery struct {
	outcome
	jobs []jobRef
}

// deliver sends items. A call that is refused as a whole is halved until the
// item that spoils it stands alone: most providers refuse a thousand addresses
// for one they do not like.
func (d *sender) deliver(ctx context.Context, lane string, items []item, at int) (delivery, error) {
	out, err := d.s.send(ctx, lane, items)
	var ce *api.Error
	switch {
	case err == nil:
		d.refusals, d.lost = 0, 0
		got := delivery{outcome: d.plain(out, at)}
		if id := out.job; id != "" {
			if len(id) > 256 || d.s.c.Plain(id) != id { // it is kept in the journal
				return delivery{}, fmt.Errorf("%s gave a job a name that cannot be kept", d.t.Title)
			}
			got.jobs = []jobRef{{id, at, at + len(items)}}
		}
		return got, nil
	case !errors.As(err, &ce):
		return delivery{}, err
	case ce.Verdict == api.Maybe:
		if d.lost++; d.lost >= maxLost {
			return delivery{}, fmt.Errorf("%w; stopped after %d calls without an answer", ce, d.lost)
		}
		return delivery{outcome: outcome{unknown: len(items), why: ce.Why}}, nil
	case ce.Verdict != api.Refused:
		return delivery{}, ce
	case len(items) == 1:
		if d.refusals++; d.refusals >= maxRefusals {
			return delivery{}, fmt.Errorf("%s refused %d calls one after the other: %s", d.t.Title, d.refusals, ce.Why)
		}
		return delivery{outcome: outcome{rejected: []rejection{{At: at, N: 1, Why: ce.Why}}}}, nil
	}
	h := len(items) / 2
	a, err := d.deliver(ctx, lane, items[:h], at)
	if err != nil {
		return a, err
	}
	b, err := d.deliver(ctx, lane, items[h:], at+h)
	a.rejected = append(a.rejected, b.rejected...)
	a.jobs = append(a.jobs, b.jobs...)
	if a.unknown += b.unknown; a.why == "" {
		a.why = b.why
	}
	return a, err
}

// plain makes the provider's words in an outcome fit to be kept, and counts its
// items from where the batch has them.
func (d *sender) plain(out outcome, from int) outcome {
	out.why = d.s.c.Plain(out.why)
	for i := range out.rejected {
		r := &out.rejected[i]
		r.Why = d.s.c.Plain(r.Why)
		if r.At >= 0 {
			r.At += from
		}
	}
	return out
}

// await waits for the jobs of a batch and books their outcomes together with
// that of the calls that began them.
func (d *sender) await(ctx context.Context, n int, items []item, jobs []jobRef, out outcome) error {
	for _, j := range jobs {
		if j.From < 0 || j.From >= j.To || j.To > len(items) {
			return d.j.misfit()
		}
		o, err := d.s.wait(ctx, j.ID, items[j.From:j.To])
		var ce *api.Error
		if errors.As(err, &ce) && ce.Verdict != api.Stopped {
			o, err = outcome{unknown: j.To - j.From, why: ce.Why}, nil
		}
		if err != nil {
			return err
		}
		o = d.plain(o, j.From)
		out.rejected = append(out.rejected, o.rejected...)
		if out.unknown += o.unknown; out.why == "" {
			out.why = o.why
		}
	}
	return d.settle(n, items, out)
}

// spot is an item of the plan: its batch, and its index there.
type spot struct{ batch, at int }

// looked is what the list says of the items that were sent.
type looked struct {
	missing  map[spot]bool   // taken or unknown, and not there
	rejected map[spot]string // with the reason
}

// verify asks for the list again: what was taken and is not there is unknown,
// what was unknown and is there has arrived, and what was rejected without its
// name is among what is missing. Providers show new entries late, so it asks up
// to four times.
func (d *sender) verify(ctx context.Context) error {
	for try := 0; ; try++ {
		there, err := d.s.there(ctx)
		if err != nil {
			return err
		}
		seen, err := d.compare(there)
		if err != nil {
			return err
		}
		if len(seen.missing) == 0 && !d.anonymous || try == 3 {
			d.seen = seen
			d.b.Rejected, d.b.Unknown = int64(len(seen.rejected)), int64(len(seen.missing))
			d.b.Sent = d.b.Written - d.b.Rejected - d.b.Unknown
			return nil
		}
		wait := []time.Duration{5, 20, 60}[try] * time.Second
		if try > 0 {
			d.s.c.Note(fmt.Sprintf("%s does not show %d of the entries yet; looking again in %s", d.s.c.Name, max(len(seen.missing), 1), wait))
		}
		if err := d.s.c.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// compare finds the items that are not there.
func (d *sender) compare(there set) (*looked, error) {
	seen := &looked{missing: map[spot]bool{}, rejected: map[spot]string{}}
	err := d.j.batches(d.t, d.s.laneOf, func(n int, _ string, items []item) error {
		st := d.j.state[n]
		if st == nil || st.done == nil {
			return nil
		}
		anonymous, why := 0, ""
		for _, r := range st.done.Rejected {
			if r.At < 0 {
				anonymous, why = anonymous+r.N, r.Why
			} else if r.At < len(items) {
				seen.rejected[spot{n, r.At}] = r.Why
			}
		}
		for i := range items {
			at := spot{n, i}
			if _, known := seen.rejected[at]; known || d.s.holds(there, &items[i]) {
				continue
			}
			if anonymous > 0 {
				anonymous--
				seen.rejected[at] = why
				continue
			}
			seen.missing[at] = true
		}
		return nil
	})
	return seen, err
}

// The lists of what was not taken.
const (
	rejectedName = "rejected.csv"
	unknownName  = "unknown.csv"
)

// lists writes what was rejected and what is unknown, and names the files.
func (d *sender) lists() ([]string, error) {
	rows := map[string][]byte{rejectedName: nil, unknownName: nil}
	if d.b.Rejected+d.b.Unknown > 0 {
		add := func(name string, e *Entry, why string) {
			if rows[name] == nil {
				rows[name] = appendRow(nil, []string{"address", "reason", "why"})
			}
			rows[name] = appendRow(rows[name], []string{e.Address, string(e.Reason), shown.Cell(why)})
		}
		err := d.j.batches(d.t, d.s.laneOf, func(n int, _ string, items []item) error {
			if st := d.j.state[n]; st != nil && st.done != nil {
				d.untaken(n, items, st.done, add)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var lists []string
	for name, content := range rows {
		path := filepath.Join(d.j.dir, name)
		if content == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			continue
		}
		w, err := files.Replace(path)
		if err != nil {
			return nil, err
		}
		if err := w.Finish(content); err != nil {
			return nil, err
		}
		lists = append(lists, path)
	}
	slices.Sort(lists)
	return lists, nil
}

// untaken calls add for the items of a batch that were rejected or are unknown.
func (d *sender) untaken(n int, items []item, done *record, add func(name string, e *Entry, why string)) {
	named := map[int]string{}
	anonymous := ""
	for _, r := range done.Rejected {
		if named[r.At] = r.Why; r.At < 0 {
			anonymous = fmt.Sprintf("%d of these %d: %s", r.N, len(items), r.Why)
		}
	}
	for i := range items {
		e, at := &items[i].Entry, spot{n, i}
		why, rejected := named[i]
		missing, unsaid := done.Unknown > 0, done.Why
		if d.seen != nil {
			why, rejected = d.seen.rejected[at]
			if missing = d.seen.missing[at]; done.Unknown == 0 {
				unsaid = "taken, but not on the list afterwards"
			}
		} else if !rejected && anonymous != "" {
			why, rejected = anonymous, true
		}
		switch {
		case rejected:
			add(rejectedName, e, why)
		case missing:
			add(unknownName, e, unsaid)
		}
	}
}
