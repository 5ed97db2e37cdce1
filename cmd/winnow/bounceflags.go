package main

import (
	"bufio"
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/winnow-email/winnow/bounceimport/reader"
	"github.com/winnow-email/winnow/internal/files"
)

// bounceFlags are the flags about reading bounces, the same for all commands that do.
type bounceFlags struct {
	rules, zone, sent string
	senders           []string
}

func (b *bounceFlags) add(f *pflag.FlagSet) {
	f.StringVar(&b.rules, "rules", "", "a `FILE` of your own rules for bounces, which win over the built-in ones")
	f.StringVar(&b.zone, "tz", "", "time `ZONE` of times in bounces that name none (default UTC)")
	f.StringSliceVar(&b.senders, "sender", nil, "use bounce mails only when the returned message is from this `DOMAIN`:\nanyone can send a forged one")
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
	f, err := files.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	seed := maphash.MakeSeed()
	bare := func(id string) string { return strings.Trim(id, "<> \t\r") }
	ids := map[uint64]struct{}{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if id := bare(lines.Text()); id != "" {
			ids[maphash.String(seed, id)] = struct{}{}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(ids) == 0 {
		return nil, withHint(fmt.Errorf("%s holds no Message-ID", path), "write one a line, as your mail server logged them")
	}
	return func(id string) bool {
		_, ok := ids[maphash.String(seed, bare(id))]
		return ok
	}, nil
}
