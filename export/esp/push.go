package esp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is what a push needs to know of the account.
type Config struct {
	Scope   string                   // the domain, stream, audience … that Target.ScopeHelp names
	BaseURL string                   // "": the provider's own
	Key     func(name string) Secret // see Keys
	Note    func(string)             // remarks while it runs; nil: none

	timeout time.Duration                              // of one attempt; 0: two minutes
	sleep   func(context.Context, time.Duration) error // nil: the clock
	secrets []string
}

// PushOptions are what the user allows a push to do.
type PushOptions struct {
	Config
	Include    []Reason
	Yes        bool     // false: only say what would be done
	MaxNew     int64    // stop before the first call when more entries are new; 0: no limit
	MaxPercent float64  // stop when they are more of the list, in percent; 0: no limit. Needs Source.Kept
	Allow      []string // of Target.Dangers
	Verify     bool     // ask for the list again afterwards, where that is not done anyway
	Journal    string   // the directory of the journal
	Progress   func(done, total int64)
}

// Balance says where every entry of a push is. Written counts what had to be
// sent: Written = Sent + Rejected + Unknown + Pending.
type Balance struct {
	Report
	Sent     int64 `json:"sent"`
	Rejected int64 `json:"rejected"`
	Unknown  int64 `json:"unknown"` // whether they arrived cannot be told
	Pending  int64 `json:"pending"` // not tried

	DryRun  bool          `json:"dry_run,omitempty"`
	Offline bool          `json:"offline,omitempty"` // a dry run without a key: the provider was not asked
	Resumed bool          `json:"resumed,omitempty"`
	Calls   int64         `json:"calls"` // of a dry run: that would be made
	Least   time.Duration `json:"-"`     // of a dry run: how long they take at the provider's pace
	Notes   []string      `json:"notes,omitempty"`
	Lists   []string      `json:"lists,omitempty"`   // files with the rejected and the unknown
	Stopped string        `json:"stopped,omitempty"` // why a dry run would not be carried out
}

// NoKeyError is returned when the credentials are not there. It names them.
type NoKeyError struct{ Names []string }

func (e *NoKeyError) Error() string {
	return "no credentials: set " + strings.Join(e.Names, " and ") + " in the environment, or name a private file with --key-file"
}

// BrakeError is returned when a push would be larger than the user allows.
type BrakeError struct{ Why string }

func (e *BrakeError) Error() string { return e.Why }

// InterruptedError is returned when a push was cut short. It can go on later.
type InterruptedError struct{ Err error }

func (e *InterruptedError) Error() string { return e.Err.Error() }

// api is how one provider is spoken to. Each call is made by one goroutine.
type api struct {
	c *client
	// check asks for credentials, scope and settings before anything is sent.
	// words are the provider's words that will be used.
	check func(ctx context.Context, words map[string]bool) error
	// fetch yields the addresses that are there, and in which place.
	fetch func(ctx context.Context, yield func(address, place string)) error
	// places are where an entry with this word has to be to be there; nil: anywhere.
	places func(word string) []string
	// lane names what may go into one call; nil: everything.
	lane func(word string) string
	// send makes one call. A job in the outcome is to be waited for.
	send func(ctx context.Context, lane string, batch []item) (outcome, error)
	// wait waits for a job; nil: there are none.
	wait   func(ctx context.Context, job string, batch []item) (outcome, error)
	serial bool // a job must end before the next call
	verify bool // the answers do not tell what was done: look afterwards
}

// item is an entry on its way.
type item struct {
	Entry
	Say string // the provider's word
	ID  string // what it is compared by
}

// outcome is what became of the items of one call. What is neither rejected nor
// unknown was taken.
type outcome struct {
	rejected []rejection
	unknown  int
	why      string // of the unknown
	job      string
}

type rejection struct {
	At  int    `json:"at"` // index in the batch; -1: which one is not known
	N   int    `json:"n"`
	Why string `json:"why"`
}

