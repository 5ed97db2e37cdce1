package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/export/esp"
)

func newExportCmd(e *env) *cobra.Command {
	var to, from, past, out, include, keyFile string
	var o esp.Options
	cmd := &cobra.Command{
		Use:   "export --to TARGET {--from RUN | --history FILE} -o DIR",
		Short: "Write suppressions as import files of a provider",
		Long: `export writes the suppressed addresses of a run, or of a whole history of
bounces, in the form in which a provider takes them: its columns, its words, its
limits (large lists come in parts). It prints what was written, what the
provider cannot hold, and how to import it.

Hard bounces, dead domains, complaints, unsubscribes and your own blocks leave.
Soft bounces, disposable domains, system mailboxes and typos leave only with
--include, because a provider keeps an entry for ever. Sender-side bounces and
rows held for review never leave.

DIR then holds the provider's files, not-expressed.csv (what it cannot hold),
state.csv (the whole set, for the next --since) and manifest.json. It appears
whole or not at all, readable by you alone.

Targets:
` + targetHelp(func(*esp.Target) bool { return true }),
		Example: `  winnow export --to mailgun --from out -o esp
  winnow export --to mailchimp --from out -o esp --include disposable,role
  winnow export --to ses --history winnow.db -o esp --since esp-yesterday
  winnow export --to sendgrid --from out -o esp --against present.csv
  winnow export --to hmac --hmac-key-file key -o esp --from out`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := findTarget(cmd, to)
			if err != nil {
				return err
			}
			if out == "" {
				return usagef(cmd, "-o DIR is missing: the directory to write")
			}
			o.Version = versionString()
			if o.Include, err = esp.ParseInclude(include); err != nil {
				return usagef(cmd, "%v", err)
			}
			if keyFile != "" {
				if o.HMACKey, err = readKey(keyFile); err != nil {
					return err
				}
			}
			src, done, err := openSuppressions(cmd, from, past)
			if err != nil {
				return err
			}
			defer done()
			rep, err := esp.Write(cmd.Context(), out, t, src, o)
			if err != nil {
				return err
			}
			printExport(e.stdout, t, rep, out)
			if o.Against != "" && src.Kept == nil {
				e.note("conflicts are not looked for: only a run directory tells whom you deliver to")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "the `TARGET`, one of those below")
	f.StringVar(&from, "from", "", "the directory of a `RUN` ('winnow clean -o RUN')")
	f.StringVar(&past, "history", "", "the `FILE` of 'winnow bounces import', instead of a run")
	f.StringVarP(&out, "output", "o", "", "the `DIR` to write; an earlier export in it is replaced")
	f.StringVar(&include, "include", "", "let these leave too: soft, disposable, role, typo, stale")
	f.StringVar(&o.Since, "since", "", "write only what is new since `LAST`: an earlier run, export or file;\nwhat was released since then goes to released.csv")
	f.StringVar(&o.Against, "against", "", "write only what is missing from `CURRENT`, the provider's own export;\nwhat it suppresses and this run delivers goes to conflicts.csv")
	f.StringVar(&o.Column, "column", "", "the address column of LAST and CURRENT, by name or number\n(default: found by header and content)")
	f.StringVar(&keyFile, "hmac-key-file", "", "the key for --to hmac, in a file that only you can read")
	return cmd
}

// targetHelp lists targets for a help text.
func targetHelp(want func(*esp.Target) bool) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, t := range esp.Targets() {
		if want(t) {
			fmt.Fprintf(w, "  %s\t%s\n", t.Name, t.Title)
		}
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

func findTarget(cmd *cobra.Command, name string) (*esp.Target, error) {
	if name == "" {
		return nil, usagef(cmd, "--to TARGET is missing")
	}
	t, err := esp.Find(name)
	if err != nil {
		return nil, usagef(cmd, "%v", err)
	}
	return t, nil
}

// openSuppressions opens what is to be exported: a run, or a history. done
// closes it.
func openSuppressions(cmd *cobra.Command, from, past string) (src *esp.Source, done func(), err error) {
	switch {
	case from == "" && past == "":
		return nil, nil, usagef(cmd, "--from RUN is missing: the directory that 'winnow clean -o RUN' wrote")
	case from != "" && past != "":
		return nil, nil, usagef(cmd, "--from and --history exclude each other")
	case past != "":
		store, err := history.Open(past)
		if err != nil {
			return nil, nil, err
		}
		hashed, err := store.Hashed(cmd.Context())
		if err != nil {
			store.Close()
			return nil, nil, err
		}
		src := &esp.Source{Name: past, Each: func(ctx context.Context, yield func(*esp.Entry) error) error {
			return eachOfHistory(ctx, store, time.Now(), yield)
		}}
		if hashed != nil {
			src.Also = func(key string) bool { _, ok := hashed(key); return ok }
		}
		return src, func() { store.Close() }, nil
	}
	src, err = esp.OpenRun(from)
	if errors.Is(err, fs.ErrNotExist) {
		err = withHint(err, "--from takes the directory that 'winnow clean -o DIR' wrote")
	}
	return src, func() {}, err
}

// eachOfHistory yields what a history says must not be mailed at the time now.
func eachOfHistory(ctx context.Context, h bounceimport.Source, now time.Time, yield func(*esp.Entry) error) error {
	return h.Records(ctx, now, nil, func(key string, r bounceimport.Record) error {
		if r.Held != "" || r.Action != bounceimport.SuppressNow && r.Action != bounceimport.Count || !r.Until.IsZero() && !now.Before(r.Until) {
			return nil
		}
		e := esp.Entry{Address: key, Key: key, Word: "bounce_" + r.Category, At: r.Last, Source: r.Source}
		e.Reason, _ = esp.ReasonOf(e.Word)
		e.SetReply(r.Reply)
		return yield(&e)
	})
}

func printExport(w io.Writer, t *esp.Target, r *esp.Report, dir string) {
	fmt.Fprintf(w, "%s: %s for %s\n", dir, plural(r.Written, "address", "addresses"), t.Title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Files {
		if f.What == "" {
			continue
		}
		rows := ""
		if f.Records != f.Addresses {
			rows = fmt.Sprintf(" in %d rows", f.Records)
		}
		fmt.Fprintf(tw, "  %s\t%s%s\t%s\n", f.Name, plural(f.Addresses, "address", "addresses"), rows, f.What)
	}
	tw.Flush()
	printLeft(w, r)
	if r.Written > 0 {
		fmt.Fprintf(w, "\nTo import (%s):\n", t.Title)
		for i, s := range t.Steps {
			wrap(w, fmt.Sprintf("  %d. ", i+1), s)
		}
		if t.Docs != "" {
			fmt.Fprintf(w, "  See %s\n", t.Docs)
		}
	}
	printKnow(w, t, r)
}

// printKnow says what the target does beside holding entries.
func printKnow(w io.Writer, t *esp.Target, r *esp.Report) {
	if t.Scope == "file" && t.Beside == "" && r.Formulas == 0 {
		return
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Know before:")
	if t.Scope != "file" {
		wrap(w, "  ", t.Caps.String())
	}
	if t.Beside != "" {
		wrap(w, "  ", strings.ToUpper(t.Beside[:1])+t.Beside[1:]+".")
	}
	if r.Formulas > 0 {
		wrap(w, "  ", fmt.Sprintf("A spreadsheet takes %s for a formula: do not open and save these files in one.", plural(r.Formulas, "address", "addresses")))
	}
}

// printLeft says where the entries are that were not written.
func printLeft(w io.Writer, r *esp.Report) {
	if r.Written == r.Entries {
		return
	}
	fmt.Fprintf(w, "\nNot written, of %s:\n", plural(r.Entries, "entry", "entries"))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n int64, format string, args ...any) {
		if n > 0 {
			fmt.Fprintf(tw, "%d\t  %s\n", n, fmt.Sprintf(format, args...))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.CannotHold)) {
		line(r.CannotHold[k], "%s: no place for it there (not-expressed.csv)", k)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Held)) {
		line(r.Held[k], "%s: leaves with --include %s", k, strings.TrimSuffix(string(k), "_bounce"))
	}
	for _, k := range slices.Sorted(maps.Keys(r.NoGround)) {
		line(r.NoGround[k], "%s: no ground to tell a provider", k)
	}
	line(r.Repeated, "the same address again")
	line(r.There, "already there (--against)")
	line(r.Unchanged, "not new (--since)")
	tw.Flush()
	if r.Released > 0 {
		fmt.Fprintf(w, "Released since then: %d, in released.csv. Take them off there by hand if you want to.\n", r.Released)
	}
	if r.Gone > 0 {
		fmt.Fprintf(w, "No longer known here: %d; they stay suppressed there.\n", r.Gone)
	}
	if r.Conflicts > 0 {
		fmt.Fprintf(w, "Suppressed there, delivered here: %d, in conflicts.csv. Look before you send.\n", r.Conflicts)
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// wrap prints text behind a label, in lines of at most 80 columns; words that
// are longer stay whole, so that commands can be copied.
func wrap(w io.Writer, label, text string) {
	indent := strings.Repeat(" ", len(label))
	line := label
	empty := true
	for word := range strings.FieldsSeq(text) {
		if !empty && len(line)+1+len(word) > 80 {
			fmt.Fprintln(w, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(w, line)
}
