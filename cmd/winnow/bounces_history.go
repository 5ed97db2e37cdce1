package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/validate"
)

// readPath reads a bounce file, a folder or standard input ("-"), and says on
// standard error what could not be used.
func (e *env) readPath(ctx context.Context, path string, opt reader.Options, yield func(*bounceimport.Event) error) (a reader.Account, err error) {
	if path == "-" {
		a, err = reader.Read(ctx, e.stdin, "stdin", opt, yield)
	} else {
		a, err = reader.ReadPath(ctx, path, opt, yield)
	}
	if err == nil {
		e.noteAccount(&a)
	}
	return a, err
}

func newBouncesImportCmd(e *env) *cobra.Command {
	var path string
	var read bounceFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import FILE... --history winnow.db",
		Short: "Add bounce files to a history",
		Long: `import reads bounces, complaints, unsubscribes and deliveries from files, folders
or standard input ("-"), in every form that 'winnow bounces read' knows, and adds
them to a history: one SQLite file that 'winnow clean --history' asks.

The same file twice changes nothing, and the order of files does not matter. The
history is made, readable by you alone, when it is not there. It holds addresses,
replies (with addresses in them masked), times, and the file and line each came
from; no names and no other columns.

Events without a time suppress where one event is enough, and count as one day
towards a threshold that needs several.`,
		Example: `  winnow bounces import bounces.csv --history winnow.db
  winnow bounces import maildir/ mail.log.gz --history winnow.db
  zcat old.json.gz | winnow bounces import - --history winnow.db`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if path == "" {
				return usagef(cmd, "--history FILE is missing: the history to add to")
			}
			accounts, counts, err := e.importBounces(cmd.Context(), files, path, &read)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, struct {
					Files []reader.Account `json:"files"`
					history.Counts
				}{accounts, counts})
			}
			return printImport(e.stdout, path, accounts, counts)
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the `FILE` to add to, made when missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the account as JSON")
	read.add(cmd.Flags())
	return cmd
}

func newBouncesShowCmd(e *env) *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ADDRESS --history winnow.db",
		Short: "Show all that a history knows of an address, and why it is suppressed",
		Long: `show prints whether an address (or a domain, as "@example.org") is suppressed,
because of what and until when, and every event on which that rests.`,
		Example: `  winnow bounces show jane@example.org --history winnow.db
  winnow bounces show @example.org --history winnow.db`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := historyKey(cmd, args[0])
			if err != nil {
				return err
			}
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer s.Close()
			d, err := s.Show(cmd.Context(), key, time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, d)
			}
			printDossier(e.stdout, d)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// standing says in one sentence what a record comes to.
func standing(r *bounceimport.Record) string {
	until := "without end"
	if !r.Until.IsZero() {
		until = "until " + r.Until.UTC().Format(time.DateOnly)
	}
	switch {
	case r.Held != "":
		return "held for review"
	case r.Action == bounceimport.SuppressNow || r.Action == bounceimport.Count:
		return "suppressed " + until
	case r.Action == bounceimport.Report:
		return "not suppressed: what came back is about the sender, not the address"
	case r.Action == bounceimport.Clear:
		return "not suppressed: the last sign is one of life"
	case r.Category != "":
		return "not suppressed: what is known is not enough"
	}
	return "not suppressed: nothing is known that counts"
}

func printDossier(w io.Writer, d *history.Dossier) {
	printStanding(w, d.Key, &d.Record, d.Events)
	if !d.Forgotten.IsZero() {
		wrap(w, "  forgotten  ", "on "+d.Forgotten.Format(time.DateOnly)+": only a keyed hash is left, and it suppresses")
	}
	if i := strings.LastIndexByte(d.Key, '@'); i > 0 && len(d.DomainEvents) > 0 {
		fmt.Fprintln(w)
		printStanding(w, d.Key[i:], &d.DomainRecord, d.DomainEvents)
	}
}

// printStanding prints what a key comes to and on what that rests.
func printStanding(w io.Writer, key string, r *bounceimport.Record, events []bounceimport.DayEvent) {
	if key[0] == '@' && r.Category == "delivered" {
		fmt.Fprintf(w, "%s: not suppressed: its mail server answers (last %s)\n", key, either(stamp(r.Last), "time not known"))
		if len(events) == 1 {
			return
		}
	} else {
		fmt.Fprintf(w, "%s: %s\n", key, standing(r))
		printRecord(w, r)
	}
	printEvents(w, events)
}

