package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// jobPlan is a job whose patterns, dates and flags are resolved.
type jobPlan struct {
	*jobFile
	lists   []string
	bounces []string
	clean   cleanOptions
	limits  report.Limits
	exports []*exportOptions
	metrics string
}

// plan resolves the job for a day. Nothing is done and nothing but names is looked at.
func (j *jobFile) plan(now time.Time) (*jobPlan, error) {
	p := &jobPlan{jobFile: j}
	var err error
	if p.lists, err = p.inputs(); err != nil {
		return nil, err
	}
	if err := p.findBounces(); err != nil {
		return nil, err
	}
	if err := p.setClean(now); err != nil {
		return nil, err
	}
	for i := range j.Exports {
		if err := p.addExport(i, now); err != nil {
			return nil, err
		}
	}
	return p, p.conflicts()
}

// inputs returns the lists that the patterns of the job match.
func (j *jobFile) inputs() (all []string, err error) {
	for _, pattern := range j.Inputs {
		found, err := j.glob("inputs", pattern)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, withHint(fmt.Errorf("%s: inputs: nothing matches %s", j.path, pattern), "did the export run? Nothing was changed")
		}
		all = append(all, found...)
	}
	return once(all), nil
}

// findBounces finds the bounce files. A pattern that matches none may be a night
// without bounces, or a path that is wrong: the run says so.
func (p *jobPlan) findBounces() error {
	var all []string
	for _, pattern := range p.Bounces {
		found, err := p.glob("bounces", pattern)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			p.clean.missing = append(p.clean.missing, pattern)
		}
		all = append(all, found...)
	}
	p.bounces, p.clean.patterns = once(all), len(p.Bounces)
	return nil
}

// glob returns the files that a pattern of the job file matches.
func (j *jobFile) glob(what, pattern string) ([]string, error) {
	found, err := files.Glob(j.dir, pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %q is not a pattern", j.path, what, pattern)
	}
	return found, nil
}

// once returns the paths in order, those that name one file only once.
func once(paths []string) []string {
	slices.Sort(paths)
	var all []string
	for _, path := range paths {
		if !slices.ContainsFunc(all, func(p string) bool { return p == path || files.Same(p, path) }) {
			all = append(all, path)
		}
	}
	return all
}

// setClean sets what the job says of the cleaning.
func (p *jobPlan) setClean(now time.Time) (err error) {
	j := p.jobFile
	flags := pflag.NewFlagSet("clean", pflag.ContinueOnError)
	p.clean.addFlags(flags)
	if err := j.setFlags(flags, "clean", "clean", j.Clean, jobFlags); err != nil {
		return err
	}
	if err := p.clean.check(); err != nil {
		return fmt.Errorf("%s: clean: %w", j.path, err)
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
		return fmt.Errorf("%s: gates: %w", j.path, err)
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
	return nil
}

// addExport adds the export with index i of the job file.
func (p *jobPlan) addExport(i int, now time.Time) error {
	x := p.Exports[i]
	if x.To == "" || x.Output == "" {
		return fmt.Errorf("%s: export %d: to and output are needed", p.path, i+1)
	}
	o := &exportOptions{to: x.To, from: p.clean.out, out: p.relative(dated(x.Output, now))}
	flags := pflag.NewFlagSet("export", pflag.ContinueOnError)
	o.addFlags(flags)
	if err := p.setFlags(flags, "export", fmt.Sprintf("export %d: flags", i+1), x.Flags, []string{"to", "output", "from", "history"}); err != nil {
		return err
	}
	if _, err := o.target(); err != nil {
		return fmt.Errorf("%s: export %d: %v", p.path, i+1, err)
	}
	for _, name := range slices.Sorted(maps.Keys(x.Flags)) {
		o.said = append(o.said, "--"+name+"="+flags.Lookup(name).Value.String())
	}
	p.exports = append(p.exports, o)
	return nil
}

// reads returns the files that the job reads, its own file among them.
func (p *jobPlan) reads() []string {
	all := slices.Concat([]string{p.path}, p.lists, p.bounces, p.clean.reads())
	for _, x := range p.exports {
		all = append(all, x.reads()...)
	}
	return all
}

// conflicts returns an error when one thing that the job writes would be another
// that it writes or reads, or would lie in it.
func (p *jobPlan) conflicts() error {
	folders := []string{p.clean.out}
	for i, x := range p.exports {
		for _, other := range folders {
			if files.Same(x.out, other) || files.Inside(x.out, other) || files.Inside(other, x.out) {
				return fmt.Errorf("%s: export %d: something else is written to %s: give it a folder of its own", p.path, i+1, x.out)
			}
		}
		folders = append(folders, x.out)
	}
	for _, out := range folders {
		parent := filepath.Dir(out)
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			return withHint(fmt.Errorf("%s: the folder %s for the output %s is not there", p.path, parent, filepath.Base(out)), "mkdir -p %s", parent)
		}
	}
	for _, w := range []struct{ what, path string }{{"metrics", p.metrics}, {"clean.dns-record", p.clean.dns.record}} {
		if w.path == "" {
			continue
		}
		for _, out := range folders {
			if files.Same(w.path, out) || files.Inside(w.path, out) {
				return fmt.Errorf("%s: %s: %s would lie in %s, which the job writes: write beside it", p.path, w.what, w.path, out)
			}
		}
		if err := files.NotAny(w.path, p.reads()); err != nil {
			return fmt.Errorf("%s: %s: %w", p.path, w.what, err)
		}
	}
	return nil
}