// Push sends the suppressions of src to t. It checks first, sends only what is
// not there yet, writes a journal, and goes on where an earlier push of the
// same set was cut off. Without Yes it sends nothing.
func Push(ctx context.Context, t *Target, src *Source, o PushOptions) (*Balance, error) {
	if t.open == nil {
		return nil, fmt.Errorf("winnow does not push to %s; write its files with 'winnow export --to %s'", t.Title, t.Name)
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	b := &Balance{DryRun: !o.Yes}
	b.Report = Report{SchemaVersion: 1, Kind: "winnow-push", Target: t.Name, Scope: o.Scope, Source: src.Name}
	for _, d := range t.Dangers() {
		if !slices.Contains(o.Allow, d) {
			why := fmt.Sprintf("a push to %s %s: it needs --allow %s", t.Title, map[string]string{
				"creates-contacts": "makes contacts of addresses that it does not know",
				"destructive":      "deletes other data of the addresses",
			}[d], d)
			if o.Yes {
				return nil, &BrakeError{why}
			}
			b.Stopped = why
		}
	}
	a, err := t.open(&o.Config)
	var nokey *NoKeyError
	if errors.As(err, &nokey) && !o.Yes {
		b.Offline = true
		b.Notes = append(b.Notes, nokey.Error())
		a = nil
	} else if err != nil {
		return nil, err
	}
	p := &pusher{t: t, o: &o, a: a, b: b}
	return b, p.run(ctx, src)
}

// pusher is one push.
type pusher struct {
	t *Target
	o *PushOptions
	a *api
	b *Balance
	j *journal

	anonymous bool // something was rejected that was not named

	refusals int // one after the other, with nothing taken between
	lost     int // batches without an answer, one after the other
}

func (p *pusher) run(ctx context.Context, src *Source) error {
	words, fingerprint, listed, err := p.survey(ctx, src)
	if err != nil {
		return err
	}
	if p.b.Offline {
		return p.plan(ctx, src, nil, nil)
	}
	if err := p.a.check(ctx, words); err != nil {
		return p.interrupted(ctx, err)
	}
	if p.o.Yes {
		if p.j, err = openJournal(p.o.Journal, fingerprint); err != nil {
			return err
		}
		defer p.j.close()
		if p.j.resumed {
			p.b.Report, p.b.Resumed = p.j.report, true
			return p.send(ctx)
		}
	}
	there := set{}
	err = p.a.fetch(ctx, func(address, place string) {
		there[markOf(place+"\x00"+strings.ToLower(address))] = struct{}{}
	})
	var ce *callError
	if errors.As(err, &ce) && (ce.status == 403 || ce.status == 404 || ce.status == 405) {
		p.b.Notes = append(p.b.Notes, "what is there already could not be read ("+ce.why+"): everything is sent, which is safe")
		there, p.a.verify, p.o.Verify = set{}, false, false
	} else if err != nil {
		return p.interrupted(ctx, err)
	}
	var w *planWriter
	if p.j != nil {
		if w, err = p.j.newPlan(); err != nil {
			return err
		}
		defer w.abort()
	}
	if err := p.plan(ctx, src, there, w); err != nil {
		return err
	}
	if err := p.brakes(listed); err != nil {
		if !p.o.Yes {
			p.b.Stopped = err.Error()
			return nil
		}
		return err
	}
	if !p.o.Yes {
		return nil
	}
	if err := w.commit(&p.b.Report); err != nil {
		return err
	}
	return p.send(ctx)
}

// survey reads the source once: the words that will be used, what the set is
// recognised by after a break, and how many addresses the list has (0: not known).
func (p *pusher) survey(ctx context.Context, src *Source) (words map[string]bool, fingerprint string, listed int64, err error) {
	words = map[string]bool{}
	pk := newPicker(p.t, &Options{Include: p.o.Include}, &Report{})
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\x00%s\x00%s\x00", p.t.Name, p.o.Scope, p.o.BaseURL)
	err = src.Each(ctx, func(e *Entry) error {
		word, id, _, err := pk.pick(e)
		if id != "" {
			words[word] = true
			fmt.Fprintf(sum, "%s\x00%s\n", word, id)
		}
		return err
	})
	if err == nil && src.Kept != nil && p.o.MaxPercent > 0 {
		listed = pk.rep.Entries
		err = src.Kept(ctx, func(string) error { listed++; return nil })
	}
	return words, hex.EncodeToString(sum.Sum(nil)), listed, err
}

// plan picks what is to be sent and writes it to w, when w is not nil.
func (p *pusher) plan(ctx context.Context, src *Source, there set, w *planWriter) error {
	pk := newPicker(p.t, &Options{Include: p.o.Include}, &p.b.Report)
	calls := map[string]int64{}
	err := src.Each(ctx, func(e *Entry) error {
		word, id, _, err := pk.pick(e)
		if err != nil || id == "" {
			return err
		}
		if p.isThere(there, word, id, e.Address) {
			p.b.There++
			return nil
		}
		p.b.Written++
		count(&p.b.Reasons, e.Reason)
		calls[p.lane(word)]++
		if w == nil {
			return nil
		}
		return w.add(&item{*e, word, id})
	})
	for _, n := range calls {
		p.b.Calls += (n + int64(p.t.Batch) - 1) / int64(p.t.Batch)
	}
	if p.a != nil {
		p.b.Least = time.Duration(p.b.Calls) * p.a.c.pace
	}
	p.b.Pending = p.b.Written
	return err
}

func (p *pusher) isThere(there set, word, id, address string) bool {
	if len(there) == 0 {
		return false
	}
	places := []string{""}
	if p.a.places != nil {
		places = p.a.places(word)
	}
	for _, pl := range places {
		if !there.has(markOf(pl+"\x00"+id)) && !there.has(markOf(pl+"\x00"+strings.ToLower(address))) {
			return false
		}
	}
	return true
}

func (p *pusher) lane(word string) string {
	if p.a == nil || p.a.lane == nil {
		return ""
	}
	return p.a.lane(word)
}

// brakes stops a push that is larger than expected: a mistake in the evidence
// must not suppress a whole list.
func (p *pusher) brakes(listed int64) error {
	n := p.b.Written
	if p.o.MaxNew > 0 && n > p.o.MaxNew {
		return &BrakeError{fmt.Sprintf("%d entries are new, more than --max-new %d allows; nothing was sent", n, p.o.MaxNew)}
	}
	if share := 100 * float64(n) / float64(max(listed, 1)); p.o.MaxPercent > 0 && listed > 0 && n > 100 && share > p.o.MaxPercent {
		return &BrakeError{fmt.Sprintf("%d entries are new, %.1f%% of the list, more than --max-percent %g allows; nothing was sent", n, share, p.o.MaxPercent)}
	}
	return nil
}

// interrupted marks an error that came because the user stopped winnow.
func (p *pusher) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &InterruptedError{err}
	}
	return err
}

