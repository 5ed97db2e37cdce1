package esp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/winnow-email/winnow/internal/api"
)

// PushOptions are whose suppressions are pushed to, and what the user allows a
// push to do.
type PushOptions struct {
	Scope      string                   // the domain, stream, audience … that Target.ScopeHelp names
	BaseURL    string                   // of the API; "": the provider's own
	Key        func(name string) string // the credentials by the names of Target.KeyNames; nil: os.Getenv
	Note       func(string)             // remarks while it runs; nil: none
	Include    []Reason
	Yes        bool     // false: only say what would be done
	MaxNew     int64    // stop before the first call when more entries are new; 0: no limit
	MaxPercent float64  // stop when they are more of the list, in percent; 0: no limit. Needs Source.Kept
	Allow      []string // of Target.Dangers
	Verify     bool     // ask for the list again afterwards, where that is not done anyway
	Journal    string   // the directory of the journal
	Progress   func(done, total int64)

	timeout time.Duration // of one attempt; 0: two minutes
	clock   *api.Clock    // nil: the real one
}

// BrakeError is returned when a push would do more than the user allows. Nothing
// was sent.
type BrakeError struct{ Why string }

func (e *BrakeError) Error() string { return e.Why }

// Push sends the suppressions of src to t. It checks first, sends only what is
// not there yet, writes a journal, and goes on where an earlier push of the
// same set was cut off. Without Yes it sends nothing, and without the credentials
// it does not ask the provider either (Balance.Offline). An error may come with a
// Balance, of what was done until then.
func Push(ctx context.Context, t *Target, src *Source, o PushOptions) (*Balance, error) {
	if t.open == nil {
		return nil, fmt.Errorf("winnow does not push to %s; write its files with 'winnow export --to %s'", t.Title, t.Name)
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
	if o.Key == nil {
		o.Key = os.Getenv
	}
	s, err := t.open(&account{
		Config: api.Config{BaseURL: o.BaseURL, Keys: api.NewKeys(o.Key), Note: o.Note, Timeout: o.timeout, Clock: o.clock},
		scope:  o.Scope,
	})
	var nokey *api.NoKeyError
	if errors.As(err, &nokey) && !o.Yes {
		b.Offline = true
		b.Notes = append(b.Notes, nokey.Error())
		s = nil
	} else if err != nil {
		return nil, err
	}
	p := &pusher{t: t, o: &o, s: s, b: b}
	return b, p.run(ctx, src)
}

// pusher is one push.
type pusher struct {
	t *Target
	o *PushOptions
	s *service // nil: the provider cannot be asked
	b *Balance
}

func (p *pusher) run(ctx context.Context, src *Source) error {
	words, fingerprint, listed, err := p.survey(ctx, src)
	if err != nil {
		return err
	}
	if p.s == nil {
		return p.plan(ctx, src, nil, nil)
	}
	if err := p.s.check(ctx, words); err != nil {
		return err
	}
	var w *planWriter
	send := &sender{t: p.t, s: p.s, b: p.b, look: p.o.Verify, progress: p.o.Progress}
	if p.o.Yes {
		j, err := openJournal(p.o.Journal, fingerprint)
		if err != nil {
			return err
		}
		defer j.close()
		if send.j = j; j.resumed {
			p.b.Report, p.b.Resumed = j.report, true
			return send.run(ctx)
		}
		if w, err = j.newPlan(); err != nil {
			return err
		}
		defer w.abort()
	}
	there, err := p.s.there(ctx)
	if api.Is(err, 403) || api.Is(err, 404) || api.Is(err, 405) {
		p.b.Notes = append(p.b.Notes, "what is there already could not be read ("+err.Error()+"): everything is sent, which is safe")
		there, p.s.verify, send.look = set{}, false, false
	} else if err != nil {
		return err
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
	if err := w.commit(&p.b.Report, rejectedName, unknownName); err != nil {
		return err
	}
	return send.run(ctx)
}

// survey reads the source once: the words that will be used, what the set is
// recognised by after a break, and how many addresses the list has (0: not known).
func (p *pusher) survey(ctx context.Context, src *Source) (words map[string]bool, fingerprint string, listed int64, err error) {
	words = map[string]bool{}
	pk := newPicker(p.t, p.o.Include, nil, &Report{})
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
	pk := newPicker(p.t, p.o.Include, nil, &p.b.Report)
	calls := map[string]int64{}
	err := src.Each(ctx, func(e *Entry) error {
		word, id, _, err := pk.pick(e)
		if err != nil || id == "" {
			return err
		}
		it := &item{*e, word, id}
		if p.s.holds(there, it) {
			p.b.There++
			return nil
		}
		p.b.Written++
		count(&p.b.Reasons, e.Reason)
		calls[p.s.laneOf(word)]++
		if w == nil {
			return nil
		}
		return w.add(it)
	})
	for _, n := range calls {
		p.b.Calls += (n + int64(p.t.Batch) - 1) / int64(p.t.Batch)
	}
	if p.s != nil {
		p.b.Least = time.Duration(p.b.Calls) * p.s.c.Pace
	}
	p.b.Pending = p.b.Written
	return err
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
