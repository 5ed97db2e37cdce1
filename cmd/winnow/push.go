package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/export/esp"
	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/shown"
)

// pushOptions is all that a push can be told.
type pushOptions struct {
	esp.PushOptions
	to, from, history, include, keyFile string
	asJSON                              bool
}

// target checks the options and returns the provider.
func (o *pushOptions) target() (*esp.Target, error) {
	x := exportOptions{to: o.to, include: o.include}
	t, err := x.target()
	if err != nil {
		return nil, err
	}
	o.Include = x.Include
	for _, a := range o.Allow {
		if a != "creates-contacts" && a != "destructive" {
			return nil, &usageError{err: fmt.Errorf("--allow takes creates-contacts and destructive, not %q", a)}
		}
	}
	if o.MaxNew < 0 || o.MaxPercent < 0 || o.MaxPercent > 100 {
		return nil, &usageError{err: errors.New("--max-new takes a count and --max-percent a share up to 100")}
	}
	return t, nil
}

// push sends to a provider and prints the balance.
func (e *env) push(ctx context.Context, o *pushOptions) error {
	t, err := o.target()
	if err != nil {
		return err
	}
	if o.Key, err = api.FromFile(ctx, o.keyFile, os.Getenv); err != nil {
		return err
	}
	src, done, err := openSuppressions(ctx, o.from, o.history)
	if err != nil {
		return err
	}
	defer done()
	if o.Journal == "" {
		o.Journal = filepath.Clean(o.from+o.history) + ".push" + string(filepath.Separator) + t.Name + "-" + fileName(o.Scope)
	}
	o.Note = func(s string) { e.note("%s", s) }
	o.Progress = e.pushProgress()
	b, err := esp.Push(ctx, t, src, o.PushOptions)
	return e.reportPush(ctx, t, b, o.asJSON, err)
}

// pushProgress returns what shows on a terminal how far a push is; nil elsewhere.
func (e *env) pushProgress() func(done, total int64) {
	if !isTerminal(e.stderr) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = newBar(e.stderr, total, progressbar.OptionShowCount())
		}
		_ = bar.Set64(done) // what a terminal does not show cannot be helped
	}
}

func newPushCmd(e *env) *cobra.Command {
	var o pushOptions
	cmd := &cobra.Command{
		Use:   "push --to TARGET {--from RUN | --history FILE} [--yes]",
		Short: "Send suppressions to a provider's API",
		Long: `push sends the suppressed addresses of a run, or of a whole history of bounces,
to a provider, which then refuses to mail them. Without --yes it only says what
it would do: it checks the key, the scope and the provider's settings, asks what
is there already, and counts.

It sends what 'winnow export' would write and what is not there yet, in batches,
at the provider's own pace. A journal records every batch: after a break the
same command goes on where it stopped. The balance at the end says where every
entry is; the exit code is 1 when it is not known of any, and when there is no
key, so that nothing was asked.

Keys come from the environment or from a private file (mode 0600) with lines
NAME=value; they are never printed. Nothing is ever deleted at the provider.

Targets, what --scope names there, and where the key is looked for:
` + pushHelp(),
		Example: `  MAILGUN_API_KEY=… winnow push --to mailgun --scope mg.example.com --from out
  winnow push --to ses --scope eu-west-1 --key-file aws.env --from out --yes
  winnow push --to mailchimp --scope AUDIENCE --from out --allow creates-contacts --yes
  winnow push --to mailgun --scope mg.example.com --base-url https://api.eu.mailgun.net --from out --yes`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.push(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "the `TARGET`, one of those above")
	f.StringVar(&o.from, "from", "", "the directory of a `RUN` ('winnow clean -o RUN')")
	f.StringVar(&o.history, "history", "", "the `FILE` of 'winnow bounces import', instead of a run")
	f.StringVar(&o.Scope, "scope", "", "the sending domain, stream, audience … that the entries are for")
	f.BoolVar(&o.Yes, "yes", false, "send; without it nothing is changed")
	f.StringVar(&o.include, "include", "", "let these leave too: soft, disposable, role, typo, stale")
	f.Int64Var(&o.MaxNew, "max-new", 0, "send nothing when more than `N` entries are new (0: no limit)")
	f.Float64Var(&o.MaxPercent, "max-percent", 25, "send nothing when more than `P` percent of the list is new (0: no limit)")
	listVar(f, &o.Allow, "allow", "allow what the target does beside: creates-contacts, destructive")
	f.BoolVar(&o.Verify, "verify", false, "ask for the list again afterwards, also where the answers are clear")
	f.StringVar(&o.keyFile, "key-file", "", "read the keys from a private `FILE` instead of the environment")
	f.StringVar(&o.BaseURL, "base-url", "", "the `URL` of the API, for other regions and your own servers")
	f.BoolVar(&o.asJSON, "json", false, "print the balance as JSON")
	f.StringVar(&o.Journal, "journal", "", "the `DIR` of the journal (default RUN.push/TARGET-SCOPE)")
	return cmd
}

// pushHelp lists the targets with an API.
func pushHelp() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, t := range esp.Targets() {
		if !t.CanPush() {
			continue
		}
		scope := t.ScopeHelp
		if scope == "" {
			scope = "-"
		}
		shown.Fprintf(w, "  %s\t%s\n", t.Name, scope)
		shown.Fprintf(w, "  \t%s\n", strings.Join(t.KeyNames, ", "))
	}
	w.Flush()
	return strings.TrimRight(b.String(), "\n")
}

