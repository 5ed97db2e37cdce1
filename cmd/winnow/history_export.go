package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// historyExport is what an export of a history can be told.
type historyExport struct {
	history, out, format string
	all                  bool
}

func newBouncesExportCmd(e *env) *cobra.Command {
	var o historyExport
	cmd := &cobra.Command{
		Use:   "export --history winnow.db -o FILE",
		Short: "Write what a history suppresses now, as CSV or JSON lines",
		Long: `export writes one line for each address and each domain ("@example.org") that a
history suppresses now or holds for review, with the reason, until when, and the
event behind it. With --all it also writes those that nothing speaks against, or
not enough yet. Addresses that were forgotten are not in it: only their hashes
are known.

The file holds addresses. It is readable by you alone and appears whole or not at
all. "-o -" writes to standard output.`,
		Example: `  winnow bounces export --history winnow.db -o suppressed.csv
  winnow bounces export --history winnow.db -o all.jsonl --all`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.out == "" {
				return usagef(cmd, "-o FILE is missing: the file to write")
			}
			return e.exportHistory(cmd, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.history, "history", "", "the history `FILE`")
	f.StringVarP(&o.out, "out", "o", "", "the `FILE` to write, \"-\" for standard output")
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: by the name of FILE)")
	f.BoolVar(&o.all, "all", false, "also addresses that are not suppressed")
	return cmd
}

// exportHistory writes where the addresses and domains of a history stand now.
func (e *env) exportHistory(cmd *cobra.Command, o *historyExport) error {
	own, writer := csvStart, putCSV
	switch {
	case o.format == "jsonl", o.format == "" && slices.Contains([]string{".jsonl", ".ndjson", ".json"}, filepath.Ext(o.out)):
		own, writer = jsonStart, putJSON
	case o.format != "" && o.format != "csv":
		return usagef(cmd, "--format %s: csv or jsonl", o.format)
	}
	if files.Same(o.out, o.history) {
		return usagef(cmd, "%s is the history itself", o.out)
	}
	s, err := historyOf(cmd, o.history)
	if err != nil {
		return err
	}
	defer s.Close()
	n := int64(0)
	err = writePrivate(e.stdout, o.out, own, func(w io.Writer) error {
		put := writer(w)
		err := s.Standings(cmd.Context(), time.Now(), nil, func(key string, r bounceimport.Record) error {
			action := "keep"
			switch {
			case r.Held != "":
				action = "review"
			case r.Action == bounceimport.SuppressNow || r.Action == bounceimport.Count:
				action = "suppress"
			case !o.all:
				return nil
			}
			n++
			return put(key, action, &r)
		})
		if err != nil {
			return err
		}
		return put("", "", nil)
	})
	if err == nil && o.out != "-" {
		e.note("%s: %s", o.out, shown.Plural(n, "line", "lines"))
	}
	return err
}

// How the files begin that putCSV and putJSON write.
const (
	csvStart  = "address,action,category,until"
	jsonStart = `{"address":`
)

// putCSV returns a function that writes records as CSV; a nil record ends it.
func putCSV(w io.Writer) func(key, action string, r *bounceimport.Record) error {
	c := csv.NewWriter(w)
	c.Write([]string{"address", "action", "category", "until", "days", "first", "last", "held", "rule", "source", "reply"})
	return func(key, action string, r *bounceimport.Record) error {
		if r == nil {
			c.Flush()
			return c.Error()
		}
		return c.Write([]string{key, action, r.Category, stamp(r.Until), fmt.Sprint(r.Events), stamp(r.First), stamp(r.Last),
			r.Held, r.Rule, shown.Guard(r.Source), shown.Guard(r.Reply)})
	}
}

// putJSON is putCSV for JSON lines.
func putJSON(w io.Writer) func(key, action string, r *bounceimport.Record) error {
	enc := jsonLines(w)
	return func(key, action string, r *bounceimport.Record) error {
		if r == nil {
			return nil
		}
		return enc.Encode(struct {
			Address  string    `json:"address"`
			Action   string    `json:"action"`
			Category string    `json:"category"`
			Until    time.Time `json:"until,omitzero"`
			Days     int       `json:"days"`
			First    time.Time `json:"first,omitzero"`
			Last     time.Time `json:"last,omitzero"`
			Held     string    `json:"held,omitempty"`
			Rule     string    `json:"rule,omitempty"`
			Source   string    `json:"source,omitempty"`
			Reply    string    `json:"reply,omitempty"`
		}{key, action, r.Category, r.Until, r.Events, r.First, r.Last, r.Held, r.Rule, r.Source, r.Reply})
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// writePrivate writes a file that only its owner can read and that appears
// whole or not at all; "-" is standard output.
func writePrivate(stdout io.Writer, name, own string, write func(io.Writer) error) error {
	if name == "-" {
		w := bufio.NewWriter(stdout)
		if err := write(w); err != nil {
			return err
		}
		return w.Flush()
	}
	f, err := files.Create(name, own)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		f.Abandon()
		return err
	}
	return f.Commit()
}
