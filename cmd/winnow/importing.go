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

// importedFile is one bounce file, and what became of its records.
type importedFile struct {
	name    string // as it was named
	sha256  string // "" for a folder and for what can be read once only
	bytes   int64
	account reader.Account
}

// importBounces adds the events of bounce files, folders and standard input ("-") to
// the history at path, which is made when there is something to put into it. also,
// where it is not nil, gets every event too.
func (e *env) importBounces(ctx context.Context, names []string, path string, read *bounceFlags, also func(*bounceimport.Event) error) (imported []importedFile, counts history.Counts, err error) {
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
		f, err := e.importFile(ctx, &h, name, opt, also)
		if err != nil {
			if h.Import != nil {
				err = errors.Join(err, h.Done()) // What is whole stays: importing again completes it.
			}
			return imported, counts, err
		}
		imported = append(imported, f)
	}
	err = h.Done()
	return imported, h.Counts, err
}

// importFile adds the events of one file.
func (e *env) importFile(ctx context.Context, h *importer, name string, opt reader.Options, also func(*bounceimport.Event) error) (f importedFile, err error) {
	f.name = name
	if name != "-" && files.Regular(name) {
		if f.sha256, f.bytes, err = files.Hash(ctx, name); err != nil {
			return f, err
		}
	}
	f.account, err = e.readPath(ctx, name, opt, func(ev *bounceimport.Event) error {
		if also != nil {
			if err := also(ev); err != nil {
				return err
			}
		}
		if err := h.open(ctx); err != nil {
			return err
		}
		return h.Add(ev)
	})
	if err == nil {
		err = h.open(ctx)
	}
	if err == nil {
		h.AddFile(history.File{Name: f.account.Name, SHA256: f.sha256, Format: f.account.Format, Records: f.account.Read})
	}
	return f, err
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

// printImport prints what became of the records and of the events.
func printImport(w io.Writer, path string, imported []importedFile, c history.Counts) error {
	var b bytes.Buffer
	for i := range imported {
		shown.Fprintf(&b, "%s\n", &imported[i].account)
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
