package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
)

//go:embed job.toml
var jobTemplate []byte

// jobFile is a nightly job. Paths in it are relative to the file's folder.
type jobFile struct {
	Name    string         `toml:"name"`
	Inputs  []string       `toml:"inputs"`  // paths or patterns; at least one file must match each
	Output  string         `toml:"output"`  // %Y, %m and %d stand for the date
	History string         `toml:"history"` // made when it is not there
	Bounces []string       `toml:"bounces"` // paths or patterns, imported into the history first; may match nothing
	Metrics string         `toml:"metrics"`
	Clean   map[string]any `toml:"clean"` // flags of winnow clean by their long names
	Gates   map[string]any `toml:"gates"` // preset, and limits by the names of the gates
	Exports []struct {
		To     string         `toml:"to"`
		Output string         `toml:"output"`
		Flags  map[string]any `toml:"flags"` // of winnow export
	} `toml:"export"`
	Notify struct {
		Command []string `toml:"command"`
		On      []string `toml:"on"` // failure (default), gate, dns, success, always
	} `toml:"notify"`

	path string
	dir  string
}

// jobFlags are flags of clean that stand at the top of a job file.
var jobFlags = []string{"output", "history", "bounces", "gates", "gate"}

func newRunCmd(e *env) *cobra.Command {
	var check, quiet bool
	cmd := &cobra.Command{
		Use:   "run JOB.toml",
		Short: "Run a nightly job from its file",
		Long: `Do what a job file says: import the bounces into the history, clean the lists,
write the exports and the metrics, and call the notify command when something
went wrong. 'winnow init' writes a job file with comments.

A job can run again at any time: the same inputs give the same lists, bounces
are counted once, and two runs of one job never work at the same time.

Exit codes are those of 'winnow clean'. With --check nothing is done: the job
file, the inputs, rules, history, folders and exports are looked at, and what
would be done is printed.`,
		Example: `  winnow init > nightly.toml
  winnow run --check nightly.toml
  winnow run nightly.toml`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := readJob(args[0])
			if err != nil {
				return err
			}
			if !check {
				return job.run(cmd.Context(), e, quiet)
			}
			plan, err := job.plan(e, time.Now())
			if err == nil {
				err = plan.check()
			}
			if err != nil {
				return err
			}
			return plan.print(e)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "look at everything, do nothing")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but errors")
	return cmd
}

func newInitCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "init [FILE]",
		Short: "Write a job file with comments, to begin with",
		Long: `Write a commented job file for 'winnow run' to FILE, or to standard output.
An existing file is never overwritten.`,
		Example: `  winnow init nightly.toml`,
		Args:    usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_, err := e.stdout.Write(jobTemplate)
				return err
			}
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return withHint(fmt.Errorf("%s is there already", args[0]), "choose another name, or move it away")
			}
			if err != nil {
				return err
			}
			_, err = f.Write(jobTemplate)
			return errors.Join(err, f.Close())
		},
	}
}

