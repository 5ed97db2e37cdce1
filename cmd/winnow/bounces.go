package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"winnow/bounceimport"
)

// bouncesCommands are the constructors of the commands under bounces, in the
// order of the help text.
var bouncesCommands = []func(*env) *cobra.Command{
	newExplainCmd,
	newBouncesReportCmd,
	newBouncesImportCmd,
	newBouncesShowCmd,
	newBouncesStatsCmd,
	newBouncesForgetCmd,
	newBouncesExportCmd,
	newBouncesReadCmd,
}

func newBouncesCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bounces",
		Short: "Read, explain and keep what mail servers answered",
		Long: `What servers say when they refuse mail, and what it means for the address. A code
such as 550, 554 or 5.7.1 is no verdict: only the wording tells whether the
mailbox is dead (suppress it) or whether the sender was refused (never suppress;
repair what the reply names).`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, c := range bouncesCommands {
		cmd.AddCommand(c(e))
	}
	return cmd
}

// loadRules returns a classifier with the rules of a file on top, or the
// embedded rules alone when path is empty.
func loadRules(path string) (*bounceimport.Classifier, error) {
	if path == "" {
		return &bounceimport.Classifier{}, nil
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rules, err := bounceimport.ParseRules(path, string(src))
	if err != nil {
		return nil, withHint(err, "'winnow bounces test-rules --help' shows the form of a rule")
	}
	return &bounceimport.Classifier{User: rules}, nil
}

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
			c, err := loadRules(rulesFile)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(e.stdout)
			if len(args) == 1 && args[0] == "-" {
				err = explainLines(cmd, c, e.stdin, out, asJSON)
			} else {
				for i, reply := range args {
					if reply == "-" {
						return usagef(cmd, "\"-\" stands alone: it reads the replies from standard input")
					}
					if asJSON {
						err = writeExplained(out, c, reply)
					} else {
						if i > 0 {
							fmt.Fprintln(out)
						}
						explainText(out, c.Explain(reply))
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

func writeExplained(w io.Writer, c *bounceimport.Classifier, reply string) error {
	ev := c.Explain(reply)
	x := explained{Reply: reply, Class: ev.Class, Matched: ev.Matched, Code: ev.Code, Status: ev.Status, Phase: ev.Phase}
	if x.Matched == nil {
		x.Matched = []string{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(x)
}

// explainLines answers every line of in with one line.
func explainLines(cmd *cobra.Command, c *bounceimport.Classifier, in io.Reader, out *bufio.Writer, asJSON bool) error {
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
			ev := c.Explain(line)
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", ev.Category, ev.Side, ev.Action, ev.Confidence, ev.Rule, strings.Join(ev.Matched, ", "))
		}
		if r.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// maxLine bounds a reply read from standard input; what is longer is cut, and
// its line still gets its answer.
const maxLine = 1 << 16

// readLine returns the next line without its end; io.EOF after the last.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) < maxLine {
			line = append(line, part[:min(len(part), maxLine-len(line))]...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0, err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		default:
			return "", err
		}
	}
}

// explainText prints one reply's meaning for a person, at most 80 columns.
func explainText(w io.Writer, ev bounceimport.Event) {
	row := func(key, value string) {
		if value != "" {
			wrap(w, fmt.Sprintf("%-12s", key), value)
		}
	}
	row("reply", plain(ev.Reply))
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

// plain makes text of strangers safe to print: control characters become spaces.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}
