package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// importBounces adds the events of bounce files, folders and standard input ("-") to
// the history at path, which is made when it is not there. Of each it returns what
// became of its records.
func (e *env) importBounces(ctx context.Context, names []string, path string, read *bounceFlags) (accounts []reader.Account, counts history.Counts, err error) {
	for _, name := range names { // before anything is made
		if err := mayImport(name, path); err != nil {
			return nil, counts, err
		}
	}
	opt, err := read.options(ctx)
	if err != nil {
		return nil, counts, err
	}
	h := importer{path: path}
	if files.There(path) == nil { // what is wrong with it is said before anything is read
		if err := h.open(ctx); err != nil {
			return nil, counts, err
		}
	}
	defer func() { err = errors.Join(err, h.close()) }()
	for _, name := range names {
		sum, err := regularHash(ctx, name)
		if err != nil {
			return accounts, counts, err
		}
		a, err := e.readPath(ctx, name, opt, func(ev *bounceimport.Event) error {
			if err := h.open(ctx); err != nil {
				return err
			}
			return h.Add(ev)
		})
		if err == nil {
			err = h.open(ctx)
		}
		if err != nil {
			if h.Import != nil {
				err = errors.Join(err, h.Done()) // What is whole stays: importing again completes it.
			}
			return accounts, counts, err
		}
		accounts = append(accounts, a)
		h.AddFile(history.File{Name: a.Name, SHA256: sum, Format: a.Format, Records: a.Read})
	}
	err = h.Done()
	return accounts, h.Counts, err
}

// importer adds to a history, which it makes when there is something to add.
type importer struct {
	*history.Import // nil before open
	path            string
	store           *history.Store
}

func (h *importer) open(ctx context.Context) (err error) {
	if h.store != nil {
		return nil
	}
	if h.store, err = history.Create(h.path); err == nil {
		h.Import = h.store.Begin(ctx)
	}
	return err
}

func (h *importer) close() error {
	if h.store == nil {
		return nil
	}
	return h.store.Close()
}

// mayImport refuses a file or folder that cannot go into a history.
func mayImport(name, history string) error {
	switch {
	case name == "-":
		return nil
	case files.Same(name, history):
		return &usageError{err: fmt.Errorf("%s is the history itself", name)}
	case files.Inside(history, name):
		// Reading an open SQLite file beside SQLite takes its locks away (POSIX).
		return &usageError{err: fmt.Errorf("the history %s lies in %s, which is to be read: put it beside the folder, not into it", history, name)}
	}
	return files.There(name)
}

// regularHash returns the SHA-256 of a regular file, "" for anything else.
func regularHash(ctx context.Context, name string) (string, error) {
	if name == "-" || !files.Regular(name) {
		return "", nil
	}
	sum, _, err := files.Hash(ctx, name)
	return sum, err
}

// printImport prints what became of the records and of the events.
func printImport(w io.Writer, path string, accounts []reader.Account, c history.Counts) error {
	var b bytes.Buffer
	for i := range accounts {
		shown.Fprintf(&b, "%s\n", &accounts[i])
	}
	if c.Changed == 0 {
		shown.Fprintf(&b, "%s: %s, nothing new\n", path, shown.Plural(c.Events, "event", "events"))
	} else {
		shown.Fprintf(&b, "%s: %s, %s new or changed\n", path, shown.Plural(c.Events, "event", "events"), shown.Plural(c.Changed, "row", "rows"))
	}
	for _, l := range []struct {
		n    int64
		what string
	}{
		{c.Ignored, "say nothing of an address (delays, auto-replies, greylisting)"},
		{c.Foreign, "have no address that a list could hold"},
		{c.Forgotten, "are of addresses that were forgotten: not stored"},
	} {
		if l.n > 0 {
			shown.Fprintf(&b, "  %d %s\n", l.n, l.what)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
