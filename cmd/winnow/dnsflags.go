package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx"
)

// dnsOptions are the flags about asking the DNS, the same for all commands that do.
type dnsOptions struct {
	servers     []string
	concurrency int
	rate        float64
	timeout     time.Duration
	budget      time.Duration
	canaries    []string
	cache       string
	persistent  bool
	record      string
	replay      string
	table       string
}

// addDNSFlags adds the flags to a command.
func addDNSFlags(fs *pflag.FlagSet, o *dnsOptions) {
	listVar(fs, &o.servers, "resolver", "IP[:PORT], tls://IP#NAME or https://NAME/PATH")
	fs.IntVar(&o.concurrency, "concurrency", 0, "most queries in flight (default 500 near, 64 far)")
	fs.Float64Var(&o.rate, "dns-rate", 0, "most queries a second (default 300 far, any near)")
	fs.DurationVar(&o.timeout, "dns-timeout", 2*time.Second, "wait this long for a first reply")
	fs.DurationVar(&o.budget, "dns-budget", 0, "stop asking after this time, for example 10m")
	listVar(fs, &o.canaries, "dns-canary", "domains that surely take mail, as a test")
	o.cache = defaultCache()
	addCacheFlag(fs, &o.cache)
	fs.BoolVar(&o.persistent, "suppress-persistent", false, "condemn what failed on 5 days (see winnow domains)")
	fs.StringVar(&o.record, "dns-record", "", "write all replies of the DNS to this file")
	fs.StringVar(&o.replay, "dns-replay", "", "use the replies in this file of --dns-record")
	fs.StringVar(&o.table, "domains", "", "use the verdicts in this file of 'winnow domains'")
}

// addCacheFlag adds the flag for the cache file. Its help is the same on every machine.
func addCacheFlag(fs *pflag.FlagSet, path *string) {
	fs.Var((*cachePath)(path), "dns-cache", "answers kept between runs, off for none")
	fs.Lookup("dns-cache").DefValue = "" // not shown: it would be another path on every machine
}

// cachePath is the path of the cache file, "" for none.
type cachePath string

func (p *cachePath) Set(s string) error {
	if noCache(s) {
		s = ""
	}
	*p = cachePath(s)
	return nil
}

func (p *cachePath) String() string { return string(*p) }
func (p *cachePath) Type() string   { return "string" }

// noCache says whether a value of --dns-cache means none: who wants a file of that
// name writes ./off.
func noCache(s string) bool { return s == "" || s == "off" || s == "none" }

// defaultCache is where answers of the DNS are kept; "" when there is no place.
func defaultCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "winnow", "dns")
}

// resolver returns what answers for the DNS, and a function to be called when
// all is asked, which says whether what was to be written is written. A recording
// never takes the place of one of the inputs.
func (o *dnsOptions) resolver(ctx context.Context, inputs ...string) (validate.Resolver, func() error, error) {
	none := func() error { return nil }
	switch {
	case o.replay != "" && o.table != "":
		return nil, nil, &usageError{err: errors.New("--dns-replay and --domains exclude each other")}
	case (o.replay != "" || o.table != "") && o.record != "":
		return nil, nil, &usageError{err: errors.New("--dns-record needs a DNS to ask: leave --dns-replay and --domains out")}
	case o.concurrency < 0 || o.rate < 0 || o.budget < 0 || o.timeout <= 0:
		return nil, nil, &usageError{err: errors.New("--concurrency, --dns-rate, --dns-budget and --dns-timeout cannot be negative")}
	case o.persistent && (o.replay != "" || o.table != "" || o.record != "" || o.cache == ""):
		return nil, nil, &usageError{err: errors.New("--suppress-persistent needs the cache, which knows the earlier days: not with --dns-record, --dns-replay, --domains or --dns-cache off")}
	case o.replay != "":
		f, err := files.Open(ctx, o.replay)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		t, err := dnsmx.OpenTape(f, o.replay)
		return t, none, err
	case o.table != "":
		f, err := files.Open(ctx, o.table)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		t, err := dnsmx.OpenTable(f, o.table)
		return t, none, err
	}
	r := &dnsmx.Resolver{Servers: o.servers, Concurrency: o.concurrency, Rate: o.rate, Timeout: o.timeout, Budget: o.budget, Canaries: o.canaries, Cache: o.cache,
		SuppressPersistent: o.persistent}
	if err := r.Check(); err != nil {
		return nil, nil, err
	}
	if o.record == "" {
		return r, none, nil
	}
	w, err := files.Create(o.record, "# winnow DNS recording", inputs...)
	if err != nil {
		return nil, nil, err
	}
	r.Record = w
	return r, func() error {
		if !r.Stats().Done {
			w.Abandon() // half a recording would answer "unknown" later
			return nil
		}
		return w.Commit()
	}, nil
}

// dnsError turns an error of Resolve into the one for the user: an unusable DNS
// has an exit code of its own.
func dnsError(err error) error {
	if !errors.Is(err, dnsmx.ErrUnusable) {
		return err
	}
	return exitCode(exitDNS, withHint(err, "what is unknown is kept; run it again later, or give other resolvers with --resolver"))
}

// noteDNS says what went wrong with the cache, if anything.
func (e *env) noteDNS(r validate.Resolver) {
	if c, ok := r.(*dnsmx.Resolver); ok {
		if n := c.Stats().CacheNote; n != "" {
			e.note("%s", n)
		}
		for _, s := range c.Stats().Resolvers {
			if strings.HasPrefix(s.Canaries, "ok:") {
				e.note("resolver %s %s", s.Name, strings.TrimPrefix(s.Canaries, "ok: "))
			}
		}
	}
}

// dnsProgress is one line on how far asking has come; total is 0 when not known.
func dnsProgress(s dnsmx.Stats, total int64) string {
	if total == 0 {
		total = s.Domains
	}
	line := fmt.Sprintf("%d of %d domains, %d unknown so far", s.Answered, total, s.Unknown)
	if s.Seconds > 1 && s.Answered > 0 {
		rate := float64(s.Answered) / s.Seconds
		line += fmt.Sprintf(", %.0f/s, %v left", rate, time.Duration(float64(total-s.Answered)/rate*float64(time.Second)).Round(time.Second))
	}
	return line
}

// showDNS shows the progress of a resolver on a terminal until the function
// that it returns is called.
func (e *env) showDNS(r validate.Resolver, total int64) (stop func()) {
	c, ok := r.(*dnsmx.Resolver)
	if !ok || !isTerminal(e.stderr) {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(250 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-end:
				shown.Fprintf(e.stderr, "\r\033[K")
				return
			case <-t.C:
				shown.Fprintf(e.stderr, "\r\033[K%s", dnsProgress(c.Stats(), total))
			}
		}
	}()
	return func() { close(end); <-ended }
}
