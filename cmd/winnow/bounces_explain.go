package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/shown"
)

func newExplainCmd(e *env) *cobra.Command {
	var asJSON bool
	var rulesFile string
	cmd := &cobra.Command{
		Use:   "explain REPLY… | -",
		Short: "Say what a server's reply means, and what to check first",
		Long: `Explain what a server said: the category, whose side it is on, what one such
event does to the address, how sure that is, the rule and the words that decided,
and what to check first. Give the whole reply, with its codes and all its lines;
a reply that quotes another one is judged by the innermost.

"-" reads one reply a line from standard input and answers each line with one
line (or, with --json, one object: reply, category, bucket, side, action,
confidence, rule, matched, provider, meaning, fix, code, status, phase).

  action  suppress_now  one event is enough: the address is dead or refused you
          count         suppress only when it comes back over weeks
          report        your side: never suppress, repair what it says
          ignore, clear nothing to do`,
		Example: `  winnow bounces explain "554 5.7.1 Service unavailable; client host blocked"
  winnow bounces explain --json "550 5.1.1 User unknown"
  cut -f3 bounces.tsv | winnow bounces explain - --json`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadRules(cmd.Context(), rulesFile)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(e.stdout)
			if len(args) == 1 && args[0] == "-" {
				err = explainLines(cmd, c, e.stdin, out, asJSON)
			} else {
				for i, said := range args {
					if said == "-" {
						return usagef(cmd, "\"-\" stands alone: it reads the replies from standard input")
					}
					if asJSON {
						err = writeExplained(out, c, said)
					} else {
						if i > 0 {
							shown.Fprintf(out, "\n")
						}
						explainText(out, c, said)
					}
				}
			}
			return errors.Join(err, out.Flush())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a reply")
	cmd.Flags().StringVar(&rulesFile, "rules", "", "a file of your own rules, which win over the built-in ones")
	return cmd
}

// explained is the JSON object for one reply.
type explained struct {
	Reply string `json:"reply"`
	bounceimport.Class
	Matched []string `json:"matched"` // always there
	Code    int      `json:"code,omitempty"`
	Status  string   `json:"status,omitempty"`
	Phase   string   `json:"phase,omitempty"`
}

func writeExplained(w io.Writer, c *reply.Classifier, said string) error {
	ev := c.Classify(reply.Evidence{Reply: said})
	x := explained{Reply: said, Class: ev.Class, Matched: ev.Matched, Code: ev.Code, Status: ev.Status, Phase: ev.Phase}
	if x.Matched == nil {
		x.Matched = []string{}
	}
	return jsonLines(w).Encode(x)
}

// explainLines answers every line of in with one line.
func explainLines(cmd *cobra.Command, c *reply.Classifier, in io.Reader, out *bufio.Writer, asJSON bool) error {
	r := bufio.NewReaderSize(in, 1<<16)
	for n := 0; ; n++ {
		line, err := readLine(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n%1024 == 0 {
			if err := cmd.Context().Err(); err != nil {
				return err
			}
		}
		if asJSON {
			if err := writeExplained(out, c, line); err != nil {
				return err
			}
		} else {
			ev := c.Classify(reply.Evidence{Reply: line})
			shown.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", ev.Category, ev.Side, ev.Action, ev.Confidence, ev.Rule, strings.Join(ev.Matched, ", "))
		}
		if r.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// explainText prints one reply's meaning for a person, at most 80 columns.
func explainText(w io.Writer, c *reply.Classifier, said string) {
	ev := c.Classify(reply.Evidence{Reply: said})
	row := func(key, value string) {
		if value != "" {
			shown.Wrap(w, fmt.Sprintf("%-12s", key), value)
		}
	}
	row("reply", shown.Line(said))
	codes := ""
	if ev.Code > 0 {
		codes = fmt.Sprint(ev.Code)
	}
	row("codes", strings.TrimSpace(strings.Join([]string{codes, ev.Status, ev.Phase}, " ")))
	row("category", ev.Category+" ("+ev.Bucket+")")
	row("side", sideText(ev.Side))
	row("action", actionText(ev.Action))
	row("confidence", ev.Confidence)
	row("rule", ev.Rule)
	if len(ev.Matched) > 0 {
		row("matched", "\""+strings.Join(ev.Matched, "\", \"")+"\"")
	}
	row("provider", ev.Provider)
	row("meaning", ev.Meaning)
	row("check", ev.Fix)
}

func sideText(s bounceimport.Side) string {
	switch s {
	case bounceimport.Recipient:
		return "recipient: it is about the address"
	case bounceimport.Sender:
		return "sender: it is about you, not about the address"
	case bounceimport.Transient:
		return "transient: neither the address nor you are shown to be at fault"
	}
	return string(s)
}

func actionText(a bounceimport.Action) string {
	switch a {
	case bounceimport.SuppressNow:
		return "suppress_now: one such event is enough"
	case bounceimport.Count:
		return "count: suppress only when it comes back over weeks"
	case bounceimport.Report:
		return "report: keep the address, repair the cause"
	case bounceimport.Ignore:
		return "ignore: nothing to do"
	case bounceimport.Clear:
		return "clear: the address works; counters start again"
	}
	return string(a)
}
