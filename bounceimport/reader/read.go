package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// ReadPath reads a file, a directory with everything below it (a maildir, a
// folder of mails or of webhook bodies), or standard input ("-"), as Read does.
func ReadPath(ctx context.Context, path string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	if path == "-" {
		return Read(ctx, os.Stdin, "stdin", opt, yield)
	}
	total := Account{Name: path}
	info, err := os.Stat(path)
	if err != nil {
		return total, plainPathError(err)
	}
	if !info.IsDir() {
		return readFile(ctx, path, opt, yield)
	}
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return plainPathError(err)
		case d.IsDir() && d.Name() == "tmp" && p != path && isMaildir(filepath.Dir(p)):
			return fs.SkipDir // mails that are still being delivered
		case d.IsDir():
			return nil
		case strings.HasPrefix(d.Name(), "."):
			total.pass("hidden file")
			return nil
		case !d.Type().IsRegular():
			if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
				total.skip(&formError{p, "not a file", false}) // a link to a folder, a socket, a pipe
				return nil
			}
		}
		a, err := readFile(ctx, p, opt, yield)
		total.Add(&a)
		switch fe := (*formError)(nil); {
		case errors.As(err, &fe):
			total.skip(fe) // one strange file among many costs no other
			return nil
		case errors.Is(err, fs.ErrNotExist): // a mail program moved it meanwhile
			total.skip(&formError{p, "gone before it was read", true})
			return nil
		}
		return err
	})
	return total, err
}

func isMaildir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "new"))
	_, err2 := os.Stat(filepath.Join(dir, "cur"))
	return err == nil && err2 == nil
}

func readFile(ctx context.Context, path string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	f, err := files.Open(ctx, path)
	if err != nil {
		return Account{Name: path}, err
	}
	defer f.Close()
	return Read(ctx, f, path, opt, yield)
}

// plainPathError says "name: what" where os says "open name: what".
func plainPathError(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", shown.Name(pe.Path), pe.Err)
	}
	return err
}

// Read reads bounces, complaints, unsubscribes and deliveries from r, whose
// form it finds out from the content alone, and calls yield for each event. The
// event is reused: yield must copy what it keeps. An error of yield ends the
// reading and is returned. Records that cannot be read are counted in the
// account and never end it; an error means that r failed, or that nothing in it
// looks like anything Read knows. name is used in Event.Source and in messages.
func Read(ctx context.Context, r io.Reader, name string, opt Options, yield func(*bounceimport.Event) error) (Account, error) {
	if opt.Location == nil {
		opt.Location = time.UTC
	}
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	d := &reading{ctx: ctx, opt: opt, yield: yield, name: name}
	d.acct.Name = name
	err := d.stream(r, name, 0)
	return d.acct, err
}
