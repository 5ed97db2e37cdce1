package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx"
)

func newDomainsCmd(e *env) *cobra.Command {
	var o dnsOptions
	var asJSON bool
	var column string
	cmd := &cobra.Command{
		Use:   "domains [FILE | -]",
		Short: "Ask the DNS which domains take mail, and print a table of verdicts",
		Long: `Reads domains, one a line, from FILE or standard input, or with --column from
a column of a CSV file, and prints a verdict for each, in the order of the
input and once only. An address is taken for its domain; the local part goes
nowhere. In a column that holds addresses, and in a file of which most lines are
addresses, what has no "@" is not a domain: nobody is asked for it. What is
neither a domain nor an address is not printed either, but its line.

The table goes into 'winnow clean --domains FILE', so that the DNS can be asked
once, and on another machine than the one that holds the list.

  verdict   accepts, does_not_accept or unknown. Only what the DNS proves is
            does_not_accept; every error of a resolver is unknown.
  reason    one stable word, for example mx_ok, domain_not_found, dns_timeout

Without --resolver the system's resolvers are asked. Those on this machine or a
private network are near, all others far. A resolver must find mail hosts for
gmail.com, outlook.com and yahoo.com (--dns-canary names others), and must prove
that random names do not exist, or nothing that it denies is believed.

A domain whose own name servers fail stays unknown, and the cache counts the
days on which it was asked for in vain. With --suppress-persistent it is
does_not_accept from the fifth day on (dns_persistent_failure): a mail server
tries for no longer than that. Any answer starts the count anew; days on which
the resolvers themselves did not work do not count.

The exit code is 0 whatever the verdicts, 75 when the DNS could not be used.`,
		Example: `  winnow domains domains.txt > verdicts.csv
  winnow domains --column Email contacts.csv --json
  cut -d@ -f2 addresses.txt | sort -u | winnow domains -`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "-"
			if len(args) == 1 {
				path = args[0]
			}
			return runDomains(cmd.Context(), e, &o, path, column, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().StringVar(&column, "column", "", "the column of a CSV, by name or number")
	addDNSFlags(cmd.Flags(), &o)
	cmd.AddCommand(newDomainsShowCmd(e), newDomainsForgetCmd(e))
	return cmd
}

func newDomainsShowCmd(e *env) *cobra.Command {
	var asJSON bool
	path := defaultCache()
	cmd := &cobra.Command{
		Use:   "show [DOMAIN…]",
		Short: "Print what the cache of the DNS holds",
		Long: `Prints the answers that earlier runs have kept and that are still good, of the
given domains or of all, as the same table that 'winnow domains' prints. Nobody
is asked. Exit code 1 when a given domain is not there.`,
		Example: `  winnow domains show acme.com
  winnow domains show --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			want := newDomainList(args)
			found := map[string]bool{}
			w := bufio.NewWriter(e.stdout)
			if !asJSON {
				w.WriteString(dnsmx.TableHeader)
			}
			err := dnsmx.ReadCache(path, func(a validate.Answer, _ time.Time) error {
				if _, ok := want.index[a.Domain]; len(args) > 0 && !ok {
					return nil
				}
				found[a.Domain] = true
				row, err := domainRow(a, asJSON)
				w.Write(row)
				return errors.Join(err, cmd.Context().Err())
			})
			if err = errors.Join(err, w.Flush()); err != nil {
				return err
			}
			for _, d := range want.names {
				if !found[d] {
					return fmt.Errorf("%s: not in the cache %s", d, path)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	addCacheFlag(cmd.Flags(), &path)
	return cmd
}

func newDomainsForgetCmd(e *env) *cobra.Command {
	var all bool
	path := defaultCache()
	cmd := &cobra.Command{
		Use:   "forget DOMAIN… | --all",
		Short: "Remove answers from the cache of the DNS",
		Long: `Removes the kept answers of the given domains, and the days on which they
failed, so that the next run asks for them anew, and says how many they were.`,
		Example: `  winnow domains forget acme.com
  winnow domains forget --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef(cmd, "give the domains to forget, or --all")
			}
			l := newDomainList(args)
			n, err := dnsmx.ForgetCache(path, func(d string) bool {
				_, ok := l.index[d]
				return all || ok
			})
			if err == nil {
				shown.Fprintf(e.stdout, "%d forgotten\n", n)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "forget everything")
	addCacheFlag(cmd.Flags(), &path)
	return cmd
}

// runDomains prints the verdicts of the domains of a file.
func runDomains(ctx context.Context, e *env, o *dnsOptions, path, column string, asJSON bool) error {
	r, done, err := o.resolver(ctx, path)
	if err != nil {
		return err
	}
	in, err := readDomains(ctx, e, path, column)
	if err != nil {
		done()
		return err
	}
	rows := make([][]byte, len(in.names))
	names := make(chan string)
	go func() {
		defer close(names)
		for _, d := range in.names {
			if in.bad[d] != "" {
				continue
			}
			select {
			case names <- d:
			case <-ctx.Done():
				return
			}
		}
	}()
	stop := e.showDNS(r, int64(len(in.names)))
	var mu sync.Mutex
	var bad error
	rerr := r.Resolve(ctx, names, func(a validate.Answer) {
		row, err := domainRow(a, asJSON)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			bad = err
		}
		rows[in.index[a.Domain]] = row
	})
	stop()
	if rerr != nil && !errors.Is(rerr, dnsmx.ErrUnusable) {
		done()
		return rerr
	}
	if err := errors.Join(bad, done()); err != nil {
		return err
	}
	w := bufio.NewWriter(e.stdout)
	if !asJSON {
		w.WriteString(dnsmx.TableHeader)
	}
	for i, row := range rows {
		if row == nil { // not a domain: nobody was asked
			d := in.names[i]
			row, _ = domainRow(validate.Answer{Domain: d, Verdict: validate.DoesNotAccept, Reason: "domain_syntax", Detail: in.bad[d],
				Evidence: []validate.Evidence{{What: in.bad[d], From: "winnow"}}}, asJSON)
		}
		w.Write(row)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if in.addresses > 0 && column == "" {
		e.note("%d of the lines were addresses; their domains were taken", in.addresses)
	}
	if in.skipped > 0 {
		what := "lines hold no address in a list"
		if column != "" {
			what = "cells hold no address in a column"
		}
		e.note("%d %s of addresses; nobody was asked for them", in.skipped, what)
	}
	e.noteDNS(r)
	return dnsError(rerr)
}

func domainRow(a validate.Answer, asJSON bool) ([]byte, error) {
	if !asJSON {
		return dnsmx.AppendTable(nil, a), nil
	}
	var b bytes.Buffer
	err := jsonLines(&b).Encode(a)
	return b.Bytes(), err
}

// domainList is the domains of an input, each once, in the order of their
// first appearance.
type domainList struct {
	names     []string
	index     map[string]int
	bad       map[string]string // what is not a domain, and why
	bare      []bool            // of names: it stood there without an at sign only
	addresses int               // how many entries were addresses …
	others    int               // … and how many were not
	skipped   int               // of the others: nobody is asked for them
}

func newDomainList(names []string) *domainList {
	l := &domainList{index: map[string]int{}, bad: map[string]string{}}
	for i, n := range names {
		l.add(n, fmt.Sprintf("(argument %d)", i+1))
	}
	return l
}

// atSign is what stands between a local part and a domain, also where it was encoded
// or written by a person who hides it from programs.
var atSign = regexp.MustCompile(`(?i)@|\x{ff20}|\x{fe6b}|%40|=40|\\u0040|&#0*64;?|&#x0*40;?|&commat;|[([{<] ?at ?[)\]}>]|\sat\s`)

// domainEnd is where the domain of an address ends.
var domainEnd = regexp.MustCompile("[\\s>,;\"'()<|?/]")

// plainDomain is a name in which nothing can stand for an at sign.
var plainDomain = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

// cutAddress returns the domain of an address, and whether s is one: what stands
// before the domain goes nowhere.
func cutAddress(s string) (domain string, ok bool) {
	all := atSign.FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return s, false
	}
	last := all[len(all)-1]
	s = strings.TrimSpace(s[last[1]:])
	if i := domainEnd.FindStringIndex(s); i != nil {
		s = s[:i[0]]
	}
	return s, last[0] > 0
}

// add takes in a domain as a person would write it, or an address. where stands for
// what is neither: that may be a local part, which is never printed.
func (l *domainList) add(s, where string) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] == '#' {
		return
	}
	s, address := cutAddress(s)
	if address {
		l.addresses++
	}
	d := strings.TrimSuffix(s, ".")
	why := ""
	if a, err := validate.ParseAddress("x@" + d); err == nil {
		d = a.Domain
	} else {
		if d = strings.ToLower(d); !plainDomain.MatchString(d) {
			d = where
		}
		why = "not a domain name"
		var se *validate.SyntaxError
		if errors.As(err, &se) {
			why = se.Detail
		}
	}
	if !address {
		l.others++
	}
	if i, ok := l.index[d]; ok {
		l.bare[i] = l.bare[i] && !address
		return
	}
	if why != "" {
		l.bad[d] = why
	}
	l.index[d] = len(l.names)
	l.names = append(l.names, d)
	l.bare = append(l.bare, !address)
}

