package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/rundir"
	"github.com/winnow-email/winnow/export/waves"
	"github.com/winnow-email/winnow/internal/shown"
)

// Changes prints what changed between two runs, a group of addresses in two lines.
func Changes(w io.Writer, changes []rundir.Change) error {
	var b strings.Builder
	if len(changes) == 0 {
		b.WriteString("Nothing changed.\n")
	}
	for _, c := range changes {
		shown.Fprintf(&b, "%9d  %s\n           %s\n", c.N, describe(c), strings.Join(c.Examples, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// describe says in a few words what a change is.
func describe(c rundir.Change) string {
	at := func(list, reason string) string {
		if reason == "" || list == export.Cleaned {
			return list
		}
		return list + " (" + reason + ")"
	}
	switch {
	case c.WasList == "":
		return "new: " + at(c.List, c.Reason)
	case c.List == "":
		return "gone: was " + at(c.WasList, c.WasReason)
	}
	return at(c.WasList, c.WasReason) + " -> " + at(c.List, c.Reason)
}

// Proof prints what holds of a run folder, what could not be looked at, and what is
// wrong, a line each.
func Proof(w io.Writer, p *rundir.Proof) error {
	var b strings.Builder
	for _, l := range []struct {
		mark  string
		lines []string
	}{{"ok", p.Checked}, {"skipped", p.Skipped}, {"WRONG", p.Problems}} {
		for _, line := range l.lines {
			shown.Fprintf(&b, "%-8s %s\n", l.mark, line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Plan prints the schedule of a send, one wave a line, and what is to be known of it.
func Plan(w io.Writer, plan *waves.Plan, job *waves.Job) error {
	var b strings.Builder
	shown.Fprintf(&b, "%-18s %-10s %9s  %s\n", "wave", "day", "rows", "providers")
	for _, w := range plan.Waves {
		var shares []string
		for _, p := range w.Providers[:min(3, len(w.Providers))] {
			shares = append(shares, fmt.Sprintf("%s %d", p.Provider, p.Rows))
		}
		if more := len(w.Providers) - 3; more > 0 {
			shares = append(shares, fmt.Sprintf("%d more", more))
		}
		text := strings.Join(shares, ", ")
		if w.Hours > 1 {
			text = fmt.Sprintf("%d h; %s", w.Hours, text)
		}
		shown.Fprintf(&b, "%-18s %-10s %9d  %s\n", w.File, w.Day.Format(time.DateOnly), w.Rows, text)
	}
	if plan.Stale > 0 {
		shown.Fprintf(&b, "%-18s %-10s %9d  not engaged since %s: for a person to decide\n", "stale.csv", "", plan.Stale, job.Now.Add(-job.Sunset).Format(time.DateOnly))
	}
	if plan.Rejected > 0 {
		shown.Fprintf(&b, "%-18s %-10s %9d  could not be read\n", "rejected.csv", "", plan.Rejected)
	}
	if plan.Undated > 0 {
		shown.Fprintf(&b, "%d rows have no date that can be read in %q: they come last.\n", plan.Undated, job.LastEngaged)
	}
	if len(plan.NoRows) > 0 {
		shown.Fprintf(&b, "No row is of %s: is it the name that the waves show?\n", strings.Join(plan.NoRows, ", "))
	}
	switch {
	case strings.HasSuffix(plan.SlashDates, "assumed"):
		shown.Fprintf(&b, "Dates like 3/4/2026 in %q are taken for month/day/year: none shows which it is.\n", job.LastEngaged)
	case plan.SlashDates != "":
		shown.Fprintf(&b, "Dates like 3/4/2026 in %q are read as %s/year.\n", job.LastEngaged, plan.SlashDates)
	}
	if slices.ContainsFunc(plan.Waves, func(w waves.Wave) bool { return strings.Contains(w.File, "test") }) {
		n := int(plan.Waves[0].Rows)
		shown.Fprintf(&b, "Send the test wave first and wait a day. No hard bounce in %d messages shows a\nrate below %.1f%% (95%% confidence); with more than %d, stop and look.\n",
			n, 100*waves.RuleOfThree(n), n/50)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
