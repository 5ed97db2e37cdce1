package main

import (
	_ "embed"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/internal/files"
)

//go:embed job.toml
var jobTemplate []byte

func newRunCmd(e *env) *cobra.Command {
	var check, quiet bool
	cmd := &cobra.Command{
		Use:   "run JOB.toml",
		Short: "Run a nightly job from its file",
		Long: `Do what a job file says: import the bounces into the history, clean the lists,
write the exports and the metrics, and call the notify command when something
went wrong. 'winnow init' writes a job file with comments.

A job can run again at any time: the same inputs give the same lists, bounces
are counted once, and two runs of one job never work at the same time.

Exit codes are those of 'winnow clean'. With --check nothing is done: the job
file, the inputs, rules, history, folders and exports are looked at, and what
would be done is printed.`,
		Example: `  winnow init > nightly.toml
  winnow run --check nightly.toml
  winnow run nightly.toml`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := readJob(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !check {
				return e.runJob(cmd.Context(), job, quiet)
			}
			plan, err := job.plan(time.Now())
			if err == nil {
				err = plan.check(cmd.Context())
			}
			if err != nil {
				return jobError("", err)
			}
			return e.print(plan.print)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "look at everything, do nothing")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but errors")
	return cmd
}

func newInitCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a job file with comments, to begin with",
		Long: `Write a commented job file for 'winnow run' to FILE, or to standard output.
An existing file is never overwritten.`,
		Example: `  winnow init nightly.toml`,
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := e.stdout.Write(jobTemplate)
				return err
			}
			if _, err := os.Lstat(args[0]); err == nil {
				return withHint(fmt.Errorf("%s is there already", args[0]), "choose another name, or move it away")
			}
			return files.Write(args[0], "", jobTemplate)
		},
	}
}
