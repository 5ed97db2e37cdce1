package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow"
)

func newPlanCmd(e *env) *cobra.Command {
	var (
		job      winnow.PlanJob
		start    string
		sunset   string
		perDay   []string
		jsonText bool
	)
	cmd := &cobra.Command{
		Use:   "plan LIST -o DIR",
		Short: "Split a cleaned list into waves for a careful send",
		Long: `Write one CSV per wave into DIR: first a test wave drawn from the whole list
(150 messages without a hard bounce show a rate below 2%, with 95% confidence),
then one wave a day, starting small and doubling up to the daily limit. Every
wave has the same mixture of mailbox providers, and with --last-engaged the most
engaged people come first. Rows keep their bytes and their order.

People who were not engaged for longer than --sunset go to stale.csv, for a
person to decide.`,
		Example: `  winnow plan out/cleaned.csv -o waves/ --daily 20000 --hourly 2500
  winnow plan out/cleaned.csv -o waves/ --last-engaged "Last open" --sunset 180d
  winnow plan out/cleaned.csv -o waves/ --provider-daily gmail=5000`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if job.Out == "" {
				return usagef(cmd, "the output folder is missing: add -o DIR")
			}
			if job.Test < 0 || job.First < 0 || job.Daily < 0 || job.Hourly < 0 {
				return usagef(cmd, "a number of rows is below zero")
			}
			job.List, job.Stdin, job.Now = args[0], e.stdin, time.Now()
			job.Start = job.Now
			var err error
			if start != "" {
				if job.Start, err = time.Parse(time.DateOnly, start); err != nil {
					return usagef(cmd, "--start %s: write a day as 2026-12-01", start)
				}
			}
			if job.Sunset, err = parseDays(sunset); err != nil {
				return usagef(cmd, "--sunset: %v", err)
			}
			if job.Sunset > 0 && job.LastEngaged == "" {
				return usagef(cmd, "--sunset needs --last-engaged COLUMN")
			}
			job.PerProvider = map[string]int{}
			for _, p := range perDay {
				name, value, _ := strings.Cut(p, "=")
				n, err := strconv.Atoi(value)
				if err != nil || n < 1 {
					return usagef(cmd, "--provider-daily %s: write PROVIDER=ROWS, like gmail=5000", p)
				}
				job.PerProvider[name] = n
			}
			plan, err := winnow.RunPlan(cmd.Context(), &job)
			if err != nil {
				return err
			}
			if jsonText {
				return printJSON(e.stdout, plan)
			}
			return e.printPlan(plan, &job)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&job.Out, "output", "o", "", "the folder to make; an earlier plan in it is replaced")
	f.StringVar(&job.Column, "column", "", "the address column, by name or number (default: found by header and content)")
	f.IntVar(&job.Test, "test", 150, "rows of the test wave, 0 for none")
	f.IntVar(&job.First, "first", 1000, "rows of the first wave after the test; further waves double")
	f.IntVar(&job.Daily, "daily", 20000, "rows of a wave at most, 0 for no limit")
	f.IntVar(&job.Hourly, "hourly", 0, "messages an hour, for the schedule")
	f.StringArrayVar(&perDay, "provider-daily", nil, "rows of one provider a day at most, as PROVIDER=ROWS (may be repeated)")
	f.StringVar(&job.LastEngaged, "last-engaged", "", "column with the date of the last open, click or order")
	f.StringVar(&sunset, "sunset", "", "age of the last engagement from which a row is stale, like 180d")
	f.StringVar(&start, "start", "", "day of the test wave, like 2026-12-01 (default: today)")
	f.BoolVar(&jsonText, "json", false, "print the plan as one JSON object")
	return cmd
}

// printPlan prints the schedule, one wave a line.
func (e *env) printPlan(plan *winnow.Plan, job *winnow.PlanJob) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %-10s %9s  %s\n", "wave", "day", "rows", "providers")
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
		fmt.Fprintf(&b, "%-18s %-10s %9d  %s\n", w.File, w.Day.Format(time.DateOnly), w.Rows, text)
	}
	if plan.Stale > 0 {
		fmt.Fprintf(&b, "%-18s %-10s %9d  not engaged since %s: for a person to decide\n", "stale.csv", "", plan.Stale, job.Now.Add(-job.Sunset).Format(time.DateOnly))
	}
	if plan.Rejected > 0 {
		fmt.Fprintf(&b, "%-18s %-10s %9d  could not be read\n", "rejected.csv", "", plan.Rejected)
	}
	if plan.Undated > 0 {
		fmt.Fprintf(&b, "%d rows have no date that can be read in %q: they come last.\n", plan.Undated, job.LastEngaged)
	}
	if len(plan.NoRows) > 0 {
		fmt.Fprintf(&b, "No row is of %s: is it the name that the waves show?\n", strings.Join(plan.NoRows, ", "))
	}
	switch {
	case strings.HasSuffix(plan.SlashDates, "assumed"):
		fmt.Fprintf(&b, "Dates like 3/4/2026 in %q are taken for month/day/year: none shows which it is.\n", job.LastEngaged)
	case plan.SlashDates != "":
		fmt.Fprintf(&b, "Dates like 3/4/2026 in %q are read as %s/year.\n", job.LastEngaged, plan.SlashDates)
	}
	if slices.ContainsFunc(plan.Waves, func(w winnow.Wave) bool { return strings.Contains(w.File, "test") }) {
		n := int(plan.Waves[0].Rows)
		fmt.Fprintf(&b, "Send the test wave first and wait a day. No hard bounce in %d messages shows a\nrate below %.1f%% (95%% confidence); with more than %d, stop and look.\n",
			n, 100*winnow.RuleOfThree(n), n/50)
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}

// parseDays reads a length of time in days ("180d"), or as Go writes it ("36h").
func parseDays(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is not a length of time like 180d", s)
}
