package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/export/summary"
)

func newBouncesReportCmd(e *env) *cobra.Command {
	var path, since string
	var read bounceFlags
	var events []string
	var asJSON bool
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
			if len(files) == 0 && path == "" {
				return usagef(cmd, "nothing to report on: name bounce files, --history FILE, or both")
			}
			opt, err := read.options(cmd.Context())
			if err != nil {
				return err
			}
			var d diagnosis.Diagnosis
			for _, s := range events {
				c, err := parseChange(s)
				if err != nil {
					return usagef(cmd, "%v", err)
				}
				d.Changes = append(d.Changes, c)
			}
			var from time.Time
			if since != "" {
				if from, err = parseTime(since); err != nil {
					return usagef(cmd, "--since %s: want a date such as 2026-03-12 or 2026-03-12T09:00:00Z", since)
				}
			}
			var accounts []reader.Account
			for _, f := range files {
				a, err := e.readPath(cmd.Context(), f, opt, func(ev *bounceimport.Event) error {
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
			if path != "" {
				s, err := history.Open(path)
				if err != nil {
					return err
				}
				defer s.Close()
				if err := s.Diagnose(cmd.Context(), &d, from, time.Time{}); err != nil {
					return err
				}
			}
			found := d.Findings()
			if asJSON {
				return printJSON(e.stdout, struct {
					Sources []reader.Account `json:"sources,omitempty"`
					*diagnosis.Findings
				}{accounts, found})
			}
			printFindings(e.stdout, found)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "history", "", "a history `FILE`, beside the files or instead of them")
	f.StringArrayVar(&events, "event", nil, "what changed and when, as `DATE=TEXT`; may be repeated\n(DATE is 2026-03-12 or 2026-03-12T09:00:00Z)")
	f.StringVar(&since, "since", "", "only events from this `DATE` on; those without a time are left out then")
	f.BoolVar(&asJSON, "json", false, "print it as JSON")
	read.add(cmd.Flags())
	return cmd
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

func printFindings(w io.Writer, f *diagnosis.Findings) {
	if f.Events == 0 {
		fmt.Fprintln(w, "No events.")
		return
	}
	head := thousands(f.Events) + " events"
	if !f.Oldest.IsZero() {
		head += fmt.Sprintf(", %s to %s", f.Oldest.Format(time.DateOnly), f.Newest.Format(time.DateOnly))
	}
	fmt.Fprintf(w, "%s; the wording of %s is known\n", head, percent(f.Classified, f.Events))
	for _, l := range []struct {
		side       bounceimport.Side
		name, what string
	}{
		{bounceimport.Recipient, "the list", "dead, closed or full mailboxes, complaints: winnow clean takes care of them"},
		{bounceimport.Sender, "your side", "the sender was refused, not the address: these recipients stay"},
		{bounceimport.Transient, "passing", "load and routing: counted, acted on when they come back"},
		{bounceimport.None, "no bounce", "deliveries, delays, auto-replies"},
		{"unknown", "not known", "no rule knows the wording: never acted on at once"},
	} {
		if n := f.Sides[l.side]; n > 0 {
			wrap(w, fmt.Sprintf("  %-10s%9s %4s  ", l.name, thousands(n), percent(n, f.Events)), l.what)
		}
	}
	print554(w, f.On554)
	printTable(w, f.Categories)

	if len(f.Problems) > 0 {
		fmt.Fprintln(w, "\nYOUR SIDE, in the order in which to look. Cleaning the list will not help.")
		var rest []string
		n := 0
		for i := range f.Problems {
			p := &f.Problems[i]
			if len(f.Problems) > 3 && p.N*50 < f.Sides[bounceimport.Sender] {
				rest = append(rest, fmt.Sprintf("%s %s", p.Category, thousands(p.N)))
				continue
			}
			n++
			printProblem(w, n, p)
		}
		if len(rest) > 0 {
			fmt.Fprintln(w)
			wrap(w, "   Each below 2% of these: ", strings.Join(rest, ", ")+" (--json has all of them)")
		}
	}
	if len(f.Recipients) > 0 {
		fmt.Fprintln(w, "\nTHE LIST. `winnow clean` with these bounces suppresses what is dead.")
		for i := range f.Recipients {
			p := &f.Recipients[i]
			fmt.Fprintf(w, "  %9s  %s\n", thousands(p.N), p.Category)
			where := p.Extent()
			if p.Scope != "not_known" {
				where += "; " + p.Where()
			}
			wrap(w, "             ", where)
			if p.Since != nil {
				wrap(w, "             ", "since "+sinceText(p.Since))
			}
		}
	}
	if len(f.Incidents) > 0 {
		fmt.Fprintln(w, "\nHELD BACK. These \"no such user\" are not believed: the addresses are for review.")
		for i := range f.Incidents {
			in := &f.Incidents[i]
			wrap(w, fmt.Sprintf("  %9s  ", thousands(in.N)), in.String())
		}
	}
	if n := f.Sides["unknown"]; n > 0 {
		fmt.Fprintf(w, "\nNOT KNOWN: %s in %s.\n", plural(n, "reply", "replies"), plural(int64(len(f.Unknown)), "wording", "wordings"))
		for i, c := range f.Unknown {
			if i == 10 {
				fmt.Fprintf(w, "  ... and %d more wordings (--json shows them)\n", len(f.Unknown)-i)
				break
			}
			wrap(w, fmt.Sprintf("  %9s  ", thousands(c.N)), cutText(either(c.Template, "(no reply at all)"), 200))
		}
		wrap(w, "  ", "A rule of your own makes them known: winnow bounces test-rules --help")
	}
}

// printTable prints the categories by provider: the largest of both.
func printTable(w io.Writer, counts []diagnosis.CategoryCount) {
	const columns, rows = 4, 15
	byProvider, byCategory := map[string]int64{}, map[string]int64{}
	cell := map[[2]string]int64{}
	for _, c := range counts {
		if c.Side == bounceimport.None {
			continue
		}
		byProvider[c.Provider] += c.N
		byCategory[c.Category] += c.N
		cell[[2]string{c.Category, c.Provider}] += c.N
	}
	largest := func(m map[string]int64, n int) []string {
		names := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
		return names[:min(len(names), n)]
	}
	delete(byProvider, "")
	providers, categories := largest(byProvider, columns), largest(byCategory, rows)
	if len(providers) == 0 || len(categories) == 0 {
		return
	}
	fmt.Fprintf(w, "\n  %-24s", "replies by provider")
	for _, p := range providers {
		fmt.Fprintf(w, " %9s", cutText(p, 9))
	}
	fmt.Fprintf(w, " %9s\n", "other")
	for _, c := range categories {
		fmt.Fprintf(w, "  %-24s", c)
		rest := byCategory[c]
		for _, p := range providers {
			n := cell[[2]string{c, p}]
			rest -= n
			fmt.Fprintf(w, " %9s", dash(n))
		}
		fmt.Fprintf(w, " %9s\n", dash(rest))
	}
	if n := len(byCategory) - len(categories); n > 0 {
		fmt.Fprintf(w, "  and %s (--json has all of them)\n", plural(int64(n), "smaller category", "smaller categories"))
	}
}

func dash(n int64) string {
	if n == 0 {
		return "-"
	}
	return thousands(n)
}

// print554 says what the replies were that everyone asks about.
func print554(w io.Writer, n map[bounceimport.Side]int64) {
	total := int64(0)
	for _, c := range n {
		total += c
	}
	if total == 0 {
		return
	}
	var parts []string
	for _, l := range []struct {
		side bounceimport.Side
		what string
	}{{bounceimport.Sender, "are your side"}, {bounceimport.Recipient, "are about the mailbox"}, {bounceimport.Transient, "will pass"}, {bounceimport.None, "are no bounce"}, {"unknown", "do not say"}} {
		if n[l.side] > 0 {
			parts = append(parts, thousands(n[l.side])+" "+l.what)
		}
	}
	wrap(w, "  ", fmt.Sprintf("Of %s with code 554: %s.", plural(total, "reply", "replies"), strings.Join(parts, ", ")))
}

func printProblem(w io.Writer, i int, p *diagnosis.Problem) {
	fmt.Fprintf(w, "\n%d. %s: %s, %s %s\n", i, strings.ToUpper(p.Bucket), p.Category, thousands(p.N), replies(p.N))
	if p.Meaning != "" {
		wrap(w, "   says   ", p.Meaning)
	}
	wrap(w, "   where  ", p.Where()+"; "+p.Extent())
	switch {
	case p.Since != nil:
		wrap(w, "   since  ", sinceText(p.Since))
	case !p.First.IsZero() && p.First.Equal(p.Last):
		wrap(w, "   since  ", "seen at one time only: "+minute(p.First)+" UTC")
	case !p.First.IsZero():
		wrap(w, "   since  ", fmt.Sprintf("no clear start: first %s, last %s UTC", minute(p.First), minute(p.Last)))
	default:
		wrap(w, "   since  ", "not known: the source gives no times")
	}
	if p.Over {
		wrap(w, "          ", fmt.Sprintf("It seems to be over: none after %s UTC.", minute(p.Last)))
	}
	if p.Sample != "" {
		wrap(w, "   reply  ", cutText(p.Sample, 280))
	}
	if p.Fix != "" {
		wrap(w, "   check  ", p.Fix)
	}
}

func sinceText(o *diagnosis.Onset) string {
	s := fmt.Sprintf("%s UTC: %d of %d events there from then on, %d of %d before", minute(o.Time), o.From.N, o.From.Of, o.Before.N, o.Before.Of)
	if o.After != nil {
		s += fmt.Sprintf("; %s \"%s\" (%s)", after(o.Time.Sub(o.After.Time)), o.After.What, minute(o.After.Time))
	}
	return s
}

// after says how long after something it was.
func after(d time.Duration) string {
	switch {
	case d < time.Hour:
		return "right after"
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h after", d.Hours())
	}
	return fmt.Sprintf("%.0f days after", d.Hours()/24)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func percent(n, of int64) string {
	p := 100 * float64(n) / float64(of)
	switch {
	case n == of:
		return "100%"
	case p < 1:
		return fmt.Sprintf("%.1f%%", p)
	case p > 99:
		return fmt.Sprintf("%.1f%%", min(p, 99.9))
	}
	return fmt.Sprintf("%.0f%%", p)
}

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

func replies(n int64) string {
	if n == 1 {
		return "reply"
	}
	return "replies"
}
