package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/diagnosis"
	"github.com/winnow-email/winnow/internal/shown"
)

// Findings prints what bounces mean, for a terminal of 80 columns: whose side the
// trouble is on, then one side after the other.
func Findings(to io.Writer, f *diagnosis.Findings) error {
	w := new(strings.Builder)
	if f.Events == 0 {
		w.WriteString("No events.\n")
	} else {
		printSides(w, f)
		print554(w, f.On554)
		printTable(w, f.Categories)
		printProblems(w, f)
		printRecipients(w, f.Recipients)
		printHeld(w, f.Incidents)
		printUnknown(w, f)
	}
	_, err := io.WriteString(to, w.String())
	return err
}

// printSides says how many events there are, and whose they are.
func printSides(w io.Writer, f *diagnosis.Findings) {
	head := shown.Number(f.Events) + " events"
	if !f.Oldest.IsZero() {
		head += fmt.Sprintf(", %s to %s", f.Oldest.Format(time.DateOnly), f.Newest.Format(time.DateOnly))
	}
	shown.Fprintf(w, "%s; the wording of %s is known\n", head, sharePercent(f.Classified, f.Events))
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
			shown.Wrap(w, fmt.Sprintf("  %-10s%9s %4s  ", l.name, shown.Number(n), sharePercent(n, f.Events)), l.what)
		}
	}
}

// printProblems prints the sender's problems; those below 2% share a line.
func printProblems(w io.Writer, f *diagnosis.Findings) {
	if len(f.Problems) == 0 {
		return
	}
	shown.Fprintf(w, "\nYOUR SIDE, in the order in which to look. Cleaning the list will not help.\n")
	var rest []string
	n := 0
	for i := range f.Problems {
		p := &f.Problems[i]
		if len(f.Problems) > 3 && p.N*50 < f.Sides[bounceimport.Sender] {
			rest = append(rest, fmt.Sprintf("%s %s", p.Category, shown.Number(p.N)))
			continue
		}
		n++
		printProblem(w, n, p)
	}
	if len(rest) > 0 {
		shown.Fprintf(w, "\n")
		shown.Wrap(w, "   Each below 2% of these: ", strings.Join(rest, ", ")+" (--json has all of them)")
	}
}

// printRecipients prints what is about the list.
func printRecipients(w io.Writer, problems []diagnosis.Problem) {
	if len(problems) == 0 {
		return
	}
	shown.Fprintf(w, "\nTHE LIST. `winnow clean` with these bounces suppresses what is dead.\n")
	for i := range problems {
		p := &problems[i]
		shown.Fprintf(w, "  %9s  %s\n", shown.Number(p.N), p.Category)
		where := p.Extent()
		if p.Scope != "not_known" {
			where += "; " + p.Where()
		}
		shown.Wrap(w, "             ", where)
		if p.Since != nil {
			shown.Wrap(w, "             ", "since "+sinceText(p.Since))
		}
	}
}

// printHeld prints the incidents.
func printHeld(w io.Writer, incidents []bounceimport.Incident) {
	if len(incidents) == 0 {
		return
	}
	shown.Fprintf(w, "\nHELD BACK. These \"no such user\" are not believed: the addresses are for review.\n")
	for i := range incidents {
		shown.Wrap(w, fmt.Sprintf("  %9s  ", shown.Number(incidents[i].N)), incidents[i].String())
	}
}

// printUnknown prints the wordings that no rule knows.
func printUnknown(w io.Writer, f *diagnosis.Findings) {
	n := f.Sides["unknown"]
	if n == 0 {
		return
	}
	shown.Fprintf(w, "\nNOT KNOWN: %s in %s.\n", shown.Plural(n, "reply", "replies"), shown.Plural(int64(len(f.Unknown)), "wording", "wordings"))
	for i, c := range f.Unknown {
		if i == 10 {
			shown.Fprintf(w, "  ... and %d more wordings (--json shows them)\n", len(f.Unknown)-i)
			break
		}
		shown.Wrap(w, fmt.Sprintf("  %9s  ", shown.Number(c.N)), shown.Fit(cmp.Or(c.Template, "(no reply at all)"), 200, "..."))
	}
	shown.Wrap(w, "  ", "A rule of your own makes them known: winnow bounces test-rules --help")
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
	shown.Fprintf(w, "\n  %-24s", "replies by provider")
	for _, p := range providers {
		shown.Fprintf(w, " %9s", shown.Fit(p, 9, "..."))
	}
	shown.Fprintf(w, " %9s\n", "other")
	for _, c := range categories {
		shown.Fprintf(w, "  %-24s", c)
		rest := byCategory[c]
		for _, p := range providers {
			n := cell[[2]string{c, p}]
			rest -= n
			shown.Fprintf(w, " %9s", dash(n))
		}
		shown.Fprintf(w, " %9s\n", dash(rest))
	}
	if n := len(byCategory) - len(categories); n > 0 {
		shown.Fprintf(w, "  and %s (--json has all of them)\n", shown.Plural(int64(n), "smaller category", "smaller categories"))
	}
}

func dash(n int64) string {
	if n == 0 {
		return "-"
	}
	return shown.Number(n)
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
			parts = append(parts, shown.Number(n[l.side])+" "+l.what)
		}
	}
	shown.Wrap(w, "  ", fmt.Sprintf("Of %s with code 554: %s.", shown.Plural(total, "reply", "replies"), strings.Join(parts, ", ")))
}

func printProblem(w io.Writer, i int, p *diagnosis.Problem) {
	shown.Fprintf(w, "\n%d. %s: %s, %s %s\n", i, strings.ToUpper(p.Bucket), p.Category, shown.Number(p.N), pick(p.N, "reply", "replies"))
	if p.Meaning != "" {
		shown.Wrap(w, "   says   ", p.Meaning)
	}
	shown.Wrap(w, "   where  ", p.Where()+"; "+p.Extent())
	switch {
	case p.Since != nil:
		shown.Wrap(w, "   since  ", sinceText(p.Since))
	case !p.First.IsZero() && p.First.Equal(p.Last):
		shown.Wrap(w, "   since  ", "seen at one time only: "+minute(p.First)+" UTC")
	case !p.First.IsZero():
		shown.Wrap(w, "   since  ", fmt.Sprintf("no clear start: first %s, last %s UTC", minute(p.First), minute(p.Last)))
	default:
		shown.Wrap(w, "   since  ", "not known: the source gives no times")
	}
	if p.Over {
		shown.Wrap(w, "          ", fmt.Sprintf("It seems to be over: none after %s UTC.", minute(p.Last)))
	}
	if p.Sample != "" {
		shown.Wrap(w, "   reply  ", shown.Fit(p.Sample, 280, "..."))
	}
	if p.Fix != "" {
		shown.Wrap(w, "   check  ", p.Fix)
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

// sharePercent prints a share in four columns.
func sharePercent(n, of int64) string {
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
