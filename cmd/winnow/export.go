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
	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/export/esp"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// exportOptions is all that an export can be told, by flags or by a job file.
type exportOptions struct {
	esp.Options
	to, from, history, out string
	include, keyFile       string
	said                   []string // what a job file says beside, as flags
}

// reads returns the files that an export reads beside the run.
func (o *exportOptions) reads() []string { return []string{o.Since, o.Against, o.keyFile} }

// addFlags defines the flags that say what leaves and how.
func (o *exportOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.include, "include", "", "let these leave too: soft, disposable, role, typo, stale")
	f.StringVar(&o.Since, "since", "", "write only what is new since `LAST`: an earlier run, export or file;\nwhat was released since then goes to released.csv")
	f.StringVar(&o.Against, "against", "", "write only what is missing from `CURRENT`, the provider's own export;\nwhat it suppresses and this run delivers goes to conflicts.csv")
	f.StringVar(&o.Column, "column", "", "the address column of LAST and CURRENT, by name or number\n(default: found by header and content)")
	f.StringVar(&o.keyFile, "hmac-key-file", "", "the key for --to hmac, in a file that only you can read")
}

// target checks the words among the options and returns the provider.
func (o *exportOptions) target() (*esp.Target, error) {
	if o.to == "" {
		return nil, &usageError{err: errors.New("--to TARGET is missing")}
	}
	t, err := esp.Find(o.to)
	if err == nil {
		o.Include, err = esp.ParseInclude(o.include)
	}
	if err != nil {
		return nil, &usageError{err: err}
	}
	return t, nil
}

// export writes the files of a provider and prints what was written.
func (e *env) export(ctx context.Context, o *exportOptions) error {
	t, err := o.target()
	if err != nil {
		return err
	}
	o.Version = versionString()
	if o.keyFile != "" {
		if o.HMACKey, err = files.ReadSecret(ctx, o.keyFile); err != nil {
			return err
		}
	}
	src, done, err := openSuppressions(ctx, o.from, o.history)
	if err != nil {
		return err
	}
	defer done()
	rep, err := esp.Write(ctx, o.out, t, src, o.Options)
	if err != nil {
		return err
	}
	if err := e.print(func(w io.Writer) { printExport(w, t, rep, o.out) }); err != nil {
		return fmt.Errorf("%s is written, but what it holds could not be printed: %w", o.out, err)
	}
	if o.Against != "" && src.Kept == nil {
		e.note("conflicts are not looked for: only a run directory tells whom you deliver to")
	}
	return nil
}

func newExportCmd(e *env) *cobra.Command {
	var o exportOptions
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
			if _, err := o.target(); err != nil {
				return err
			}
			if o.out == "" {
				return usagef(cmd, "-o DIR is missing: the directory to write")
			}
			return e.export(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "the `TARGET`, one of those below")
	f.StringVar(&o.from, "from", "", "the directory of a `RUN` ('winnow clean -o RUN')")
	f.StringVar(&o.history, "history", "", "the `FILE` of 'winnow bounces import', instead of a run")
	f.StringVarP(&o.out, "output", "o", "", "the `DIR` to write; an earlier export in it is replaced")
	o.addFlags(f)
	return cmd
}

// targetHelp lists targets for a help text.
func targetHelp(want func(*esp.Target) bool) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, t := range esp.Targets() {
		if want(t) {
			shown.Fprintf(w, "  %s\t%s\n", t.Name, t.Title)
		}
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// openSuppressions opens what is to be exported: a run, or a history. done
// closes it.
func openSuppressions(ctx context.Context, from, past string) (src *esp.Source, done func(), err error) {
	switch {
	case from == "" && past == "":
		return nil, nil, &usageError{err: errors.New("--from RUN is missing: the directory that 'winnow clean -o RUN' wrote")}
	case from != "" && past != "":
		return nil, nil, &usageError{err: errors.New("--from and --history exclude each other")}
	case past != "":
		store, err := history.Open(past)
		if err != nil {
			return nil, nil, err
		}
		hashed, err := store.Hashed(ctx)
		if err != nil {
			store.Close()
			return nil, nil, err
		}
		var also func(key string) bool
		if hashed != nil {
			also = func(key string) bool { _, ok := hashed(key); return ok }
		}
		return esp.FromHistory(past, store, time.Now(), also), func() { store.Close() }, nil
	}
	src, err = esp.OpenRun(from)
	if errors.Is(err, fs.ErrNotExist) {
		err = withHint(err, "--from takes the directory that 'winnow clean -o DIR' wrote")
	}
	return src, func() {}, err
}

func printExport(w io.Writer, t *esp.Target, r *esp.Report, dir string) {
	shown.Fprintf(w, "%s: %s for %s\n", dir, shown.Plural(r.Written, "address", "addresses"), t.Title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Files {
		if f.What == "" {
			continue
		}
		rows := ""
		if f.Records != f.Addresses {
			rows = fmt.Sprintf(" in %d rows", f.Records)
		}
		shown.Fprintf(tw, "  %s\t%s%s\t%s\n", f.Name, shown.Plural(f.Addresses, "address", "addresses"), rows, f.What)
	}
	tw.Flush()
	printLeft(w, r)
	if r.Written > 0 {
		shown.Fprintf(w, "\nTo import (%s):\n", t.Title)
		for i, s := range t.Steps {
			shown.Wrap(w, fmt.Sprintf("  %d. ", i+1), s)
		}
		if t.Docs != "" {
			shown.Fprintf(w, "  See %s\n", t.Docs)
		}
	}
	printKnow(w, t, r)
}

// printKnow says what the target does beside holding entries.
func printKnow(w io.Writer, t *esp.Target, r *esp.Report) {
	if t.Scope == "file" && t.Beside == "" && r.Formulas == 0 {
		return
	}
	shown.Fprintf(w, "\n")
	shown.Fprintf(w, "Know before:\n")
	if t.Scope != "file" {
		shown.Wrap(w, "  ", t.Effects())
	}
	if t.Beside != "" {
		shown.Wrap(w, "  ", strings.ToUpper(t.Beside[:1])+t.Beside[1:]+".")
	}
	if r.Formulas > 0 {
		shown.Wrap(w, "  ", fmt.Sprintf("A spreadsheet takes %s for a formula: do not open and save these files in one.", shown.Plural(r.Formulas, "address", "addresses")))
	}
}

// printLeft says where the entries are that were not written.
func printLeft(w io.Writer, r *esp.Report) {
	if r.Written == r.Entries {
		return
	}
	shown.Fprintf(w, "\nNot written, of %s:\n", shown.Plural(r.Entries, "entry", "entries"))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n int64, format string, args ...any) {
		if n > 0 {
			shown.Fprintf(tw, "%d\t  %s\n", n, fmt.Sprintf(format, args...))
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
		shown.Fprintf(w, "Released since then: %d, in released.csv. Take them off there by hand if you want to.\n", r.Released)
	}
	if r.Gone > 0 {
		shown.Fprintf(w, "No longer known here: %d; they stay suppressed there.\n", r.Gone)
	}
	if r.Conflicts > 0 {
		shown.Fprintf(w, "Suppressed there, delivered here: %d, in conflicts.csv. Look before you send.\n", r.Conflicts)
	}
}
