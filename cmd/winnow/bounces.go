package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/files"
)

// bouncesCommands are the constructors of the commands under bounces, in the
// order of the help text.
var bouncesCommands = []func(*env) *cobra.Command{
	newExplainCmd,
	newBouncesReadCmd,
	newEvalCmd,
	newTestRulesCmd,
	newBouncesReportCmd,
	newBouncesImportCmd,
	newBouncesShowCmd,
	newBouncesStatsCmd,
	newBouncesReclassifyCmd,
	newBouncesForgetCmd,
	newBouncesExportCmd,
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
func loadRules(ctx context.Context, path string) (*reply.Classifier, error) {
	if path == "" {
		return &reply.Classifier{}, nil
	}
	src, err := files.ReadAll(ctx, path, 16<<20)
	if err != nil {
		return nil, err
	}
	rules, err := reply.ParseRules(path, string(src))
	if err != nil {
		return nil, withHint(err, "'winnow bounces test-rules --help' shows the form of a rule")
	}
	return &reply.Classifier{User: rules}, nil
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
							fmt.Fprintln(out)
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
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(x)
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
func explainText(w io.Writer, c *reply.Classifier, said string) {
	ev := c.Classify(reply.Evidence{Reply: said})
	row := func(key, value string) {
		if value != "" {
			wrap(w, fmt.Sprintf("%-12s", key), value)
		}
	}
	row("reply", plain(said))
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

func newEvalCmd(e *env) *cobra.Command {
	var rulesFile string
	var misses bool
	cmd := &cobra.Command{
		Use:   "eval TABLE",
		Short: "Measure the classifier on replies whose category is known",
		Long: `Classify every row of a labelled table and compare: the exact category, how many
of the addresses that must be suppressed at once are found, and how many replies
that are about the sender would suppress an address. The figures come for all
rows and for those that begin with 554. At the end stands which category was
taken for which.

TABLE is tab- or comma-separated with a header. Either the columns reply and
category, or file, recipient and gold_category: then the mails named in the
column file are read from the table's directory, and each of their recipients is
compared.`,
		Example: `  winnow bounces eval replies.tsv
  winnow bounces eval --misses mail/expected.tsv`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadRules(cmd.Context(), rulesFile)
			if err != nil {
				return err
			}
			out := bufio.NewWriter(e.stdout)
			err = evaluate(cmd.Context(), c, args[0], out, misses)
			return errors.Join(err, out.Flush())
		},
	}
	cmd.Flags().BoolVar(&misses, "misses", false, "print every row that was taken for something else")
	cmd.Flags().StringVar(&rulesFile, "rules", "", "a file of your own rules, which win over the built-in ones")
	return cmd
}

// labelled is one row of a table for eval.
type labelled struct {
	line            int
	reply           string
	file, recipient string
	right           bounceimport.Category
}

// readLabelled reads the table of eval.
func readLabelled(path string) (rows []labelled, mails bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	var column map[string]int
	sep := "\t"
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, false, err
		}
		if line == "" {
			continue
		}
		if column == nil {
			line = strings.TrimPrefix(line, "\ufeff")
			if !strings.Contains(line, sep) {
				sep = ","
			}
			column = map[string]int{}
			for i, h := range splitRow(line, sep) {
				column[strings.ToLower(strings.TrimSpace(h))] = i
			}
			_, reply := column["reply"]
			_, category := column["category"]
			_, file := column["file"]
			_, gold := column["gold_category"]
			if mails = file && gold; !mails && !(reply && category) {
				return nil, false, withHint(fmt.Errorf("%s:%d: no columns reply and category, nor file and gold_category", path, n), "the first line names the columns: %s", shortenLine(line))
			}
			continue
		}
		cells := splitRow(line, sep)
		get := func(name string) string {
			if i, ok := column[name]; ok && i < len(cells) {
				return cells[i]
			}
			return ""
		}
		r := labelled{line: n, reply: get("reply"), file: get("file"), recipient: get("recipient")}
		name := get("category")
		if mails {
			name = get("gold_category")
		}
		var ok bool
		if r.right, ok = bounceimport.LookupCategory(strings.TrimSpace(name)); !ok {
			return nil, false, withHint(fmt.Errorf("%s:%d: unknown category %q", path, n, name), "the names are those that 'winnow bounces explain' prints, e.g. user_unknown")
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, false, fmt.Errorf("%s: no rows", path)
	}
	return rows, mails, nil
}

// splitRow splits a line of a table; in a comma-separated one, cells may be quoted.
func splitRow(line, sep string) []string {
	if sep != "," || !strings.Contains(line, `"`) {
		return strings.Split(line, sep)
	}
	var cells []string
	var cell strings.Builder
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"' && quoted && i+1 < len(line) && line[i+1] == '"':
			cell.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			cells = append(cells, cell.String())
			cell.Reset()
		default:
			cell.WriteByte(c)
		}
	}
	return append(cells, cell.String())
}

func shortenLine(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "..."
	}
	return s
}

