package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

// cleanOptions is all that a cleaning can be told, by flags or by a job file.
type cleanOptions struct {
	evidenceOptions
	out             string
	column          string
	by              string
	suppress        []string
	allow           []string
	hmacKeyFile     string
	policy          string
	typos           string
	dedupe          string
	memory          string
	applyFixes      string
	spreadsheetSafe bool
	noReport        bool
	noGates         bool
	preset          string
	gates           []string
	quiet           bool
	previous        string
	metrics         string
	jobName         string // label of the metrics
	json            bool
	noDNS           bool
	dns             dnsOptions
	lists           listsOptions
}

// reads returns the files that the options name to be read.
func (o *cleanOptions) reads() []string {
	return slices.Concat(o.bounces, o.suppress, o.allow,
		[]string{o.history, o.read.rules, o.read.sent, o.hmacKeyFile, o.applyFixes, o.dns.replay, o.dns.table})
}

func newCleanCmd(e *env) *cobra.Command {
	var o cleanOptions
	cmd := &cobra.Command{
		Use:   "clean LIST… -o DIR",
		Short: "Split a list into what may be sent and what must not",
		Long: `Read contact lists (CSV exports; .gz, .zst, a zip of lists, "-" for standard
input), judge every address, and make the folder DIR appear at once, with

  cleaned.csv      rows that may be sent, byte for byte as they came
  suppressed.csv   rows that must not be sent, with the reason and the evidence
  review.csv       rows a person should look at
  duplicates.csv   further copies of kept addresses
  rejected.csv     records that could not be read
  fixes.csv        likely typos, for a person to accept (--apply-fixes)
  summary.json, report.html

review, duplicates, rejected and fixes are there only when they have rows. Every
record of the input is in exactly one list. Several lists keep their own headers:
each gets a folder of its own in DIR, and duplicates are found across them.

Exit codes: 0 done, 1 failed and nothing was written, 2 usage, 3 done but a gate
failed, 75 done but the DNS could not be used and what depends on it is unknown.`,
		Example: `  winnow clean contacts.csv --bounces bounces.csv -o out/
  winnow clean contacts.csv --history winnow.db --suppress unsubscribed.csv -o out/
  winnow clean contacts.csv --no-dns -o out/`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.out == "" {
				return usagef(cmd, "the output folder is missing: add -o DIR")
			}
			limits, err := o.limits()
			if err == nil {
				err = o.check()
			}
			if err != nil {
				return usagef(cmd, "%v", err)
			}
			o.jobName = "clean"
			_, err = e.clean(cmd.Context(), &o, args, limits)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "the folder to make; an earlier run in it is replaced")
	o.addFlags(f)
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing but errors")
	f.BoolVar(&o.json, "json", false, "print summary.json instead of the summary for people")
	return cmd
}

// addFlags defines the flags that say how to clean.
func (o *cleanOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.column, "column", "", "the address column, by name or number (default: found by header and content)")
	o.evidenceOptions.addFlags(f)
	filesVar(f, &o.suppress, "suppress", "files of addresses, @domains or hashes never to mail (may be repeated)")
	filesVar(f, &o.allow, "allow", "files of addresses or @domains that no list or check may condemn (may be repeated)")
	f.StringVar(&o.hmacKeyFile, "hmac-key-file", "", "file with the key of HMAC-SHA-256 hashes in --suppress files")
	f.StringVar(&o.policy, "policy", "marketing", "marketing, transactional or strict")
	f.StringVar(&o.typos, "typos", "suppress", "rows with a likely typo of a domain: suppress, review or keep")
	f.StringVar(&o.dedupe, "dedupe", "key", "what makes two addresses the same: exact, key, provider or off")
	f.StringVar(&o.applyFixes, "apply-fixes", "", "a fixes.csv with the rows a person accepted")
	f.BoolVar(&o.spreadsheetSafe, "spreadsheet-safe", false, "write copies for looking at in a spreadsheet beside the lists")
	f.StringVar(&o.memory, "memory", "", "memory to hold before spilling to disk, like 512M or 2G (default: a quarter of the machine)")
	f.StringVar(&o.by, "by", "", "a column by whose values the report counts, like a source or a sign-up year")
	f.BoolVar(&o.noReport, "no-report", false, "do not write report.html")
	f.BoolVar(&o.noGates, "no-gates", false, "judge no gates: exit code 3 never comes")
	f.StringVar(&o.preset, "gates", "default", "set of gate limits: default, nightly, ses or strict")
	f.StringArrayVar(&o.gates, "gate", nil, "one limit, as NAME=VALUE, like hard_bounce=1% or jump=off (may be repeated)")
	f.StringVar(&o.previous, "previous", "", "the run to compare with (default: the one that is replaced)")
	f.StringVar(&o.metrics, "metrics", "", "write the figures as a Prometheus textfile")
	f.BoolVar(&o.noDNS, "no-dns", false, "do not ask the DNS")
	addDNSFlags(f, &o.dns)
	addListsFlag(f, &o.lists)
}