// dropBare leaves out what stands only without an at sign: among addresses it may be
// a local part (john.smith), which must not reach the DNS.
func (l *domainList) dropBare() {
	all := l.names
	l.names, l.skipped = nil, l.others
	clear(l.index)
	for i, d := range all {
		if !l.bare[i] {
			l.index[d] = len(l.names)
			l.names = append(l.names, d)
		}
	}
}

// readDomains reads the domains of a file: lines, or a column of a CSV.
func readDomains(ctx context.Context, e *env, path, column string) (*domainList, error) {
	l := newDomainList(nil)
	if column != "" {
		return l, l.readColumn(ctx, e, path, column)
	}
	in := e.stdin
	if path != "-" {
		f, err := files.Open(ctx, path)
		if err != nil {
			return nil, err
		}
		defer f.Close() // only read
		in = f
	}
	sc := bufio.NewScanner(in)
	n := 1
	for ; sc.Scan(); n++ {
		l.add(sc.Text(), fmt.Sprintf("(line %d)", n))
		if n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := sc.Err(); err != nil {
		err = fmt.Errorf("%s:%d: %w", path, n, err)
		if errors.Is(err, bufio.ErrTooLong) {
			err = withHint(err, "the input is one domain a line; for a CSV give the column with --column")
		}
		return nil, err
	}
	if l.addresses > l.others { // a list of addresses
		l.dropBare()
	}
	return l, nil
}

// readColumn reads the domains of a column. When there is one address in it, it is a
// column of addresses.
func (l *domainList) readColumn(ctx context.Context, e *env, path, column string) error {
	list, err := csvrows.Open(path, csvrows.Options{Column: column, Stdin: e.stdin, Done: ctx.Done()})
	if err != nil {
		return err
	}
	defer list.Close()
	sc, err := list.Scan()
	if err != nil {
		return err
	}
	defer sc.Close()
	var c csvrows.Chunk
	var buf []byte
	var found []validate.CellAddress
	cells := 0
	for {
		if err := sc.Next(&c); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range c.Len() {
			if c.Problem(i) != "" {
				continue
			}
			buf = c.Cell(i, list.Column, buf[:0])
			found = validate.ParseCell(found[:0], string(buf))
			cells++
			for _, a := range found {
				l.add(a.Address, fmt.Sprintf("(cell %d)", cells))
			}
		}
	}
	if l.addresses > 0 {
		l.dropBare()
	}
	return ctx.Err()
}