// send works the plan off.
func (p *pusher) send(ctx context.Context) error {
	b := p.b
	b.Sent, b.Rejected, b.Unknown, b.Pending = 0, 0, 0, b.Written
	settle := func(n int, items []item, out outcome) error {
		if err := p.j.write(record{T: "done", B: n, N: len(items), Rejected: out.rejected, Unknown: out.unknown, Why: out.why}); err != nil {
			return err
		}
		p.add(len(items), out.rejected, out.unknown)
		return nil
	}
	err := p.j.batches(p.t, p.lane, func(n int, lane string, items []item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		hash := batchHash(items)
		st := p.j.state[n]
		if st != nil && st.hash != hash {
			return fmt.Errorf("the journal in %s does not fit its plan; delete that directory to start anew", p.j.dir)
		}
		if st != nil && st.done != nil && st.done.Unknown == 0 {
			p.add(len(items), st.done.Rejected, 0)
			return nil
		}
		if st != nil && st.done == nil && len(st.jobs) > 0 {
			return nil // waited for below
		}
		if err := p.j.write(record{T: "begin", B: n, Hash: hash}); err != nil {
			return err
		}
		d, err := p.deliver(ctx, lane, items, 0)
		if err != nil {
			return err
		}
		if len(d.jobs) == 0 {
			return settle(n, items, d.outcome)
		}
		if err := p.j.write(record{T: "job", B: n, Jobs: d.jobs, Rejected: d.rejected, Unknown: d.unknown}); err != nil {
			return err
		}
		if !p.a.serial {
			p.j.state[n] = &batchState{hash: hash, jobs: d.jobs, first: d.outcome}
			return nil
		}
		out, err := p.waitFor(ctx, items, d.jobs, d.outcome)
		if err != nil {
			return err
		}
		return settle(n, items, out)
	})
	if err == nil && p.a.wait != nil {
		err = p.j.batches(p.t, p.lane, func(n int, _ string, items []item) error {
			st := p.j.state[n]
			if st.done != nil {
				return nil
			}
			out, err := p.waitFor(ctx, items, st.jobs, st.first)
			if err != nil {
				return err
			}
			return settle(n, items, out)
		})
	}
	if err != nil {
		return p.interrupted(ctx, err)
	}
	if p.a.verify || p.o.Verify || b.Unknown > 0 || p.anonymous {
		err := p.verify(ctx)
		if ctx.Err() != nil {
			return p.interrupted(ctx, err)
		}
		if err != nil {
			// What was sent stays sent; without the look there is no saying so.
			b.Notes = append(b.Notes, "what is there now could not be read: "+err.Error())
			if p.a.verify {
				b.Unknown += b.Sent
				b.Sent = 0
			}
		}
	}
	if got := b.Sent + b.Rejected + b.Unknown + b.Pending; got != b.Written || b.balance() != b.Entries {
		return fmt.Errorf("the balance does not add up: %d of %d, %d of %d entries (please report this)", got, b.Written, b.balance(), b.Entries)
	}
	b.Lists, err = p.j.finish(p.t, p.lane, b)
	return err
}