func printRecord(w io.Writer, r *bounceimport.Record) {
	if r.Category == "" {
		return
	}
	because := r.Category
	if r.Events > 1 {
		because += fmt.Sprintf(" on %d days", r.Events)
	}
	switch {
	case r.Last.IsZero():
	case r.First.Truncate(24 * time.Hour).Equal(r.Last.Truncate(24 * time.Hour)):
		because += ", " + r.Last.Format(time.DateOnly)
	default:
		because += ", " + r.First.Format(time.DateOnly) + " to " + r.Last.Format(time.DateOnly)
	}
	wrap(w, "  because    ", because)
	if r.Held != "" {
		wrap(w, "  incident   ", r.Held)
	}
	if c, ok := bounceimport.LookupCategory(r.Category); ok && c.Meaning != "" {
		wrap(w, "  meaning    ", c.Meaning)
	}
	if r.Reply != "" {
		wrap(w, "  reply      ", r.Reply)
	}
	if r.Source != "" {
		wrap(w, "  source     ", strings.TrimSpace(r.Source+" "+paren(r.Rule)))
	}
}

func paren(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// maxShown is how many events are shown of an address.
const maxShown = 30

func printEvents(w io.Writer, events []bounceimport.DayEvent) {
	if len(events) == 0 {
		return
	}
	fmt.Fprintln(w)
	if n := len(events) - maxShown; n > 0 {
		fmt.Fprintf(w, "  %d earlier rows (--json has them)\n", n)
		events = events[n:]
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range events {
		v := &events[i]
		when := "time not known"
		if !v.Last.IsZero() {
			when = v.Last.Format("2006-01-02 15:04")
		}
		if v.Action == bounceimport.Clear {
			when = "last " + when
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", when, v.Category, cutText(v.Reply, 76-18-len(v.Category)))
	}
	tw.Flush()
}

// cutText cuts s to at most n runes.
func cutText(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:max(n-3, 0)]) + "..."
}

func newBouncesStatsCmd(e *env) *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats --history winnow.db",
		Short: "Count what a history holds",
		Long: `stats prints how many addresses a history knows and how many it suppresses now,
by category, side and provider; how old it is; which files went into it; and the
windows in which a provider's answers look like an outage and are held for review.
An address, category and day is one row, however many messages bounced on it.`,
		Example: `  winnow bounces stats --history winnow.db`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer s.Close()
			st, err := s.Stats(cmd.Context(), time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, st)
			}
			printStats(e.stdout, path, st, time.Now())
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func printStats(w io.Writer, path string, st *history.Stats, now time.Time) {
	fmt.Fprintf(w, "%s: %s, %d suppressed now, %d held for review, %d forgotten\n", path,
		plural(st.Addresses, "address", "addresses"), st.Suppressed, st.Held, st.Forgotten)
	if !st.Newest.IsZero() {
		age := now.Sub(st.Newest).Hours() / 24
		fmt.Fprintf(w, "  events from %s to %s (the newest is %.0f days old)\n", st.Oldest.Format(time.DateOnly), st.Newest.Format(time.DateOnly), max(age, 0))
	}
	if st.NoTime > 0 {
		fmt.Fprintf(w, "  %s without a time\n", plural(st.NoTime, "row", "rows"))
	}
	for _, t := range []struct {
		title string
		list  []history.Count
	}{{"side", st.Sides}, {"category", st.Categories}, {"provider", st.Providers}} {
		if len(t.list) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nrows by %s\n", t.title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for i, c := range t.list {
			if i == 20 {
				rest := int64(0)
				for _, c := range t.list[i:] {
					rest += c.N
				}
				fmt.Fprintf(tw, "  %d\t  %d more\n", rest, len(t.list)-i)
				break
			}
			fmt.Fprintf(tw, "  %d\t  %s\n", c.N, c.Name)
		}
		tw.Flush()
	}
	if len(st.Incidents) > 0 {
		fmt.Fprintln(w, "\nheld for review: windows that look like an outage of the provider")
		for i := range st.Incidents {
			wrap(w, "  ", st.Incidents[i].String())
		}
	}
	if len(st.Files) > 0 {
		fmt.Fprintln(w, "\nfiles")
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range st.Files {
			fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Name, f.Format, plural(f.Records, "record", "records"))
		}
		tw.Flush()
	}
}