// readJob reads a job file. Its errors name the line.
func readJob(path string) (*jobFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	j := &jobFile{path: path, dir: filepath.Dir(path)}
	meta, err := toml.Decode(string(b), j)
	var pe toml.ParseError
	switch {
	case errors.As(err, &pe):
		return nil, withHint(fmt.Errorf("%s:%d: %s", path, pe.Position.Line, pe.Message), "'winnow init' prints an example")
	case err != nil:
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	for _, key := range meta.Undecoded() {
		return nil, withHint(fmt.Errorf("%s:%d: %s is not known", path, lineOf(b, key[len(key)-1]), key), "'winnow init' prints an example with every key")
	}
	switch {
	case len(j.Inputs) == 0:
		return nil, fmt.Errorf("%s: inputs is missing: name the lists to clean", path)
	case j.Output == "":
		return nil, fmt.Errorf("%s: output is missing: name the folder to make", path)
	case len(j.Bounces) > 0 && j.History == "":
		return nil, fmt.Errorf("%s: bounces needs a history: name a database, it is made when it is not there", path)
	}
	for _, on := range j.Notify.On {
		if !slices.Contains([]string{"failure", "gate", "dns", "success", "always"}, on) {
			return nil, fmt.Errorf("%s:%d: notify.on: %q is not known: use failure, gate, dns, success or always", path, lineOf(b, "on"), on)
		}
	}
	if j.Name == "" {
		j.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	return j, nil
}

// lineOf returns the line on which a key is set, for messages.
func lineOf(b []byte, key string) int {
	for n, line := range bytes.Split(b, []byte("\n")) {
		if rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(key)); ok && bytes.HasPrefix(bytes.TrimSpace(rest), []byte("=")) {
			return n + 1
		}
	}
	return 1
}

// jobPlan is a job whose patterns, dates and flags are resolved.
type jobPlan struct {
	*jobFile
	lists   []string
	bounces []string
	clean   cleanOptions
	limits  report.Limits
	exports [][]string // arguments of winnow export
	metrics string
}

// plan resolves the job for a day and checks all that can be checked without
// doing anything.
func (j *jobFile) plan(e *env, now time.Time) (*jobPlan, error) {
	p := &jobPlan{jobFile: j}
	var err error
	if p.lists, err = j.glob("inputs", j.Inputs, true); err != nil {
		return nil, err
	}
	if p.bounces, err = j.glob("bounces", j.Bounces, false); err != nil {
		return nil, err
	}
	flags := pflag.NewFlagSet("clean", pflag.ContinueOnError)
	p.clean.addFlags(flags)
	if err := j.setFlags(flags, "clean", "clean", j.Clean, jobFlags); err != nil {
		return nil, err
	}
	if err := p.clean.check(); err != nil {
		return nil, fmt.Errorf("%s: clean: %w", j.path, err)
	}
	p.clean.preset = "nightly"
	for _, name := range slices.Sorted(maps.Keys(j.Gates)) {
		value := fmt.Sprint(j.Gates[name])
		if name == "preset" {
			p.clean.preset = value
			continue
		}
		p.clean.gates = append(p.clean.gates, name+"="+value)
	}
	if p.limits, err = p.clean.limits(); err != nil {
		return nil, fmt.Errorf("%s: gates: %w", j.path, err)
	}
	p.clean.out = j.relative(dated(j.Output, now))
	if j.History != "" {
		p.clean.history = j.relative(j.History)
	}
	p.metrics, p.clean.metrics = p.clean.metrics, "" // the job writes them, whatever happens
	if j.Metrics != "" {
		p.metrics = j.relative(j.Metrics)
	}
	p.clean.jobName = j.Name
	if p.clean.previous == "" {
		p.clean.previous = j.lastRun(p.clean.out)
	}
	outputs := map[string]bool{filepath.Clean(p.clean.out): true}
	for i, x := range j.Exports {
		if x.To == "" || x.Output == "" {
			return nil, fmt.Errorf("%s: export %d: to and output are needed", j.path, i+1)
		}
		export := newExportCmd(e)
		flags := export.Flags()
		if err := j.setFlags(flags, "export", fmt.Sprintf("export %d: flags", i+1), x.Flags, []string{"to", "output", "from", "history"}); err != nil {
			return nil, err
		}
		if _, err := findTarget(export, x.To); err != nil {
			return nil, fmt.Errorf("%s: export %d: %v", j.path, i+1, err)
		}
		out := j.relative(dated(x.Output, now))
		if outputs[filepath.Clean(out)] {
			return nil, fmt.Errorf("%s: export %d: something else is written to %s: give it a folder of its own", j.path, i+1, out)
		}
		outputs[filepath.Clean(out)] = true
		args := []string{"export", "--to", x.To, "--from", p.clean.out, "-o", out}
		for _, name := range slices.Sorted(maps.Keys(x.Flags)) {
			args = append(args, "--"+name+"="+flags.Lookup(name).Value.String())
		}
		p.exports = append(p.exports, args)
	}
	for _, out := range slices.Sorted(maps.Keys(outputs)) {
		parent := filepath.Dir(out)
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			return nil, withHint(fmt.Errorf("%s: the folder %s for the output %s is not there", j.path, parent, filepath.Base(out)), "mkdir -p %s", parent)
		}
	}
	return p, nil
}

