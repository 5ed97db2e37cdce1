package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/internal/shown"
)

func newBouncesShowCmd(e *env) *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ADDRESS --history winnow.db",
		Short: "Show all that a history knows of an address, and why it is suppressed",
		Long: `show prints whether an address (or a domain, as "@example.org") is suppressed,
because of what and until when, and every event on which that rests.`,
		Example: `  winnow bounces show jane@example.org --history winnow.db
  winnow bounces show @example.org --history winnow.db`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := historyKey(cmd, args[0])
			if err != nil {
				return err
			}
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer s.Close()
			d, err := s.Show(cmd.Context(), key, time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, d)
			}
			printDossier(e.stdout, d)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// standing says in one sentence what a record comes to.
func standing(r *bounceimport.Record) string {
	until := "without end"
	if !r.Until.IsZero() {
		until = "until " + r.Until.UTC().Format(time.DateOnly)
	}
	switch {
	case r.Held != "":
		return "held for review"
	case r.Action == bounceimport.SuppressNow || r.Action == bounceimport.Count:
		return "suppressed " + until
	case r.Action == bounceimport.Report:
		return "not suppressed: what came back is about the sender, not the address"
	case r.Action == bounceimport.Clear:
		return "not suppressed: the last sign is one of life"
	case r.Category != "":
		return "not suppressed: what is known is not enough"
	}
	return "not suppressed: nothing is known that counts"
}

func printDossier(w io.Writer, d *history.Dossier) {
	printStanding(w, d.Key, &d.Record, d.Events)
	if !d.Forgotten.IsZero() {
		shown.Wrap(w, "  forgotten  ", "on "+d.Forgotten.Format(time.DateOnly)+": only a keyed hash is left, and it suppresses")
	}
	if i := strings.LastIndexByte(d.Key, '@'); i > 0 && len(d.DomainEvents) > 0 {
		shown.Fprintf(w, "\n")
		printStanding(w, d.Key[i:], &d.DomainRecord, d.DomainEvents)
	}
}

// printStanding prints what a key comes to and on what that rests.
func printStanding(w io.Writer, key string, r *bounceimport.Record, events []bounceimport.DayEvent) {
	if key[0] == '@' && r.Category == "delivered" {
		shown.Fprintf(w, "%s: not suppressed: its mail server answers (last %s)\n", key, cmp.Or(stamp(r.Last), "time not known"))
		if len(events) == 1 {
			return
		}
	} else {
		shown.Fprintf(w, "%s: %s\n", key, standing(r))
		printRecord(w, r)
	}
	printEvents(w, events)
}

func printRecord(w io.Writer, r *bounceimport.Record) {
	if r.Category == "" {
		return
	}
	because := r.Category
	if r.Events > 1 {
		because += fmt.Sprintf(" on %d days", r.Events)
	}
	switch {
	case r.Last.IsZero():
	case r.First.Truncate(24 * time.Hour).Equal(r.Last.Truncate(24 * time.Hour)):
		because += ", " + r.Last.Format(time.DateOnly)
	default:
		because += ", " + r.First.Format(time.DateOnly) + " to " + r.Last.Format(time.DateOnly)
	}
	shown.Wrap(w, "  because    ", because)
	if r.Held != "" {
		shown.Wrap(w, "  incident   ", r.Held)
	}
	if c, ok := bounceimport.LookupCategory(r.Category); ok && c.Meaning != "" {
		shown.Wrap(w, "  meaning    ", c.Meaning)
	}
	if r.Reply != "" {
		shown.Wrap(w, "  reply      ", r.Reply)
	}
	if r.Source != "" {
		shown.Wrap(w, "  source     ", strings.TrimSpace(r.Source+" "+paren(r.Rule)))
	}
}

func paren(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// maxShown is how many events are shown of an address.
const maxShown = 30

func printEvents(w io.Writer, events []bounceimport.DayEvent) {
	if len(events) == 0 {
		return
	}
	shown.Fprintf(w, "\n")
	if n := len(events) - maxShown; n > 0 {
		shown.Fprintf(w, "  %d earlier rows (--json has them)\n", n)
		events = events[n:]
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range events {
		v := &events[i]
		when := "time not known"
		if !v.Last.IsZero() {
			when = v.Last.Format("2006-01-02 15:04")
		}
		if v.Action == bounceimport.Clear {
			when = "last " + when
		}
		shown.Fprintf(tw, "  %s\t%s\t%s\n", when, v.Category, shown.Fit(v.Reply, 76-18-len(v.Category), "..."))
	}
	tw.Flush()
}
