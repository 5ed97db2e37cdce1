package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/waves"
)

func newPlanCmd(e *env) *cobra.Command {
	var (
		job      waves.Job
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
			plan, err := waves.Run(cmd.Context(), &job)
			if err != nil {
				return err
			}
			if jsonText {
				return printJSON(e.stdout, plan)
			}
			return report.Plan(e.stdout, plan, &job)
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