// check returns an error when a flag has a value that means nothing.
func (o *cleanOptions) check() error {
	for _, f := range []struct {
		name, value string
		words       []string
	}{
		{"policy", o.policy, []string{"marketing", "transactional", "strict"}},
		{"typos", o.typos, []string{"suppress", "review", "keep"}},
		{"dedupe", o.dedupe, []string{"key", "exact", "provider", "off"}},
	} {
		if !slices.Contains(f.words, f.value) {
			return fmt.Errorf("--%s %s is not known: use %s or %s", f.name, f.value, strings.Join(f.words[:len(f.words)-1], ", "), f.words[len(f.words)-1])
		}
	}
	if _, err := parseSize(o.memory); err != nil {
		return fmt.Errorf("--memory: %w", err)
	}
	return nil
}

// limits returns the limits of the gates.
func (o *cleanOptions) limits() (report.Limits, error) {
	l, ok := report.Preset(o.preset)
	if !ok {
		return l, fmt.Errorf("--gates %s is not known: use default, nightly, ses or strict", o.preset)
	}
	for _, g := range o.gates {
		name, value, ok := strings.Cut(g, "=")
		if !ok {
			return l, fmt.Errorf("--gate %s: write NAME=VALUE, like hard_bounce=1%%", g)
		}
		if err := l.Set(name, value); err != nil {
			return l, err
		}
	}
	return l, nil
}

// clean runs one cleaning, prints its summary and writes its metrics. The
// summary is returned also when a gate failed or the DNS was not usable: then
// it comes with the error that carries the exit code.
func (e *env) clean(ctx context.Context, o *cleanOptions, lists []string, limits report.Limits) (*winnow.Summary, error) {
	if o.metrics != "" { // before the run, not when it is done
		if err := files.MayReplace(o.metrics, report.MetricsMark, append(o.reads(), lists...)...); err != nil {
			return nil, err
		}
	}
	s, err := e.cleanLists(ctx, o, lists, limits)
	if o.metrics == "" {
		return s, err
	}
	code := exitDone
	if err != nil {
		code = codeOf(ctx, err)
	}
	if merr := writeMetrics(o.metrics, append(o.reads(), lists...), s, o.jobName, code); merr != nil {
		return s, errors.Join(err, merr)
	}
	return s, err
}