func evaluate(ctx context.Context, c *reply.Classifier, path string, out io.Writer, misses bool) error {
	rows, mails, err := readLabelled(path)
	if err != nil {
		return err
	}
	var all, on554 evaluation
	recipients, found := 0, 0
	events := map[string][]bounceimport.Event{} // of the mails
	for i := range rows {
		r := &rows[i]
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var ev bounceimport.Event
		if mails {
			list, ok := events[r.file]
			if !ok {
				_, err := reader.ReadPath(ctx, filepath.Join(filepath.Dir(path), r.file), reader.Options{Classifier: c}, func(e *bounceimport.Event) error {
					list = append(list, *e)
					return nil
				})
				if err != nil {
					return withHint(err, "column file of %s, line %d", path, r.line)
				}
				events[r.file] = list
			}
			recipients++
			for _, e := range list {
				if strings.EqualFold(e.Recipient, r.recipient) {
					ev = e
					found++
					break
				}
			}
			if ev.Category == "" {
				ev.Class = bounceimport.Class{Category: "(no event)", Action: bounceimport.Ignore}
			}
		} else {
			v := c.Classify(reply.Evidence{Reply: r.reply})
			ev = bounceimport.Event{Reply: r.reply, Code: v.Code, Class: v.Class}
		}
		same := all.add(r.right, &ev.Class)
		if is554(ev) {
			on554.add(r.right, &ev.Class)
		}
		if misses && !same {
			fmt.Fprintf(out, "%s:%d: %s, got %s %s (%s)\n    %s\n", path, r.line, r.right.Name, ev.Category, ev.Action, ev.Rule, plain(cmp.Or(r.reply, r.file+" "+ev.Reply)))
		}
	}
	if misses {
		fmt.Fprintln(out)
	}
	if mails {
		fmt.Fprintf(out, "%-34s %s\n", "recipients found in the mails", share(found, recipients))
	}
	fmt.Fprintf(out, "%-34s %-22s %s\n", "", "all", "554 only")
	line := func(what string, n, of int, n554, of554 int) {
		fmt.Fprintf(out, "%-34s %-22s %s\n", what, share(n, of), share(n554, of554))
	}
	line("exact category", all.right, all.cases, on554.right, on554.cases)
	line("suppress at once: found", all.found, all.suppress, on554.found, on554.suppress)
	line("sender-side: wrongly suppressed", all.wrong, all.sender, on554.wrong, on554.sender)
	line("other: suppressed too soon", all.tooSoon, all.other, on554.tooSoon, on554.other)
	if list := all.confusions(); len(list) > 0 {
		fmt.Fprintf(out, "\n%6s  %-26s %s\n", "rows", "is", "was taken for")
		for _, k := range list {
			fmt.Fprintf(out, "%6d  %-26s %s\n", k.cases, k.right, k.got)
		}
	}
	return nil
}

// is554 says whether a reply is one of those that other systems get wrong.
func is554(ev bounceimport.Event) bool {
	return strings.HasPrefix(ev.Reply, "554") || ev.Code == 554
}

// share prints n of a total, and as a percentage.
func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d of %d, %.1f%%", n, of, 100*float64(n)/float64(of))
}

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
			src, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			rules, err := reply.ParseRules(args[0], string(src))
			if err != nil {
				return withHint(err, "'winnow bounces test-rules --help' shows the form of a rule")
			}
			var replies []string
			if len(args) == 2 {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer f.Close()
				for in := bufio.NewReaderSize(f, 1<<16); ; {
					line, err := readLine(in)
					if err == io.EOF {
						break
					}
					if err != nil {
						return err
					}
					replies = append(replies, line)
				}
			}
			check := reply.CheckRules(rules, replies)
			out := bufio.NewWriter(e.stdout)
			printCheck(out, &check)
			if err := out.Flush(); err != nil {
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
		fmt.Fprintf(w, "FAIL  %s: %s does not decide its test, but %s (%s)\n", r.Place, r.Rule, r.Is.Rule, r.Is.Category)
		wrap(w, "      ", plain(r.Reply))
	}
	for _, r := range c.Shadowed {
		fmt.Fprintf(w, "NEVER %s: %s: its own words are decided by %s (%s)\n", r.Place, r.Rule, r.Is.Rule, r.Is.Category)
		wrap(w, "      ", plain(r.Reply))
	}
	for _, r := range c.Untested {
		fmt.Fprintf(w, "note  %s: %s has no test line\n", r.Place, r.Rule)
	}
	for _, r := range c.Changed {
		fmt.Fprintf(w, "now   %s %s, was %s %s (%s, %s)\n", r.Is.Category, r.Is.Action, r.Was.Category, r.Was.Action, r.Is.Rule, r.Place)
		wrap(w, "      ", plain(r.Reply))
	}
	fmt.Fprintf(w, "%d rules, %d match lines, %d tests: %d fail, %d never decide, %d readings change\n",
		c.Rules, c.Phrases, c.Tests, len(c.Failed), len(c.Shadowed), len(c.Changed))
}
