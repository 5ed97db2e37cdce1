package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

func newTestRulesCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test-rules FILE [REPLIES]",
		Short: "Check a file of your own rules before you use it",
		Long: `Check a file of rules for --rules: its form, its test lines, match lines that never
decide because another rule is stronger, and what it changes against the built-in
rules. REPLIES, a file with one reply a line, is read with and without your rules.
The exit code is 1 when a test fails or a match line never decides.

A rule is a group of lines, ended by an empty line:

  id: partner-quarantine              one word
  category: policy_block              as 'winnow bounces explain' prints it
  match: held in (quarantine|review)  words, without case and punctuation
  test: 550 Held in quarantine 4711   a reply that this rule must decide
  meaning: Our partner holds it.      optional, as are fix, source, provider,
  when: code=550 status=5.7.*         conditions (also phase, provider),
  not: released                       phrases that stop it, weight, confidence

In match: "a .. b" is a, then b at most 12 words later; "a & b" both anywhere,
"a & !b" a without b; "(a|b|)" either or nothing; "word*" any ending; "@" any
address, "%" any IP address, "host:example.org" a host in that domain.`,
		Example: `  winnow bounces test-rules my-rules.txt
  winnow bounces test-rules my-rules.txt last-month.txt
  winnow bounces explain --rules my-rules.txt "550 Held in quarantine 4711"`,
		Args: usageArgs(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := files.ReadAll(cmd.Context(), args[0], maxRules)
			if err != nil {
				return err
			}
			rules, err := reply.ParseRules(args[0], string(src))
			if err != nil {
				return withHint(err, "'winnow bounces test-rules --help' shows the form of a rule")
			}
			var replies []string
			if len(args) == 2 {
				err := eachLine(cmd.Context(), args[1], func(_ int, line string) error {
					replies = append(replies, line)
					return nil
				})
				if err != nil {
					return err
				}
			}
			check := reply.CheckRules(rules, replies)
			if err := e.print(func(w io.Writer) { printCheck(w, &check) }); err != nil {
				return err
			}
			if n := len(check.Failed) + len(check.Shadowed); n > 0 {
				return exitCode(exitFailed, fmt.Errorf("%s: %d of %d tests fail, %d of %d match lines never decide", args[0], len(check.Failed), check.Tests, len(check.Shadowed), check.Phrases))
			}
			return nil
		},
	}
	return cmd
}

func printCheck(w io.Writer, c *reply.RuleCheck) {
	for _, r := range c.Failed {
		shown.Fprintf(w, "FAIL  %s: %s does not decide its test, but %s (%s)\n", r.Place, r.Rule, r.Is.Rule, r.Is.Category)
		shown.Wrap(w, "      ", shown.Line(r.Reply))
	}
	for _, r := range c.Shadowed {
		shown.Fprintf(w, "NEVER %s: %s: its own words are decided by %s (%s)\n", r.Place, r.Rule, r.Is.Rule, r.Is.Category)
		shown.Wrap(w, "      ", shown.Line(r.Reply))
	}
	for _, r := range c.Untested {
		shown.Fprintf(w, "note  %s: %s has no test line\n", r.Place, r.Rule)
	}
	for _, r := range c.Changed {
		shown.Fprintf(w, "now   %s %s, was %s %s (%s, %s)\n", r.Is.Category, r.Is.Action, r.Was.Category, r.Was.Action, r.Is.Rule, r.Place)
		shown.Wrap(w, "      ", shown.Line(r.Reply))
	}
	shown.Fprintf(w, "%d rules, %d match lines, %d tests: %d fail, %d never decide, %d readings change\n",
		c.Rules, c.Phrases, c.Tests, len(c.Failed), len(c.Shadowed), len(c.Changed))
}