// check looks at what a run would read and write. Nothing is changed.
func (p *jobPlan) check() error {
	if len(p.Notify.Command) > 0 {
		if _, err := exec.LookPath(p.Notify.Command[0]); err != nil {
			return fmt.Errorf("%s: notify.command: %v", p.path, err)
		}
	}
	if _, err := p.clean.read.options(); err != nil {
		return err
	}
	if _, err := p.clean.lists.validator(); err != nil {
		return err
	}
	if p.clean.hmacKeyFile != "" {
		if _, err := readKey(p.clean.hmacKeyFile); err != nil {
			return err
		}
	}
	if p.clean.history != "" {
		if _, err := os.Stat(p.clean.history); !errors.Is(err, fs.ErrNotExist) {
			store, err := history.Open(p.clean.history)
			if err != nil {
				return err
			}
			if err := store.Close(); err != nil {
				return err
			}
		}
	}
	if p.clean.previous != "" {
		if _, err := summary.Read(p.clean.previous); err != nil {
			return err
		}
	}
	inputs := slices.Concat(p.lists, p.bounces, p.clean.suppress, p.clean.allow, nonEmpty(p.clean.applyFixes))
	for _, path := range inputs {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		f.Close() // only looked at
		switch {
		case err != nil:
			return err
		case info.IsDir() && !slices.Contains(p.bounces, path):
			return withHint(fmt.Errorf("%s is a folder", path), "name the files in it, as %s", filepath.Join(path, "*.csv"))
		case info.Size() == 0 && slices.Contains(p.lists, path):
			return withHint(fmt.Errorf("%s is empty", path), "check that the export was finished")
		}
	}
	out, err := export.Create(p.clean.out, inputs...) // refuses a folder that is not winnow's
	if err != nil {
		return err
	}
	return out.Close()
}

func nonEmpty(path string) []string {
	if path == "" {
		return nil
	}
	return []string{path}
}

// pathFlags are the flags of clean and export that name files.
var pathFlags = []string{"rules", "sent-ids", "suppress", "allow", "hmac-key-file", "apply-fixes", "previous", "metrics", "lists-dir",
	"dns-cache", "dns-record", "dns-replay", "domains", "since", "against"}

// setFlags sets flags of a command from a table of the file.
func (j *jobFile) setFlags(flags *pflag.FlagSet, command, table string, set map[string]any, elsewhere []string) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch {
		case slices.Contains(elsewhere, name):
			return fmt.Errorf("%s: %s.%s: it has its own place at the top of the file", j.path, table, name)
		case flags.Lookup(name) == nil && flags.Lookup(strings.ReplaceAll(name, "_", "-")) != nil:
			return fmt.Errorf("%s: %s.%s: write it as the flag of 'winnow %s': %s", j.path, table, name, command, strings.ReplaceAll(name, "_", "-"))
		case flags.Lookup(name) == nil:
			return withHint(fmt.Errorf("%s: %s.%s is not a flag of 'winnow %s'", j.path, table, name, command), "'winnow %s --help' lists them", command)
		}
		all, err := values(set[name])
		if err != nil {
			return fmt.Errorf("%s: %s.%s: %v", j.path, table, name, err)
		}
		if slices.Contains(pathFlags, name) {
			for i, path := range all {
				if path != "" && path != "-" {
					all[i] = j.relative(path)
				}
			}
		}
		// A name with a comma in it is one name: the file has lists of its own.
		if list, ok := flags.Lookup(name).Value.(pflag.SliceValue); ok {
			err = list.Replace(all)
		} else if name == "include" { // words with commas between
			err = flags.Set(name, strings.Join(all, ","))
		} else if len(all) != 1 {
			err = errors.New("it takes one value")
		} else {
			err = flags.Set(name, all[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %s.%s: %v", j.path, table, name, err)
		}
	}
	return nil
}

