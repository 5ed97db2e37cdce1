package main

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// bounceFlags are the flags about reading bounces, the same for all commands that do.
type bounceFlags struct {
	rules, zone, sent string
	senders           []string
}

func (b *bounceFlags) add(f *pflag.FlagSet) {
	f.StringVar(&b.rules, "rules", "", "a `FILE` of your own rules for bounces, which win over the built-in ones")
	f.StringVar(&b.zone, "tz", "", "time `ZONE` of times in bounces that name none (default UTC)")
	listVar(f, &b.senders, "sender", "use bounce mails only when the returned message is from this `DOMAIN`:\nanyone can send a forged one")
	f.StringVar(&b.sent, "sent-ids", "", "use bounce mails only when the returned message has a Message-ID of this `FILE`,\none a line")
}

func (b *bounceFlags) options(ctx context.Context) (opt reader.Options, err error) {
	opt.Senders = b.senders
	if opt.Classifier, err = loadRules(ctx, b.rules); err != nil {
		return opt, err
	}
	if b.zone != "" {
		if opt.Location, err = time.LoadLocation(b.zone); err != nil {
			return opt, &usageError{err: fmt.Errorf("--tz %s: no such time zone; name one like Europe/Berlin or UTC", b.zone)}
		}
	}
	if b.sent != "" {
		opt.MessageID, err = readMessageIDs(ctx, b.sent)
	}
	return opt, err
}

// readMessageIDs returns whether a Message-ID is in a file. It holds 8 bytes and
// the table for each: what is asked for comes from strangers who do not know the
// seed of the hash.
func readMessageIDs(ctx context.Context, path string) (func(id string) bool, error) {
	seed := maphash.MakeSeed()
	bare := func(id string) string { return strings.Trim(id, "<> \t\r") }
	ids := map[uint64]struct{}{}
	err := eachLine(ctx, path, func(_ int, line string) error {
		if id := bare(line); id != "" {
			ids[maphash.String(seed, id)] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, withHint(fmt.Errorf("%s holds no Message-ID", path), "write one a line, as your mail server logged them")
	}
	return func(id string) bool {
		_, ok := ids[maphash.String(seed, bare(id))]
		return ok
	}, nil
}

// maxRules is how large a file of rules can be.
const maxRules = 16 << 20

// loadRules returns a classifier with the rules of a file on top, or the
// embedded rules alone when path is empty.
func loadRules(ctx context.Context, path string) (*reply.Classifier, error) {
	if path == "" {
		return &reply.Classifier{}, nil
	}
	src, err := files.ReadAll(ctx, path, maxRules)
	if err != nil {
		return nil, err
	}
	rules, err := reply.ParseRules(path, string(src))
	if err != nil {
		return nil, withHint(err, "'winnow bounces test-rules --help' shows the form of a rule")
	}
	return &reply.Classifier{User: rules}, nil
}

// readPath reads a bounce file, a folder or standard input ("-"), and says on
// standard error what could not be used.
func (e *env) readPath(ctx context.Context, path string, opt reader.Options, yield func(*bounceimport.Event) error) (a reader.Account, err error) {
	if path == "-" {
		a, err = reader.Read(ctx, e.stdin, "stdin", opt, yield)
	} else {
		a, err = reader.ReadPath(ctx, path, opt, yield)
	}
	if err == nil {
		e.noteAccount(&a)
	}
	return a, err
}

// noteAccount says what of a bounce file could not be used, in a few lines.
func (e *env) noteAccount(a *reader.Account) {
	if a.Malformed+a.Unmapped == 0 {
		return
	}
	e.note("%s: %d of %d records could not be used; the others were", shown.Line(a.Name), a.Malformed+a.Unmapped, a.Read)
	for _, p := range a.Problems[:min(3, len(a.Problems))] {
		e.note("  %s", shown.Line(p)) // it can hold a stranger's words
	}
}
