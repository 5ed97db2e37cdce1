package main

import (
	"errors"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

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
			imported, counts, err := e.importBounces(cmd.Context(), files, path, &read, nil)
			if err != nil {
				return err
			}
			if asJSON {
				accounts := []reader.Account{}
				for _, f := range imported {
					accounts = append(accounts, f.account)
				}
				return printJSON(e.stdout, struct {
					Files []reader.Account `json:"files"`
					history.Counts
				}{accounts, counts})
			}
			return printImport(e.stdout, path, imported, counts)
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the `FILE` to add to, made when missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the account as JSON")
	read.add(cmd.Flags())
	return cmd
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
	shown.Fprintf(w, "%s: %s, %d suppressed now, %d held for review, %d forgotten\n", path,
		shown.Plural(st.Addresses, "address", "addresses"), st.Suppressed, st.Held, st.Forgotten)
	if !st.Newest.IsZero() {
		age := now.Sub(st.Newest).Hours() / 24
		shown.Fprintf(w, "  events from %s to %s (the newest is %.0f days old)\n", st.Oldest.Format(time.DateOnly), st.Newest.Format(time.DateOnly), max(age, 0))
	}
	if st.NoTime > 0 {
		shown.Fprintf(w, "  %s without a time\n", shown.Plural(st.NoTime, "row", "rows"))
	}
	for _, t := range []struct {
		title string
		list  []history.Count
	}{{"side", st.Sides}, {"category", st.Categories}, {"provider", st.Providers}} {
		if len(t.list) == 0 {
			continue
		}
		shown.Fprintf(w, "\nrows by %s\n", t.title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for i, c := range t.list {
			if i == 20 {
				rest := int64(0)
				for _, c := range t.list[i:] {
					rest += c.N
				}
				shown.Fprintf(tw, "  %d\t  %d more\n", rest, len(t.list)-i)
				break
			}
			shown.Fprintf(tw, "  %d\t  %s\n", c.N, c.Name)
		}
		tw.Flush()
	}
	if len(st.Incidents) > 0 {
		shown.Fprintf(w, "\nheld for review: windows that look like an outage of the provider\n")
		for i := range st.Incidents {
			shown.Wrap(w, "  ", st.Incidents[i].String())
		}
	}
	if len(st.Files) > 0 {
		shown.Fprintf(w, "\nfiles\n")
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range st.Files {
			shown.Fprintf(tw, "  %s\t%s\t%s\n", f.Name, f.Format, shown.Plural(f.Records, "record", "records"))
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
				shown.Fprintf(e.stdout, "%s: nothing moves\n", path)
				return nil
			}
			what := "moved"
			if dryRun {
				what = "would move"
			}
			shown.Fprintf(e.stdout, "%s: rows that %s\n", path, what)
			tw := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			for _, m := range moved {
				shown.Fprintf(tw, "  %d\t%s (%s)\tto %s (%s)\n", m.N, m.From, m.FromAction, m.To, m.ToAction)
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
				who, left = shown.Plural(int64(len(keys)), "address", "addresses"), "keyed hashes keep them suppressed"
			}
			if entirely {
				left = "nothing is left, and nothing suppresses what was forgotten"
			}
			shown.Fprintf(e.stdout, "%s: %s removed; %s\n", who, shown.Plural(int64(n), "row", "rows"), left)
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "history", "", "the history `FILE`")
	cmd.Flags().BoolVar(&entirely, "entirely", false, "leave no hash either: the address may be mailed again")
	return cmd
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