func newBouncesReclassifyCmd(e *env) *cobra.Command {
	var path, rules string
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "reclassify --history winnow.db",
		Short: "Judge the replies in a history again, by the rules of today",
		Long: `reclassify reads the replies that a history keeps and judges them by the rules of
this winnow, and by your own (--rules). Do it after an update or a new rule of
yours: what was taken for a dead mailbox may turn out to be the sender's fault,
and the other way round. It prints what moved from which category to which.

Entries without a server's reply (lists of an ESP), very long replies and what is
counted for whole domains stay as they are; for those, import the files into a
new history.`,
		Example: `  winnow bounces reclassify --history winnow.db --dry-run
  winnow bounces reclassify --history winnow.db --rules my-rules.txt`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := loadRules(cmd.Context(), rules)
			if err != nil {
				return err
			}
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			moved, err := s.Reclassify(cmd.Context(), c.Classify, !dryRun)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(e.stdout, append([]history.Moved{}, moved...))
			}
			if len(moved) == 0 {
				fmt.Fprintf(e.stdout, "%s: nothing moves\n", path)
				return nil
			}
			what := "moved"
			if dryRun {
				what = "would move"
			}
			fmt.Fprintf(e.stdout, "%s: rows that %s\n", path, what)
			tw := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			for _, m := range moved {
				fmt.Fprintf(tw, "  %d\t%s (%s)\tto %s (%s)\n", m.N, m.From, m.FromAction, m.To, m.ToAction)
			}
			return tw.Flush()
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "history", "", "the history `FILE`")
	f.StringVar(&rules, "rules", "", "a `FILE` of your own rules, which win over the built-in ones")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would move")
	f.BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func newBouncesForgetCmd(e *env) *cobra.Command {
	var path string
	var entirely bool
	cmd := &cobra.Command{
		Use:   "forget ADDRESS... --history winnow.db",
		Short: "Remove the personal data of an address, and keep it suppressed",
		Long: `forget removes everything a history knows of an address and writes the file anew,
so that no trace stays in its free space. What is left is a keyed hash (HMAC-SHA-256) that goes on
suppressing the address and keeps later imports from bringing it back: who asks
to be forgotten does not ask for mail. With --entirely the hash goes too, and
nothing keeps the address from being mailed.

The key of the hashes is in the history itself. The hash is pseudonymous, not
anonymous: whoever has the file can ask it about an address they already know.
The bounce files, the lists and the outputs of earlier runs are not touched.`,
		Example: `  winnow bounces forget jane@example.org --history winnow.db`,
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var keys []string
			for _, a := range args {
				key, err := historyKey(cmd, a)
				if err != nil {
					return err
				}
				if key[0] == '@' {
					return usagef(cmd, "%s is a domain; forget takes addresses", a)
				}
				keys = append(keys, key)
			}
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer s.Close()
			n, err := s.Forget(cmd.Context(), time.Now(), entirely, keys...)
			if err != nil {
				return err
			}
			who, left := maskAddress(keys[0]), "a keyed hash keeps it suppressed"
			if len(keys) > 1 {
				who, left = plural(int64(len(keys)), "address", "addresses"), "keyed hashes keep them suppressed"
			}
			if entirely {
				left = "nothing is left, and nothing suppresses what was forgotten"
			}
			fmt.Fprintf(e.stdout, "%s: %s removed; %s\n", who, plural(int64(n), "row", "rows"), left)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	cmd.Flags().BoolVar(&entirely, "entirely", false, "leave no hash either: the address may be mailed again")
	return cmd
}

func newBouncesExportCmd(e *env) *cobra.Command {
	var path, out, format string
	var all bool
	cmd := &cobra.Command{
		Use:   "export --history winnow.db -o FILE",
		Short: "Write what a history suppresses now, as CSV or JSON lines",
		Long: `export writes one line for each address and each domain ("@example.org") that a
history suppresses now or holds for review, with the reason, until when, and the
event behind it. With --all it also writes those that nothing speaks against, or
not enough yet. Addresses that were forgotten are not in it: only their hashes
are known.

The file holds addresses. It is readable by you alone and appears whole or not at
all. "-o -" writes to standard output.`,
		Example: `  winnow bounces export --history winnow.db -o suppressed.csv
  winnow bounces export --history winnow.db -o all.jsonl --all`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if out == "" {
				return usagef(cmd, "-o FILE is missing: the file to write")
			}
			if format == "" {
				format = "csv"
				if strings.HasSuffix(out, ".jsonl") || strings.HasSuffix(out, ".ndjson") || strings.HasSuffix(out, ".json") {
					format = "jsonl"
				}
			}
			if format != "csv" && format != "jsonl" {
				return usagef(cmd, "--format %s: csv or jsonl", format)
			}
			if files.Same(out, path) {
				return usagef(cmd, "%s is the history itself", out)
			}
			s, err := historyOf(cmd, path)
			if err != nil {
				return err
			}
			defer s.Close()
			n := int64(0)
			own := csvStart
			if format == "jsonl" {
				own = jsonStart
			}
			err = writePrivate(e.stdout, out, own, func(w io.Writer) error {
				writer := putCSV
				if format == "jsonl" {
					writer = putJSON
				}
				put := writer(w)
				err := s.Standings(cmd.Context(), time.Now(), nil, func(key string, r bounceimport.Record) error {
					action := "keep"
					switch {
					case r.Held != "":
						action = "review"
					case r.Action == bounceimport.SuppressNow || r.Action == bounceimport.Count:
						action = "suppress"
					case !all:
						return nil
					}
					n++
					return put(key, action, &r)
				})
				if err != nil {
					return err
				}
				return put("", "", nil)
			})
			if err != nil {
				return err
			}
			if out != "-" {
				e.note("%s: %s", out, plural(n, "line", "lines"))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&path, "history", "", "the history `FILE`")
	f.StringVarP(&out, "out", "o", "", "the `FILE` to write, \"-\" for standard output")
	f.StringVar(&format, "format", "", "csv or jsonl (default: by the name of FILE)")
	f.BoolVar(&all, "all", false, "also addresses that are not suppressed")
	return cmd
}

// putCSV returns a function that writes records as CSV; a nil record ends it.
// How the files begin that putCSV and putJSON write.
const (
	csvStart  = "address,action,category,until"
	jsonStart = `{"address":`
)

func putCSV(w io.Writer) func(key, action string, r *bounceimport.Record) error {
	c := csv.NewWriter(w)
	c.Write([]string{"address", "action", "category", "until", "days", "first", "last", "held", "rule", "source", "reply"})
	return func(key, action string, r *bounceimport.Record) error {
		if r == nil {
			c.Flush()
			return c.Error()
		}
		return c.Write([]string{key, action, r.Category, stamp(r.Until), fmt.Sprint(r.Events), stamp(r.First), stamp(r.Last),
			r.Held, r.Rule, inert(r.Source), inert(r.Reply)})
	}
}

// inert keeps a spreadsheet from running a stranger's text as a formula (CWE-1236).
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

func putJSON(w io.Writer) func(key, action string, r *bounceimport.Record) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(key, action string, r *bounceimport.Record) error {
		if r == nil {
			return nil
		}
		return enc.Encode(struct {
			Address  string    `json:"address"`
			Action   string    `json:"action"`
			Category string    `json:"category"`
			Until    time.Time `json:"until,omitzero"`
			Days     int       `json:"days"`
			First    time.Time `json:"first,omitzero"`
			Last     time.Time `json:"last,omitzero"`
			Held     string    `json:"held,omitempty"`
			Rule     string    `json:"rule,omitempty"`
			Source   string    `json:"source,omitempty"`
			Reply    string    `json:"reply,omitempty"`
		}{key, action, r.Category, r.Until, r.Events, r.First, r.Last, r.Held, r.Rule, r.Source, r.Reply})
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// historyOf opens the history that a command needs.
func historyOf(cmd *cobra.Command, path string) (*history.Store, error) {
	if path == "" {
		return nil, usagef(cmd, "--history FILE is missing: the file that 'winnow bounces import' made")
	}
	return history.Open(path)
}

// historyKey returns the key of an address or "@domain" as the user wrote it.
func historyKey(cmd *cobra.Command, s string) (string, error) {
	s = strings.TrimSpace(s)
	probe := s
	if strings.HasPrefix(s, "@") {
		probe = "x" + s
	}
	a, err := validate.ParseAddress(probe)
	if err != nil {
		return "", usagef(cmd, "%q is neither an address nor a domain written as @example.org: %v", s, err)
	}
	if probe != s {
		return "@" + a.Domain, nil
	}
	return a.Key(), nil
}

// maskAddress shows an address as a person may see it: j***@example.org.
func maskAddress(s string) string {
	i := strings.LastIndexByte(s, '@')
	if i <= 0 {
		return s
	}
	r := []rune(s[:i])
	return string(r[0]) + "***" + s[i:]
}

// writePrivate writes a file that only its owner can read and that appears
// whole or not at all; "-" is standard output.
func writePrivate(stdout io.Writer, name, own string, write func(io.Writer) error) error {
	if name == "-" {
		w := bufio.NewWriter(stdout)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	}
	f, err := files.Create(name, own)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		f.Abandon()
		return err
	}
	return f.Commit()
}