func (e *env) cleanLists(ctx context.Context, o *cleanOptions, lists []string, limits report.Limits) (_ *winnow.Summary, err error) {
	started := time.Now()
	job := &winnow.Job{
		Lists: lists, Column: o.column, By: o.by, Out: o.out, Stdin: e.stdin, Now: started, Began: started,
		Policy:   decide.Policy{Kind: decide.PolicyKind(o.policy), Typos: decide.Action(o.typos)},
		Suppress: o.suppress, Allow: o.allow, Dedupe: winnow.Dedupe(o.dedupe),
		ApplyFixes: o.applyFixes, SpreadsheetSafe: o.spreadsheetSafe, Page: !o.noReport,
		Version: versionString(), Command: append([]string{"winnow"}, e.args...),
		Progress: new(winnow.Progress),
	}
	if job.Memory, err = parseSize(o.memory); err != nil {
		return nil, err
	}
	if o.hmacKeyFile != "" {
		if job.HMACKey, err = files.ReadSecret(ctx, o.hmacKeyFile); err != nil {
			return nil, err
		}
	}
	if job.Validator, err = o.lists.validator(); err != nil {
		return nil, err
	}
	finishDNS := func() error { return nil }
	if !o.noDNS {
		if job.Resolver, finishDNS, err = o.dns.resolver(ctx, append(o.reads(), lists...)...); err != nil {
			return nil, err
		}
		finishDNS = sync.OnceValue(finishDNS)
		defer finishDNS() // nothing is left of a recording when the run fails before it asks
	}
	bar := e.startProgress(job.Progress, o.quiet)
	defer bar.stop()
	bar.now("reading bounces")
	if err := notTheList(lists, o.bounces, o.suppress); err != nil {
		return nil, err
	}
	if job.Previous, err = o.lastRun(); err != nil {
		return nil, err
	}
	evidence, err := e.evidence(ctx, &o.evidenceOptions, job.Previous, started)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, evidence.close()) }()
	job.Evidence, job.Bounces, job.Behind = evidence.sources, evidence.summary, evidence.files
	for _, f := range []summary.InputFile{{Name: o.read.rules, Role: "rules"}, {Name: o.dns.table, Role: "domains"}, {Name: o.dns.replay, Role: "dns"}} {
		if f.Name != "" {
			job.Behind = append(job.Behind, f)
		}
	}
	if !o.noGates {
		job.Gates = &limits
	}
	s, err := winnow.Run(ctx, job)
	bar.stop()
	if ferr := finishDNS(); err == nil {
		err = ferr
	}
	if err != nil && ctx.Err() != nil && evidence.changed {
		return nil, exitCode(exitInterrupt, errBouncesKept)
	}
	if err != nil {
		return nil, err
	}
	if !o.quiet {
		e.noteDNS(job.Resolver)
	}
	if errPrint := e.printSummary(s, o); errPrint != nil {
		return s, fmt.Errorf("the run is done and in %s, but its summary could not be printed: %w", o.out, errPrint)
	}
	if s.DNS != nil && s.DNS.Unusable != "" {
		return s, exitCode(exitDNS, withHint(errors.New(s.DNS.Unusable),
			"the rows it could not judge are unknown and kept; check --resolver and run it again, or use --no-dns"))
	}
	if failed := report.Failed(s); len(failed) > 0 {
		return s, exitCode(exitGate, withHint(fmt.Errorf("%d of %d gates failed: %s", len(failed), len(s.Gates), strings.Join(failed, ", ")),
			"the lists are in %s; look at report.html there before you send", o.out))
	}
	return s, nil
}

// errBouncesKept is what an interrupt leaves behind the import of bounces.
var errBouncesKept = errors.New("interrupted; the bounces are in the history, and no list was changed")

func (e *env) printSummary(s *winnow.Summary, o *cleanOptions) error {
	switch {
	case o.json:
		return printJSON(e.stdout, s)
	case o.quiet:
		return nil
	}
	width, color := terminalOf(e.stdout)
	return report.Terminal(e.stdout, s, report.TerminalOptions{Width: width, Color: color, Dir: o.out})
}

// lastRun returns the summary of the run to compare with, nil when there is none.
func (o *cleanOptions) lastRun() (*winnow.Summary, error) {
	if o.previous != "" {
		return summary.Read(o.previous)
	}
	s, err := summary.Read(o.out)
	if err != nil {
		return nil, nil // what is wrong with the folder is Run's to say
	}
	return s, nil
}

// notTheList refuses a list that is also named as evidence against the
// addresses in it: a mistake that would suppress everybody.
func notTheList(lists, bounces, suppress []string) error {
	for _, l := range lists {
		list, err := os.Stat(l)
		if err != nil {
			continue // said where it is opened
		}
		for _, flag := range []struct {
			name  string
			files []string
		}{{"--bounces", bounces}, {"--suppress", suppress}} {
			for _, f := range flag.files {
				if other, err := os.Stat(f); err == nil && os.SameFile(list, other) {
					return withHint(fmt.Errorf("%s is the list and stands at %s too: that would suppress everybody on it", l, flag.name), "name another file at %s", flag.name)
				}
			}
		}
	}
	return nil
}

// parseSize reads a size in bytes with an optional K, M, G or T (powers of 1024).
func parseSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	number, unit := strings.TrimRight(strings.ToUpper(s), "IB"), int64(1)
	if i := strings.IndexAny(number, "KMGT"); i >= 0 && i == len(number)-1 {
		unit = 1 << (10 * (1 + strings.IndexByte("KMGT", number[i])))
		number = number[:i]
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n <= 0 || n*float64(unit) > 1<<60 {
		return 0, fmt.Errorf("%q is not a size like 512M or 2G", s)
	}
	return int64(n * float64(unit)), nil
}