// check looks at what a run would read and write. Nothing is changed.
func (p *jobPlan) check(ctx context.Context) error {
	if len(p.Notify.Command) > 0 {
		if _, err := exec.LookPath(p.Notify.Command[0]); err != nil {
			return fmt.Errorf("%s: notify.command: %v", p.path, err)
		}
	}
	if _, err := p.clean.read.options(ctx); err != nil {
		return err
	}
	if _, err := p.clean.lists.validator(); err != nil {
		return err
	}
	if p.clean.hmacKeyFile != "" {
		if _, err := files.ReadSecret(ctx, p.clean.hmacKeyFile); err != nil {
			return err
		}
	}
	if p.clean.history != "" && files.There(p.clean.history) == nil {
		store, err := history.Open(p.clean.history)
		if err != nil {
			return err
		}
		if err := errors.Join(store.Verify(ctx), store.Close()); err != nil {
			return err
		}
	}
	if p.clean.previous != "" {
		if _, err := summary.Read(p.clean.previous); err != nil {
			return err
		}
	}
	if err := p.checkInputs(); err != nil {
		return err
	}
	return p.checkOutputs()
}

// checkInputs looks at the files that are there to be read.
func (p *jobPlan) checkInputs() error {
	for _, path := range slices.Concat(p.lists, p.bounces, p.clean.suppress, p.clean.allow, nonEmpty(p.clean.applyFixes)) {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir() && slices.Contains(p.bounces, path):
			if err := files.There(path); err != nil {
				return err
			}
			continue
		case err == nil && info.IsDir():
			return withHint(fmt.Errorf("%s is a folder", path), "name the files in it, as %s", filepath.Join(path, "*.csv"))
		}
		if err := files.Readable(path); err != nil {
			return err
		}
		if info.Mode().IsRegular() && info.Size() == 0 && slices.Contains(p.lists, path) {
			return withHint(fmt.Errorf("%s is empty", path), "check that the export was finished")
		}
	}
	return nil
}

// checkOutputs finds out whether what the job writes can be written.
func (p *jobPlan) checkOutputs() error {
	if p.metrics != "" {
		w, err := files.Create(p.metrics, report.MetricsMark, p.reads()...)
		if err != nil {
			return fmt.Errorf("%s: metrics: %w", p.path, err)
		}
		w.Abandon()
	}
	out, err := export.Create(p.clean.out, p.reads()...) // refuses a folder that is not winnow's
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

// lastRun returns the folder of the run before, when the output has a date in
// its name: of the folders that the pattern matches, the one written last.
func (j *jobFile) lastRun(out string) string {
	pattern := strings.NewReplacer("%Y", "[0-9][0-9][0-9][0-9]", "%m", "[0-9][0-9]", "%d", "[0-9][0-9]", "%%", "%").Replace(files.Literal(j.Output))
	found, err := files.Glob(j.dir, pattern)
	if err != nil {
		return ""
	}
	last, when := "", time.Time{}
	for _, dir := range found {
		info, err := os.Stat(filepath.Join(dir, summary.Name))
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
func (p *jobPlan) print(w io.Writer) {
	shown.Fprintf(w, "job      %s\n", p.Name)
	for _, f := range p.lists {
		shown.Fprintf(w, "list     %s\n", f)
	}
	for _, f := range p.bounces {
		shown.Fprintf(w, "bounces  %s\n", f)
	}
	for _, pattern := range p.clean.missing {
		shown.Fprintf(w, "bounces  %s matches no file\n", pattern)
	}
	if p.clean.history != "" {
		shown.Fprintf(w, "history  %s\n", p.clean.history)
	}
	shown.Fprintf(w, "output   %s\n", p.clean.out)
	if p.clean.previous != "" {
		shown.Fprintf(w, "compare  %s\n", p.clean.previous)
	}
	for _, x := range p.exports {
		shown.Fprintf(w, "then     %s\n", strings.Join(append([]string{"winnow export --to", x.to, "--from", x.from, "-o", x.out}, x.said...), " "))
	}
	if p.metrics != "" {
		shown.Fprintf(w, "metrics  %s\n", p.metrics)
	}
	if len(p.Notify.Command) > 0 {
		shown.Fprintf(w, "notify   %s (on %s)\n", strings.Join(p.Notify.Command, " "), strings.Join(p.notifyOn(), ", "))
	}
	shown.Fprintf(w, "The job file is good. Nothing was done.\n")
}