// fileName makes a part of a file name of what a user typed.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s)
	if s == "" || strings.Trim(s, ".") == "" {
		return "all"
	}
	return s
}

// reportPush prints the balance and turns it into an exit code.
func (e *env) reportPush(ctx context.Context, t *esp.Target, b *esp.Balance, asJSON bool, err error) error {
	var brake *esp.BrakeError
	var nokey *api.NoKeyError
	if b != nil && (err == nil || b.Sent+b.Rejected+b.Unknown > 0) {
		var perr error
		if asJSON {
			perr = printJSON(e.stdout, b)
		} else {
			perr = e.print(func(w io.Writer) { printPush(w, t, b) })
		}
		if perr != nil {
			return errors.Join(err, fmt.Errorf("the balance could not be printed: %w", perr))
		}
	}
	switch {
	case err == nil:
	case errors.As(err, &brake):
		return withHint(err, "look at what is new ('winnow export'), then raise the limit or give the flag; see 'winnow push --help'")
	case errors.As(err, &nokey):
		return withHint(err, "'winnow push --help' tells which key each target needs")
	case ctx.Err() != nil:
		done := int64(0)
		if b != nil {
			done = b.Sent
		}
		return exitCode(exitInterrupt, fmt.Errorf("interrupted after %d entries; the same command goes on from there", done))
	case b != nil && b.Pending > 0 && b.Sent > 0:
		return withHint(err, "the same command goes on where this one stopped")
	default:
		return err
	}
	if b.Offline {
		return withHint(fmt.Errorf("nothing was asked of %s: there is no key", t.Title), "'winnow push --help' tells which key each target needs")
	}
	if b.Unknown > 0 {
		return withHint(fmt.Errorf("it is not known of %s whether they arrived", shown.Plural(b.Unknown, "entry", "entries")),
			"run the same command again: it asks what is there and sends the rest")
	}
	return nil
}

func printPush(w io.Writer, t *esp.Target, b *esp.Balance) {
	if b.DryRun {
		shown.Fprintf(w, "%s: %s would be sent (dry run, nothing was changed)\n", t.Title, shown.Plural(b.Written, "entry", "entries"))
	} else {
		shown.Fprintf(w, "%s: %s sent\n", t.Title, shown.Plural(b.Sent, "entry", "entries"))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n int64, always bool, format string, args ...any) {
		if n > 0 || always {
			shown.Fprintf(tw, "%d\t  %s\n", n, fmt.Sprintf(format, args...))
		}
	}
	line(b.Entries, true, "entries in %s", b.Source)
	if b.DryRun {
		line(b.Written, true, "new: would be sent in %s%s", shown.Plural(b.Calls, "call", "calls"), atLeast(b.Least))
	} else {
		line(b.Sent, true, "sent")
	}
	line(b.There, !b.Offline, "already there")
	for _, k := range slices.Sorted(maps.Keys(b.CannotHold)) {
		line(b.CannotHold[k], false, "not expressible: %s", k)
	}
	for _, k := range slices.Sorted(maps.Keys(b.Held)) {
		line(b.Held[k], false, "held back: %s (--include %s)", k, strings.TrimSuffix(string(k), "_bounce"))
	}
	for _, k := range slices.Sorted(maps.Keys(b.NoGround)) {
		line(b.NoGround[k], false, "no ground to tell a provider: %s", k)
	}
	line(b.Repeated, false, "the same address again")
	if !b.DryRun {
		line(b.Rejected, true, "rejected by %s", t.Title)
		line(b.Unknown, true, "unknown")
		line(b.Pending, false, "not tried")
	}
	tw.Flush()
	for _, l := range b.Lists {
		shown.Fprintf(w, "See %s\n", l)
	}
	for _, n := range b.Notes {
		shown.Wrap(w, "Note: ", n)
	}
	if b.Resumed {
		shown.Fprintf(w, "This went on with a push that had been cut off.\n")
	}
	if b.Stopped != "" {
		shown.Wrap(w, "With --yes it would stop: ", b.Stopped)
	} else if b.DryRun && b.Written > 0 && !b.Offline {
		shown.Fprintf(w, "Send it with --yes.\n")
	}
	if b.DryRun {
		printKnow(w, t, &b.Report)
	}
}

func atLeast(d time.Duration) string {
	if d < 10*time.Second {
		return ""
	}
	return fmt.Sprintf(", %s at least", d.Round(time.Second))
}
