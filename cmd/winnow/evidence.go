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
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

// evidenceOptions name what is known of the addresses from earlier mail.
type evidenceOptions struct {
	bounces []string
	history string
	read    bounceFlags

	emptyPatterns []string // of a job: patterns of bounce files that match nothing
}

// addFlags defines the flags that name evidence.
func (o *evidenceOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.bounces, "bounces", nil, "files or folders of bounces, complaints and unsubscribes, in any form (may be repeated); with --history they are imported there")
	f.StringVar(&o.history, "history", "", "the database of 'winnow bounces import'")
	o.read.add(f)
}

// evidence is what is known of the addresses from earlier mail.
type evidence struct {
	sources []bounceimport.Source
	files   []summary.InputFile
	store   *history.Store
	summary *summary.BounceSummary // nil: nothing was given
}

func (ev *evidence) close() error {
	if ev.store == nil {
		return nil
	}
	return ev.store.Close()
}

// evidence reads the bounce files and opens the history. With both, the events
// of the files are added to the history, so that what has to be counted is
// counted together.
func (e *env) evidence(ctx context.Context, o *evidenceOptions, now time.Time) (_ *evidence, err error) {
	ev := &evidence{}
	for _, path := range o.bounces {
		ev.files = append(ev.files, summary.InputFile{Name: path, Role: "bounces"})
	}
	if len(o.bounces) == 0 && o.history == "" {
		return ev, nil
	}
	read, err := o.read.options(ctx)
	if err != nil {
		return nil, err
	}
	read.Now = now
	var diagnosis diagnosis.Diagnosis
	var accounts []reader.Account
	add := func(*bounceimport.Event) error { return nil }
	done := func() error { return nil }
	switch {
	case o.history == "":
		ledger := &bounceimport.Ledger{}
		ev.sources = []bounceimport.Source{ledger}
		add = ledger.Add
	case len(o.bounces) == 0:
		ev.store, err = history.Open(o.history)
	default:
		ev.store, err = history.Create(o.history)
	}
	if err != nil {
		return nil, err
	}
	if ev.store != nil {
		defer func() {
			if err != nil {
				err = errors.Join(err, ev.close())
			}
		}()
		ev.sources = []bounceimport.Source{ev.store}
		ev.files = append(ev.files, summary.InputFile{Name: o.history, Role: "history"})
		if len(o.bounces) > 0 {
			imp := ev.store.Begin(ctx)
			add, done = imp.Add, imp.Done
		} else if err := ev.store.Diagnose(ctx, &diagnosis, now.AddDate(0, 0, -diagnosisDays), time.Time{}); err != nil {
			return nil, err
		}
	}
	for i, path := range o.bounces {
		account, err := e.readPath(ctx, path, read, func(ev *bounceimport.Event) error {
			return errors.Join(diagnosis.Add(ev), add(ev))
		})
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
		ev.files[i].Records = account.Read
	}
	ev.summary = bounceSummary(diagnosis.Findings(), accounts)
	if err := done(); err != nil || ev.store == nil {
		return ev, err
	}
	return ev, ev.hashHistory(ctx, o.history)
}

// hashHistory says what the history is that judges: its SHA-256 now, after what was
// imported. Nobody may close a database that is open in the same process: it would
// be without its locks then (sqlite.org/howtocorrupt.html, 2.2).
func (ev *evidence) hashHistory(ctx context.Context, path string) (err error) {
	if err := ev.store.Close(); err != nil {
		return err
	}
	ev.store = nil
	f := &ev.files[len(ev.files)-1]
	if f.SHA256, f.Bytes, err = files.Hash(ctx, path); err != nil {
		return err
	}
	if ev.store, err = history.Open(path); err != nil {
		return err
	}
	ev.sources = []bounceimport.Source{ev.store}
	return nil
}

// diagnosisDays is how far back the summary of a run looks into a history when
// there are no bounce files: what is older explains nothing of today.
const diagnosisDays = 90

// maxClusters is how many wordings a summary names of each kind.
const maxClusters = 50

// bounceSummary puts a diagnosis into the form of summary.json.
func bounceSummary(f *diagnosis.Findings, sources []reader.Account) *summary.BounceSummary {
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
	for _, a := range sources {
		s.Sources = append(s.Sources, summary.BounceSource{Name: a.Name, Format: a.Format, Read: a.Read, Used: a.Used, Ignored: a.Ignored,
			Unmapped: a.Unmapped + a.Malformed, Why: a.Why})
	}
	return s
}
