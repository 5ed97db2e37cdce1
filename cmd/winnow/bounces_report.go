package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/export/report"
)

// bounceReport is what a report on bounces can be told.
type bounceReport struct {
	history, since string
	events         []string
	read           bounceFlags
	asJSON         bool
}

func newBouncesReportCmd(e *env) *cobra.Command {
	var o bounceReport
	cmd := &cobra.Command{
		Use:   "report [FILE...] [--history winnow.db]",
		Short: "Say what bounces mean: whose problem, where, since when, what to check first",
		Long: `report reads bounce files, a history, or both, and answers in this order: what do
the words of the replies say? One provider or everywhere? One mailbox, one domain,
or the whole set-up? Since when, and right after what (--event)? What to check
first: the recipients, then reputation, authentication, content, and the path.

A reply with code 554 (or 5.7.1) may mean a dead mailbox or a problem of the
sender; its wording tells. Recipients who refused the sender, not the mail, stay
on the list. Replies that no rule knows are put together by their wording.

A history counts an address, category and day once; files count every event.`,
		Example: `  winnow bounces report bounces.csv
  winnow bounces report --history winnow.db --event 2026-03-12=new\ IP
  winnow bounces report mail.log --json`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 && o.history == "" {
				return usagef(cmd, "nothing to report on: name bounce files, --history FILE, or both")
			}
			return e.reportBounces(cmd.Context(), files, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.history, "history", "", "a history `FILE`, beside the files or instead of them")
	f.StringArrayVar(&o.events, "event", nil, "what changed and when, as `DATE=TEXT`; may be repeated\n(DATE is 2026-03-12 or 2026-03-12T09:00:00Z)")
	f.StringVar(&o.since, "since", "", "only events from this `DATE` on; those without a time are left out then")
	f.BoolVar(&o.asJSON, "json", false, "print it as JSON")
	o.read.add(cmd.Flags())
	return cmd
}

// reportBounces reads the files and the history, and says what they come to.
func (e *env) reportBounces(ctx context.Context, files []string, o *bounceReport) error {
	opt, err := o.read.options(ctx)
	if err != nil {
		return err
	}
	var d diagnosis.Diagnosis
	for _, s := range o.events {
		c, err := parseChange(s)
		if err != nil {
			return &usageError{err: err}
		}
		d.Changes = append(d.Changes, c)
	}
	var from time.Time
	if o.since != "" {
		if from, err = parseTime(o.since); err != nil {
			return &usageError{err: fmt.Errorf("--since %s: want a date such as 2026-03-12 or 2026-03-12T09:00:00Z", o.since)}
		}
	}
	var accounts []reader.Account
	for _, f := range files {
		a, err := e.readPath(ctx, f, opt, func(ev *bounceimport.Event) error {
			if ev.Time.Before(from) {
				return nil
			}
			return d.Add(ev)
		})
		if err != nil {
			return err
		}
		accounts = append(accounts, a)
	}
	if o.history != "" {
		s, err := history.Open(o.history)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Diagnose(ctx, &d, from, time.Time{}); err != nil {
			return err
		}
	}
	found := d.Findings()
	if o.asJSON {
		return printJSON(e.stdout, struct {
			Sources []reader.Account `json:"sources,omitempty"`
			*diagnosis.Findings
		}{accounts, found})
	}
	return report.Findings(e.stdout, found)
}

// parseChange reads DATE=TEXT.
func parseChange(s string) (diagnosis.Change, error) {
	date, what, _ := strings.Cut(s, "=")
	t, err := parseTime(date)
	if what = strings.TrimSpace(what); err != nil || what == "" {
		return diagnosis.Change{}, fmt.Errorf("--event %q: want DATE=TEXT, for example 2026-03-12=\"new IP\"", s)
	}
	return diagnosis.Change{Time: t, What: what}, nil
}

// parseTime reads a date or a time as people write it on a command line.
func parseTime(s string) (t time.Time, err error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err = time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC(), nil
		}
	}
	return t, err
}
