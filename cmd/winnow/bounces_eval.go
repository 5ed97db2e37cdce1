package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/shown"
)

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

// labels reads the table of eval.
type labels struct {
	path   string
	sep    string         // "" until the header is read
	column map[string]int // of the header
	mails  bool           // the table names mails, not replies
	rows   []labelled
}

func readLabels(ctx context.Context, path string) (*labels, error) {
	l := &labels{path: path}
	err := eachLine(ctx, path, func(n int, line string) error {
		switch {
		case line == "":
			return nil
		case l.sep == "":
			return l.header(n, line)
		}
		return l.row(n, line)
	})
	if err == nil && len(l.rows) == 0 {
		err = fmt.Errorf("%s: no rows", path)
	}
	return l, err
}

func (l *labels) header(n int, line string) error {
	line = strings.TrimPrefix(line, "\ufeff")
	if l.sep = "\t"; !strings.Contains(line, l.sep) {
		l.sep = ","
	}
	l.column = map[string]int{}
	for i, h := range splitRow(line, l.sep) {
		l.column[strings.ToLower(strings.TrimSpace(h))] = i
	}
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { _, ok := l.column[name]; return !ok })
	}
	if l.mails = has("file", "gold_category"); !l.mails && !has("reply", "category") {
		return withHint(fmt.Errorf("%s:%d: no columns reply and category, nor file and gold_category", l.path, n), "the first line names the columns: %s", shown.Fit(line, 63, "..."))
	}
	return nil
}

func (l *labels) row(n int, line string) error {
	cells := splitRow(line, l.sep)
	get := func(name string) string {
		if i, ok := l.column[name]; ok && i < len(cells) {
			return cells[i]
		}
		return ""
	}
	r := labelled{line: n, reply: get("reply"), file: get("file"), recipient: get("recipient")}
	name := get("category")
	if l.mails {
		name = get("gold_category")
	}
	var ok bool
	if r.right, ok = bounceimport.LookupCategory(strings.TrimSpace(name)); !ok {
		return withHint(fmt.Errorf("%s:%d: unknown category %q", l.path, n, name), "the names are those that 'winnow bounces explain' prints, e.g. user_unknown")
	}
	l.rows = append(l.rows, r)
	return nil
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

// evaluate classifies every row of a table and prints how often that is right.
func evaluate(ctx context.Context, c *reply.Classifier, path string, out io.Writer, misses bool) error {
	l, err := readLabels(ctx, path)
	if err != nil {
		return err
	}
	m := labelledMails{dir: filepath.Dir(path), read: reader.Options{Classifier: c}, events: map[string][]bounceimport.Event{}}
	var all, on554 evaluation
	for i := range l.rows {
		r := &l.rows[i]
		if i%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var ev bounceimport.Event
		if l.mails {
			if ev, err = m.event(ctx, r); err != nil {
				return withHint(err, "column file of %s, line %d", path, r.line)
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
			shown.Fprintf(out, "%s:%d: %s, got %s %s (%s)\n    %s\n", path, r.line, r.right.Name, ev.Category, ev.Action, ev.Rule, shown.Line(cmp.Or(r.reply, r.file+" "+ev.Reply)))
		}
	}
	if misses {
		shown.Fprintf(out, "\n")
	}
	if l.mails {
		shown.Fprintf(out, "%-34s %s\n", "recipients found in the mails", share(m.found, len(l.rows)))
	}
	printEvaluation(out, &all, &on554)
	return nil
}

// labelledMails reads the mails that a table names, each once.
type labelledMails struct {
	dir    string
	read   reader.Options
	events map[string][]bounceimport.Event // by file
	found  int                             // recipients that a mail tells of
}

// event returns what the mail of a row says of its recipient.
func (m *labelledMails) event(ctx context.Context, r *labelled) (bounceimport.Event, error) {
	list, ok := m.events[r.file]
	if !ok {
		_, err := reader.ReadPath(ctx, filepath.Join(m.dir, r.file), m.read, func(e *bounceimport.Event) error {
			list = append(list, *e)
			return nil
		})
		if err != nil {
			return bounceimport.Event{}, err
		}
		m.events[r.file] = list
	}
	ev := bounceimport.Event{}
	for _, e := range list {
		if strings.EqualFold(e.Recipient, r.recipient) {
			ev = e
			m.found++
			break
		}
	}
	if ev.Category == "" {
		ev.Class = bounceimport.Class{Category: "(no event)", Action: bounceimport.Ignore}
	}
	return ev, nil
}

func printEvaluation(out io.Writer, all, on554 *evaluation) {
	shown.Fprintf(out, "%-34s %-22s %s\n", "", "all", "554 only")
	line := func(what string, n, of int, n554, of554 int) {
		shown.Fprintf(out, "%-34s %-22s %s\n", what, share(n, of), share(n554, of554))
	}
	line("exact category", all.right, all.cases, on554.right, on554.cases)
	line("suppress at once: found", all.found, all.suppress, on554.found, on554.suppress)
	line("sender-side: wrongly suppressed", all.wrong, all.sender, on554.wrong, on554.sender)
	line("other: suppressed too soon", all.tooSoon, all.other, on554.tooSoon, on554.other)
	if list := all.confusions(); len(list) > 0 {
		shown.Fprintf(out, "\n%6s  %-26s %s\n", "rows", "is", "was taken for")
		for _, k := range list {
			shown.Fprintf(out, "%6d  %-26s %s\n", k.cases, k.right, k.got)
		}
	}
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

// evaluation compares classes with the right ones. The zero value is ready.
type evaluation struct {
	cases    int // with a known right category
	right    int // the exact category
	suppress int // cases that must be suppressed at once …
	found    int // … and are
	sender   int // cases that are the sender's …
	wrong    int // … but would be suppressed at once
	other    int // all other cases …
	tooSoon  int // … that would be suppressed at once
	pairs    map[[2]string]int
}

// add counts one case: the right category and the class it got. It reports
// whether the two agree, in the category and in suppressing at once.
func (v *evaluation) add(right bounceimport.Category, got *bounceimport.Class) bool {
	v.cases++
	now := got.Action == bounceimport.SuppressNow
	switch {
	case right.Action == bounceimport.SuppressNow:
		v.suppress++
		if now {
			v.found++
		}
	case right.Side == bounceimport.Sender:
		v.sender++
		if now {
			v.wrong++
		}
	default:
		v.other++
		if now {
			v.tooSoon++
		}
	}
	if right.Name == got.Category {
		v.right++
		return now == (right.Action == bounceimport.SuppressNow)
	}
	if v.pairs == nil {
		v.pairs = map[[2]string]int{}
	}
	v.pairs[[2]string{right.Name, got.Category}]++
	return false
}

// confusion is how often one category was taken for another.
type confusion struct {
	right, got string
	cases      int
}

// confusions returns the wrong categories, the most frequent first.
func (v *evaluation) confusions() []confusion {
	var list []confusion
	for p, n := range v.pairs {
		list = append(list, confusion{p[0], p[1], n})
	}
	slices.SortFunc(list, func(a, b confusion) int {
		return cmp.Or(b.cases-a.cases, cmp.Compare(a.right, b.right), cmp.Compare(a.got, b.got))
	})
	return list
}
