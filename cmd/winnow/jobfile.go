package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
	"github.com/winnow-email/winnow/internal/files"
)

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
				if path != "" && path != "-" && (name != "dns-cache" || !noCache(path)) {
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

// notifyOn returns the outcomes of which the notify command wants to hear.
func (j *jobFile) notifyOn() []string {
	if len(j.Notify.On) == 0 {
		return []string{"failure"}
	}
	return j.Notify.On
}