// values returns a value of the file as flags take it: one text, or several.
func values(v any) (all []string, err error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, one := range list {
		switch one.(type) {
		case string, bool, int64, float64:
			all = append(all, fmt.Sprint(one))
		default:
			return nil, errors.New("a text, a number, true, false, or a list of them is needed")
		}
	}
	return all, nil
}

// glob returns the files that the patterns match, in the order of the patterns.
func (j *jobFile) glob(what string, patterns []string, needed bool) ([]string, error) {
	var all []string
	for _, pattern := range patterns {
		if _, err := os.Stat(j.relative(pattern)); err == nil { // a name with brackets in it
			all = append(all, j.relative(pattern))
			continue
		}
		found, err := filepath.Glob(j.relative(pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %q is not a pattern", j.path, what, pattern)
		}
		if len(found) == 0 && needed {
			return nil, withHint(fmt.Errorf("%s: %s: nothing matches %s", j.path, what, pattern), "did the export run? Nothing was changed")
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (j *jobFile) relative(path string) string {
	if filepath.IsAbs(path) || j.dir == "." {
		return path
	}
	return filepath.Join(j.dir, path)
}

// dated puts the date into a path.
func dated(path string, now time.Time) string {
	return strings.NewReplacer("%Y", now.Format("2006"), "%m", now.Format("01"), "%d", now.Format("02"), "%%", "%").Replace(path)
}

// lastRun returns the folder of the run before, when the output has a date in
// its name: of the folders that the pattern matches, the one written last.
func (j *jobFile) lastRun(out string) string {
	pattern := j.relative(strings.NewReplacer("%Y", "[0-9][0-9][0-9][0-9]", "%m", "[0-9][0-9]", "%d", "[0-9][0-9]", "%%", "%").Replace(j.Output))
	found, err := filepath.Glob(pattern)
	if err != nil {
		return ""
	}
	last, when := "", time.Time{}
	for _, dir := range found {
		info, err := os.Stat(filepath.Join(dir, "summary.json"))
		if err != nil || filepath.Clean(dir) == filepath.Clean(out) || info.ModTime().Before(when) {
			continue
		}
		if _, err := summary.Read(dir); err == nil {
			last, when = dir, info.ModTime()
		}
	}
	return last
}

// print says what the job would do.
func (p *jobPlan) print(e *env) error {
	var b strings.Builder
	fmt.Fprintf(&b, "job      %s\n", p.Name)
	for _, f := range p.lists {
		fmt.Fprintf(&b, "list     %s\n", f)
	}
	for _, f := range p.bounces {
		fmt.Fprintf(&b, "bounces  %s\n", f)
	}
	if p.clean.history != "" {
		fmt.Fprintf(&b, "history  %s\n", p.clean.history)
	}
	fmt.Fprintf(&b, "output   %s\n", p.clean.out)
	if p.clean.previous != "" {
		fmt.Fprintf(&b, "compare  %s\n", p.clean.previous)
	}
	for _, x := range p.exports {
		fmt.Fprintf(&b, "then     winnow %s\n", strings.Join(x, " "))
	}
	if p.metrics != "" {
		fmt.Fprintf(&b, "metrics  %s\n", p.metrics)
	}
	if len(p.Notify.Command) > 0 {
		on := p.Notify.On
		if len(on) == 0 {
			on = []string{"failure"}
		}
		fmt.Fprintf(&b, "notify   %s (on %s)\n", strings.Join(p.Notify.Command, " "), strings.Join(on, ", "))
	}
	b.WriteString("The job file is good. Nothing was done.\n")
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}

// run does the job. Whatever happens, the metrics tell of it, and the notify
// command hears of what it wants to hear of.
func (j *jobFile) run(ctx context.Context, e *env, quiet bool) error {
	unlock, err := files.LockFile(j.path)
	switch {
	case err == files.ErrLocked:
		return withHint(fmt.Errorf("%s: this job is running already", j.path), "wait for it to end")
	case err != nil:
		return err
	}
	defer unlock()
	var s *winnow.Summary
	p, err := j.plan(e, time.Now())
	if err == nil {
		p.clean.quiet = quiet
		s, err = p.steps(ctx, e)
	} else {
		p = &jobPlan{jobFile: j}
		if j.Metrics != "" {
			p.metrics = j.relative(j.Metrics)
		}
	}
	if p.metrics != "" {
		err = errors.Join(err, writeMetrics(p.metrics, s, j.Name, codeOf(ctx, err)))
	}
	if nerr := p.notify(ctx, e, codeOf(ctx, err), err); nerr != nil {
		e.note("the notify command failed: %v", nerr)
	}
	return err
}

func (p *jobPlan) steps(ctx context.Context, e *env) (*winnow.Summary, error) {
	step := func(args ...string) error {
		out := e.stdout
		if p.clean.quiet {
			out = io.Discard
		}
		if code := e.run(ctx, args, e.stdin, out, e.stderr); code != exitDone {
			if code == exitUsage {
				code = exitFailed // the mistake is in the job file, not on this command line
			}
			return exitCode(code, fmt.Errorf("the step 'winnow %s' ended with exit code %d", strings.Join(args[:min(2, len(args))], " "), code))
		}
		return nil
	}
	if len(p.bounces) > 0 {
		args := slices.Concat([]string{"bounces", "import"}, p.bounces, []string{"--history", p.clean.history})
		read := p.clean.read
		for _, f := range [][2]string{{"rules", read.rules}, {"tz", read.zone}, {"sent-ids", read.sent}, {"sender", strings.Join(read.senders, ",")}} {
			if f[1] != "" {
				args = append(args, "--"+f[0]+"="+f[1])
			}
		}
		if err := step(args...); err != nil {
			return nil, err
		}
	} else if p.clean.history != "" {
		if _, err := os.Stat(p.clean.history); errors.Is(err, fs.ErrNotExist) {
			e.note("the history %s is not there yet and there are no bounces to import: cleaning without it", p.clean.history)
			p.clean.history = ""
		}
	}
	s, err := e.clean(ctx, &p.clean, p.lists, p.limits)
	if err != nil {
		// A gate says that what would be exported is not to be trusted. An unusable
		// DNS says less: what is suppressed is so for other reasons.
		var failed []string
		if s != nil {
			failed = report.Failed(s)
		}
		if s == nil || codeOf(ctx, err) != exitDNS || len(failed) > 1 || len(failed) == 1 && failed[0] != "dns" {
			return s, err
		}
	}
	for _, x := range p.exports {
		if err := step(x...); err != nil {
			return s, err
		}
	}
	return s, err
}

// notify calls the notify command when the outcome is one it wants to hear of.
// The command gets the outcome in its environment and, as text, on its
// standard input.
func (p *jobPlan) notify(ctx context.Context, e *env, code int, err error) error {
	if len(p.Notify.Command) == 0 {
		return nil
	}
	outcome := "failure"
	switch code {
	case exitDone:
		outcome = "success"
	case exitGate:
		outcome = "gate"
	case exitDNS:
		outcome = "dns"
	}
	on := p.Notify.On
	if len(on) == 0 {
		on = []string{"failure"}
	}
	wanted := slices.Contains(on, "always") || slices.Contains(on, outcome) || slices.Contains(on, "failure") && code != exitDone
	if !wanted {
		return nil
	}
	text := fmt.Sprintf("winnow job %s: %s (exit code %d)\n", p.Name, outcome, code)
	if err != nil {
		why := err.Error()
		if code == exitInterrupt {
			why = "interrupted; nothing was changed"
		}
		text += why + "\n"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Notify.Command[0], p.Notify.Command[1:]...)
	cmd.Env = append(os.Environ(), "WINNOW_JOB="+p.Name, "WINNOW_OUTCOME="+outcome, fmt.Sprintf("WINNOW_EXIT_CODE=%d", code), "WINNOW_OUTPUT="+p.clean.out)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = e.stderr, e.stderr
	return cmd.Run()
}
