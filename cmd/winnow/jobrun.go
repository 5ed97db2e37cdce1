package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// runJob does the job. Whatever happens, the metrics tell of it, and the notify
// command hears of what it wants to hear of.
func (e *env) runJob(ctx context.Context, j *jobFile, quiet bool) error {
	unlock, err := files.LockFile(j.path)
	switch {
	case err == files.ErrLocked:
		return withHint(fmt.Errorf("%s: this job is running already", j.path), "wait for it to end")
	case err != nil:
		return err
	}
	defer unlock()
	var s *winnow.Summary
	p, err := j.plan(time.Now())
	if err == nil {
		p.clean.quiet = quiet
		s, err = e.jobSteps(ctx, p)
	} else {
		p = &jobPlan{jobFile: j}
		if j.Metrics != "" {
			p.metrics = j.relative(j.Metrics)
		}
		if j.History != "" {
			p.clean.history = j.relative(j.History)
		}
	}
	if p.metrics != "" {
		err = errors.Join(err, writeMetrics(p.metrics, p.reads(), s, j.Name, codeOf(ctx, err)))
	}
	if nerr := p.notify(ctx, e, codeOf(ctx, err), err); nerr != nil {
		e.note("the notify command failed: %v", nerr)
	}
	return err
}

// jobSteps imports, cleans and exports. The summary is there as soon as the lists are.
func (e *env) jobSteps(ctx context.Context, p *jobPlan) (*winnow.Summary, error) {
	if p.metrics != "" { // before the run, not when it is done
		if err := files.MayReplace(p.metrics, report.MetricsMark, p.reads()...); err != nil {
			return nil, fmt.Errorf("%s: metrics: %w", p.path, err)
		}
	}
	out := *e
	if p.clean.quiet {
		out.stdout = io.Discard
	}
	imported := false
	switch {
	case len(p.bounces) > 0:
		read, counts, err := out.importBounces(ctx, p.bounces, p.clean.history, &p.clean.read, nil)
		if err == nil {
			p.clean.imported, imported = read, counts.Changed > 0
			err = printImport(out.stdout, p.clean.history, read, counts)
		}
		if err != nil {
			return nil, jobError("importing the bounces", err)
		}
	case p.clean.history != "" && files.There(p.clean.history) != nil:
		e.note("the history %s is not there yet and there are no bounces to import: cleaning without it", p.clean.history)
		p.clean.history = ""
	}
	s, err := e.clean(ctx, &p.clean, p.lists, p.limits)
	if err != nil {
		if imported && codeOf(ctx, err) == exitInterrupt {
			return s, exitCode(exitInterrupt, errBouncesKept)
		}
		// A gate says that what would be exported is not to be trusted. An unusable
		// DNS says less, and so does a sender who is refused: what is suppressed is so
		// for other reasons.
		if code := codeOf(ctx, err); s == nil || code != exitDNS && code != exitGate ||
			slices.ContainsFunc(report.Failed(s), func(gate string) bool { return gate != "dns" && gate != "sending" }) {
			return s, jobError("", err)
		}
	}
	for _, x := range p.exports {
		if err := out.export(ctx, x); err != nil {
			if codeOf(ctx, err) == exitInterrupt {
				return s, exitCode(exitInterrupt, fmt.Errorf("interrupted; the lists are in %s, and %s is not written", p.clean.out, x.out))
			}
			return s, jobError("the export to "+x.out, err)
		}
	}
	return s, err
}

// jobError names the step that failed. A mistake of usage stands in the job file,
// not on the command line.
func jobError(step string, err error) error {
	var ue *usageError
	if errors.As(err, &ue) {
		err = ue.err
	}
	if step == "" {
		return err
	}
	return fmt.Errorf("%s: %w", step, err)
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
	on := p.notifyOn()
	wanted := slices.Contains(on, "always") || slices.Contains(on, outcome) || slices.Contains(on, "failure") && code != exitDone
	if !wanted {
		return nil
	}
	text := shown.Name(fmt.Sprintf("winnow job %s: %s (exit code %d)", p.Name, outcome, code)) + "\n"
	for _, why := range whys(code, err) {
		text += shown.Name(why) + "\n"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Notify.Command[0], p.Notify.Command[1:]...)
	cmd.Env = append(os.Environ(), "WINNOW_JOB="+p.Name, "WINNOW_OUTCOME="+outcome, fmt.Sprintf("WINNOW_EXIT_CODE=%d", code), "WINNOW_OUTPUT="+p.clean.out)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stdout, cmd.Stderr = e.stderr, e.stderr
	return cmd.Run()
}

// whys returns what an error says, a line each.
func whys(code int, err error) (lines []string) {
	var ce *codeError
	switch {
	case code == exitInterrupt && !(errors.As(err, &ce) && ce.err != nil):
		return []string{"interrupted; nothing was changed"}
	case err == nil:
		return nil
	}
	for _, one := range apart(err) {
		lines = append(lines, one.Error())
	}
	return lines
}