func (p *pusher) add(n int, rejections []rejection, unknown int) {
	rejected := 0
	for _, r := range rejections {
		rejected += r.N
		p.anonymous = p.anonymous || r.At < 0
	}
	p.b.Sent += int64(n - rejected - unknown)
	p.b.Rejected += int64(rejected)
	p.b.Unknown += int64(unknown)
	p.b.Pending -= int64(n)
	if p.o.Progress != nil {
		p.o.Progress(p.b.Written-p.b.Pending, p.b.Written)
	}
}

// delivery is the outcome of a batch that may have been cut into several calls.
type delivery struct {
	outcome
	jobs []jobRef
}

type jobRef struct {
	ID   string `json:"id"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// The points at which going on makes no sense any more.
const (
	maxRefusals = 20
	maxLost     = 3
)

// deliver sends items. A call that is refused as a whole is halved until the
// item that spoils it stands alone: most providers refuse a thousand addresses
// for one they do not like.
func (p *pusher) deliver(ctx context.Context, lane string, items []item, at int) (delivery, error) {
	out, err := p.a.send(ctx, lane, items)
	var ce *callError
	switch {
	case err == nil:
		p.refusals, p.lost = 0, 0
		for i := range out.rejected {
			if out.rejected[i].At >= 0 {
				out.rejected[i].At += at
			}
		}
		d := delivery{outcome: out}
		if out.job != "" {
			d.jobs = []jobRef{{out.job, at, at + len(items)}}
		}
		return d, nil
	case !errors.As(err, &ce):
		return delivery{}, err
	case ce.verdict == maybe:
		if p.lost++; p.lost >= maxLost {
			return delivery{}, fmt.Errorf("%w; stopped after %d calls without an answer", ce, p.lost)
		}
		return delivery{outcome: outcome{unknown: len(items), why: ce.why}}, nil
	case ce.verdict != refused:
		return delivery{}, ce
	case len(items) == 1:
		if p.refusals++; p.refusals >= maxRefusals {
			return delivery{}, fmt.Errorf("%s refused %d calls one after the other: %s", p.t.Title, p.refusals, ce.why)
		}
		return delivery{outcome: outcome{rejected: []rejection{{At: at, N: 1, Why: ce.why}}}}, nil
	}
	h := len(items) / 2
	a, err := p.deliver(ctx, lane, items[:h], at)
	if err != nil {
		return a, err
	}
	b, err := p.deliver(ctx, lane, items[h:], at+h)
	a.rejected = append(a.rejected, b.rejected...)
	a.jobs = append(a.jobs, b.jobs...)
	if a.unknown += b.unknown; a.why == "" {
		a.why = b.why
	}
	return a, err
}

// waitFor waits for the jobs of a batch and adds up their outcomes.
func (p *pusher) waitFor(ctx context.Context, items []item, jobs []jobRef, out outcome) (outcome, error) {
	for _, j := range jobs {
		if j.From < 0 || j.From >= j.To || j.To > len(items) {
			return out, fmt.Errorf("the journal in %s does not fit its plan; delete that directory to start anew", p.j.dir)
		}
		o, err := p.a.wait(ctx, j.ID, items[j.From:j.To])
		var ce *callError
		if errors.As(err, &ce) && ce.verdict != stopped {
			o, err = outcome{unknown: j.To - j.From, why: ce.why}, nil
		}
		if err != nil {
			return out, err
		}
		for _, r := range o.rejected {
			if r.At >= 0 {
				r.At += j.From
			}
			out.rejected = append(out.rejected, r)
		}
		if out.unknown += o.unknown; out.why == "" {
			out.why = o.why
		}
	}
	return out, nil
}

// poll calls look until it says that the job has ended, for at most an hour.
func (a *api) poll(ctx context.Context, look func() (ended bool, err error)) error {
	var waited time.Duration
	for d := time.Second; ; d = min(d*2, 30*time.Second) {
		if ended, err := look(); ended || err != nil {
			return err
		}
		if waited > time.Hour {
			return &callError{verdict: maybe, why: a.c.name + ": the job still runs after an hour"}
		}
		if err := a.c.sleep(ctx, d); err != nil {
			return err
		}
		waited += d
	}
}

// verify asks for the list again: what was taken and is not there is unknown,
// what was unknown and is there has arrived, and what was rejected without its
// name is among what is missing. Providers show new entries late, so it asks up
// to four times.
func (p *pusher) verify(ctx context.Context) error {
	var rejected int64
	for try := 0; ; try++ {
		there := set{}
		err := p.a.fetch(ctx, func(address, place string) {
			there[markOf(place+"\x00"+strings.ToLower(address))] = struct{}{}
		})
		if err != nil {
			return err
		}
		rejected, p.j.missing, p.j.rejected = 0, map[missed]bool{}, map[missed]string{}
		err = p.j.batches(p.t, p.lane, func(n int, _ string, items []item) error {
			st := p.j.state[n]
			if st == nil || st.done == nil {
				return nil
			}
			anonymous, why := 0, ""
			for _, r := range st.done.Rejected {
				if r.At < 0 {
					anonymous, why = anonymous+r.N, r.Why
				} else {
					p.j.rejected[missed{n, r.At}] = r.Why
				}
			}
			for i := range items {
				m := missed{n, i}
				if _, known := p.j.rejected[m]; known {
					rejected++
					continue
				}
				if p.isThere(there, items[i].Say, items[i].ID, items[i].Address) {
					continue
				}
				if anonymous > 0 {
					anonymous--
					rejected++
					p.j.rejected[m] = why
					continue
				}
				p.j.missing[m] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(p.j.missing) == 0 && !p.anonymous || try == 3 {
			break
		}
		if err := p.a.c.sleep(ctx, []time.Duration{5, 20, 60}[try]*time.Second); err != nil {
			return err
		}
	}
	p.j.verified = true
	p.b.Rejected, p.b.Unknown = rejected, int64(len(p.j.missing))
	p.b.Sent = p.b.Written - p.b.Rejected - p.b.Unknown
	return nil
}
