package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

// evidenceOptions name what is known of the addresses from earlier mail.
type evidenceOptions struct {
	bounces []string
	history string
	read    bounceFlags

	imported []importedFile // of a job: what went into the history just now
	patterns int            // of a job: how many patterns name bounce files …
	missing  []string       // … and those that match none
}

// addFlags defines the flags that name evidence.
func (o *evidenceOptions) addFlags(f *pflag.FlagSet) {
	filesVar(f, &o.bounces, "bounces", "files or folders of bounces, complaints and unsubscribes, in any form (may be repeated); with --history they are imported there")
	f.StringVar(&o.history, "history", "", "the database of 'winnow bounces import'")
	o.read.add(f)
}

// evidence is what is known of the addresses from earlier mail.
type evidence struct {
	sources []bounceimport.Source
	files   []summary.InputFile
	store   *history.Store
	summary *summary.BounceSummary // nil: nothing was given
	changed bool                   // the history knows more than before
}

func (ev *evidence) close() error {
	if ev.store == nil {
		return nil
	}
	return ev.store.Close()
}

// evidence reads the bounce files and opens the history. With both, the events
// of the files are added to the history, so that what has to be counted is
// counted together. previous is the run before, nil for none.
func (e *env) evidence(ctx context.Context, o *evidenceOptions, previous *summary.Summary, now time.Time) (*evidence, error) {
	ev := &evidence{}
	var d diagnosis.Diagnosis
	imported := o.imported
	switch {
	case o.history == "" && len(o.bounces) > 0:
		read, err := o.read.options(ctx)
		if err != nil {
			return nil, err
		}
		ledger := &bounceimport.Ledger{}
		ev.sources = []bounceimport.Source{ledger}
		for _, path := range o.bounces {
			a, err := e.readPath(ctx, path, read, func(ev *bounceimport.Event) error { return errors.Join(d.Add(ev), ledger.Add(ev)) })
			if err != nil {
				return nil, err
			}
			imported = append(imported, importedFile{name: path, account: a})
		}
	case o.history != "" && len(o.bounces) > 0:
		files, counts, err := e.importBounces(ctx, o.bounces, o.history, &o.read, d.Add)
		if err != nil {
			return nil, err
		}
		imported, ev.changed = files, counts.Changed > 0
	case o.history == "" && o.patterns == 0:
		return ev, nil
	}
	for _, f := range imported {
		ev.files = append(ev.files, summary.InputFile{Name: f.name, Role: "bounces", SHA256: f.sha256, Bytes: f.bytes, Records: f.account.Read})
	}
	if o.history != "" {
		if err := ev.openHistory(ctx, o.history); err != nil {
			return nil, err
		}
		if len(o.bounces) == 0 {
			if err := ev.diagnose(ctx, &d, previous, now); err != nil {
				return nil, errors.Join(err, ev.close())
			}
		}
	}
	ev.summary = bounceSummary(d.Findings(), imported)
	ev.summary.Patterns, ev.summary.Missing = int64(o.patterns), o.missing
	return ev, nil
}

// openHistory opens the history that judges and says what it is: its SHA-256 now,
// after what was imported. Nobody may read and close the file of a database that is
// open in the same process: it would be without its locks then
// (sqlite.org/howtocorrupt.html, 2.2).
func (ev *evidence) openHistory(ctx context.Context, path string) (err error) {
	f := summary.InputFile{Name: path, Role: "history"}
	if files.Regular(path) { // what it is otherwise, Open says
		if f.SHA256, f.Bytes, err = files.Hash(ctx, path); err != nil {
			return err
		}
	}
	if ev.store, err = history.Open(path); err != nil {
		return err
	}
	ev.files = append(ev.files, f)
	ev.sources = []bounceimport.Source{ev.store}
	return nil
}

// recentDays is how far back a run looks into a history for the state of the
// sender's side, at the least: what is older explains little of today.
const recentDays = 30

// diagnose adds what a history knows of the time since the run before, or of the last
// 30 days where that is more. A history in which nothing happened since is asked for
// its own last 30 days: how old they are stands beside what they say.
func (ev *evidence) diagnose(ctx context.Context, d *diagnosis.Diagnosis, previous *summary.Summary, now time.Time) error {
	from := now.AddDate(0, 0, -recentDays)
	if previous != nil && !previous.Finished.IsZero() && previous.Finished.Before(from) {
		from = previous.Finished
	}
	if err := ev.store.Diagnose(ctx, d, from, time.Time{}); err != nil || d.Findings().Events > 0 {
		return err
	}
	var all diagnosis.Diagnosis
	if err := ev.store.Diagnose(ctx, &all, time.Time{}, time.Time{}); err != nil {
		return err
	}
	newest := all.Findings().Newest
	if newest.IsZero() { // no event has a time, or there is none
		*d = all
		return nil
	}
	return ev.store.Diagnose(ctx, d, newest.AddDate(0, 0, -recentDays), time.Time{})
}

// maxClusters is how many wordings a summary names of each kind.
const maxClusters = 50

// bounceSummary puts a diagnosis into the form of summary.json.
func bounceSummary(f *diagnosis.Findings, sources []importedFile) *summary.BounceSummary {
	s := &summary.BounceSummary{Events: f.Events, Classified: f.Classified, Newest: f.Newest, Oldest: f.Oldest, SenderSide: f.Sides[bounceimport.Sender],
		Categories: []summary.BounceCount{}}
	for _, c := range f.Categories {
		s.Categories = append(s.Categories, summary.BounceCount{Category: c.Category, Bucket: c.Bucket, Side: string(c.Side), Action: string(c.Action), Provider: c.Provider, N: c.N})
	}
	fixes := func(list []diagnosis.Cluster) (out []summary.BounceFix) {
		for _, c := range list[:min(len(list), maxClusters)] {
			out = append(out, summary.BounceFix{Template: c.Template, Category: c.Category, Bucket: c.Bucket, Provider: c.Provider, N: c.N,
				First: c.First, Last: c.Last, Sample: c.Sample, Fix: c.Fix})
		}
		return out
	}
	most := slices.Clone(f.FixFirst) // in the order of a diagnosis, a single reply may come first
	slices.SortStableFunc(most, func(a, b diagnosis.Cluster) int { return cmp.Compare(b.N, a.N) })
	s.Clusters, s.Unclassified = fixes(most), fixes(f.Unknown)
	for _, in := range f.Incidents {
		s.Incidents = append(s.Incidents, summary.Incident{Provider: in.Provider, From: in.From, To: in.To, N: in.N, Why: in.Why})
	}
	for _, p := range f.Timeline {
		s.Timeline = append(s.Timeline, summary.DayCount{Day: p.Day, Bucket: p.Bucket, Provider: p.Provider, N: p.N, Hard: p.Hard, SenderSide: p.Sender, Sent: p.Sent})
	}
	for i := range sources {
		a := &sources[i].account
		s.Sources = append(s.Sources, summary.BounceSource{Name: a.Name, Format: a.Format, Read: a.Read, Used: a.Used, Ignored: a.Ignored,
			Unmapped: a.Unmapped + a.Malformed, Why: a.Why})
	}
	return s
}
