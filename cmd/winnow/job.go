package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

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
			job, err := readJob(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !check {
				return e.runJob(cmd.Context(), job, quiet)
			}
			plan, err := job.plan(time.Now())
			if err == nil {
				err = plan.check(cmd.Context())
			}
			if err != nil {
				return jobError("", err)
			}
			return e.print(plan.print)
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
			if _, err := os.Lstat(args[0]); err == nil {
				return withHint(fmt.Errorf("%s is there already", args[0]), "choose another name, or move it away")
			}
			return files.Write(args[0], "", jobTemplate)
		},
	}
}

// readJob reads a job file. Its errors name the line.
func readJob(ctx context.Context, path string) (*jobFile, error) {
	if info, err := files.Look(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &files.InputError{Path: path, What: "is not a regular file", Next: "save the job in a file: while it runs the file is locked"}
	}
	b, err := files.ReadAll(ctx, path, 1<<20)
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
	for _, out := range append([]string{j.Output}, j.exportOutputs()...) {
		if place := unknownDate.FindString(strings.ReplaceAll(out, "%%", "")); place != "" {
			return nil, fmt.Errorf("%s:%d: output: %s in %s is not known: use %%Y, %%m and %%d for the date, %%%% for a percent sign", path, lineOf(b, "output"), place, out)
		}
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

// unknownDate finds what dated leaves as it is.
var unknownDate = regexp.MustCompile(`%([^Ymd]|$)`)

// dated puts the date into a path.
func dated(path string, now time.Time) string {
	return strings.NewReplacer("%Y", now.Format("2006"), "%m", now.Format("01"), "%d", now.Format("02"), "%%", "%").Replace(path)
}

func (j *jobFile) exportOutputs() (all []string) {
	for _, x := range j.Exports {
		all = append(all, x.Output)
	}
	return all
}

// relative returns a path of the job file as one of the working directory.
func (j *jobFile) relative(path string) string {
	if filepath.IsAbs(path) || j.dir == "." {
		return path
	}
	return filepath.Join(j.dir, path)
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
