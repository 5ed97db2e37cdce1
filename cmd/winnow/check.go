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
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

func newCheckCmd(e *env) *cobra.Command {
	var c checker
	var dns dnsOptions
	var own listsOptions
	var noDNS bool
	cmd := &cobra.Command{
		Use:   "check ADDRESS… | -",
		Short: "Judge single addresses, with all evidence",
		Long: `Judge addresses by the same rules as clean: syntax, special-use domains, typos of
big providers' names, disposable domains, role mailboxes, provider rules, and
whether the domain takes mail. An address is judged as it is given; nothing is
repaired first, though a suggestion may be made.

"-" reads addresses from standard input, one a line (with -0: ended by NUL, so that
an address may hold anything), and answers each of them, in order.

With --json every answer is one JSON object on a line: address, key, verdict,
action, reason, detail, suggestion, flags, evidence, and for bad syntax position,
the octet (from 0) where it goes wrong.

  verdict   deliverable, risky, undeliverable or unknown. Deliverable means that
            nothing speaks against the address; it never means that the mailbox
            exists, and winnow never asks.
  action    what clean would do with the row: keep, review or suppress
  reason    one stable word to program with

It is not for the user-defined functions of a database or another engine: they
pass line ends, escapes and headers of their own, and one line too many gives
every later row the verdict of its neighbour. Nor does it repair a cell as clean
does. A first line that is a number, which such an engine sends before its rows,
is refused.

The exit code is 0 whatever the verdicts, 75 when the DNS could not be used.`,
		Example: `  winnow check jane@gmial.com info@example.com
  winnow check --json --no-dns jane.doe@gmail.com
  cut -d, -f2 list.csv | winnow check - --json`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.policyError(); err != nil {
				return usagef(cmd, "%v", err)
			}
			if c.nul && (len(args) != 1 || args[0] != "-") {
				return usagef(cmd, "-0 says how standard input is read: give \"-\" as the only argument")
			}
			var err error
			if c.validator, err = own.validator(); err != nil {
				return err
			}
			if noDNS {
				return c.run(cmd.Context(), e, args)
			}
			resolver, done, err := dns.resolver(cmd.Context())
			if err != nil {
				return err
			}
			c.resolver = resolver
			err = c.run(cmd.Context(), e, args)
			e.noteDNS(resolver)
			return errors.Join(err, done())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&c.json, "json", false, "print one JSON object a line")
	f.BoolVarP(&c.nul, "null", "0", false, "addresses on standard input end with NUL, not with a newline")
	f.StringVar((*string)(&c.policy.Kind), "policy", "marketing", "marketing, transactional or strict")
	f.StringVar((*string)(&c.policy.Typos), "typos", "suppress", "a likely typo of a domain: suppress, review or keep")
	f.BoolVar(&noDNS, "no-dns", false, "do not ask the DNS")
	addDNSFlags(f, &dns)
	addListsFlag(f, &own)
	return cmd
}

// checker answers addresses one by one, in batches that are as large as what is
// there to be read, so that a pipe is answered at once and a file quickly.
type checker struct {
	json, nul bool
	policy    decide.Policy
	validator validate.Validator
	resolver  validate.Resolver          // nil: the DNS is not asked
	answers   map[string]validate.Answer // of the DNS
	unusable  error                      // the resolver as a whole failed
}

const (
	checkBatch   = 5000
	checkAnswers = 1 << 20 // domains whose answers are held
	checkLongest = 1 << 16 // octets of an address on standard input; the rest is cut off and cannot matter
)

// checked is the JSON object for one address.
type checked struct {
	Address    string              `json:"address"`
	Key        string              `json:"key"`
	Verdict    string              `json:"verdict"`
	Action     decide.Action       `json:"action"`
	Reason     string              `json:"reason"`
	Detail     string              `json:"detail"`
	Suggestion string              `json:"suggestion"`
	Position   *int                `json:"position,omitempty"`
	Flags      []string            `json:"flags"`
	Evidence   []validate.Evidence `json:"evidence"`
}

// policyError returns an error when a flag holds a word that Decide does not know.
func (c *checker) policyError() error {
	switch c.policy.Kind {
	case "marketing", "transactional", "strict":
	default:
		return fmt.Errorf("--policy %s is not known: use marketing, transactional or strict", c.policy.Kind)
	}
	switch c.policy.Typos {
	case "suppress", "review", "keep":
	default:
		return fmt.Errorf("--typos %s is not known: use suppress, review or keep", c.policy.Typos)
	}
	return nil
}

func (c *checker) run(ctx context.Context, e *env, args []string) error {
	c.answers = map[string]validate.Answer{}
	out := bufio.NewWriter(e.stdout)
	stdin := false
	for len(args) > 0 {
		n := 0
		for n < len(args) && args[n] != "-" && n < checkBatch {
			n++
		}
		if err := c.batch(ctx, out, args[:n]); err != nil {
			return err
		}
		if args = args[n:]; len(args) > 0 && args[0] == "-" {
			args = args[1:]
			if stdin {
				continue
			}
			stdin = true
			if err := c.input(ctx, out, e.stdin); err != nil {
				return err
			}
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return c.unusable
}

// chunkHeader is what an engine sends before a block of rows: how many they are.
var chunkHeader = regexp.MustCompile(`^[0-9]+$`)

// input answers the addresses of r.
func (c *checker) input(ctx context.Context, out *bufio.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	end := byte('\n')
	if c.nul {
		end = 0
	}
	var batch []string
	first := true
	for {
		s, more, err := readUntil(in, end)
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if more {
			if !c.nul {
				s = strings.TrimSuffix(s, "\r")
			}
			if first && chunkHeader.MatchString(s) {
				return withHint(fmt.Errorf("standard input: line 1 is a number and no address, as a database sends it before its rows: check is not for its functions"),
					"take the number away; see 'winnow check --help'")
			}
			first = false
			batch = append(batch, s)
		}
		if !more || len(batch) == checkBatch || in.Buffered() == 0 {
			if err := c.batch(ctx, out, batch); err != nil {
				return err
			}
			if batch = batch[:0]; !more {
				return nil
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// readUntil reads up to the next end and leaves it out. Of what is longer than
// checkLongest it returns the beginning. ok is false at the end of r.
func readUntil(r *bufio.Reader, end byte) (s string, ok bool, err error) {
	var buf []byte
	for {
		part, err := r.ReadSlice(end)
		ok = ok || len(part) > 0
		buf = append(buf, part[:min(len(part), checkLongest+1-min(len(buf), checkLongest+1))]...)
		switch {
		case err == nil:
			return string(bytes.TrimSuffix(buf, []byte{end})), true, nil
		case errors.Is(err, io.EOF):
			return string(buf), ok, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", false, err
		}
	}
}

// batch answers addresses: first the DNS for all of them, then each.
func (c *checker) batch(ctx context.Context, out *bufio.Writer, addrs []string) error {
	results := make([]validate.Result, len(addrs))
	var ask []string
	if len(c.answers) > checkAnswers {
		clear(c.answers)
	}
	for i, a := range addrs {
		r := c.validator.Check(a)
		results[i] = r
		if _, known := c.answers[r.Domain.Name]; known || c.resolver == nil || !asksDNS(&r) {
			continue
		}
		c.answers[r.Domain.Name] = validate.Answer{}
		ask = append(ask, r.Domain.Name)
	}
	if err := c.resolve(ctx, ask); err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		if asksDNS(r) {
			r.Answer = c.answers[r.Domain.Name]
			c.validator.CheckMX(&r.Domain, &r.Answer)
		}
		if err := c.print(out, addrs[i], r); err != nil {
			return err
		}
	}
	return nil
}

// asksDNS reports whether the DNS has something to say of an address.
func asksDNS(r *validate.Result) bool {
	return r.Syntax == nil && r.Domain.Code == "" && r.Domain.Name[0] != '['
}

func (c *checker) resolve(ctx context.Context, ask []string) error {
	if len(ask) == 0 {
		return ctx.Err()
	}
	domains := make(chan string, len(ask))
	for _, d := range ask {
		domains <- d
	}
	close(domains)
	answers := make(chan validate.Answer, len(ask))
	err := c.resolver.Resolve(ctx, domains, func(a validate.Answer) { answers <- a })
	close(answers)
	for a := range answers {
		c.answers[a.Domain] = a
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.unusable = dnsError(err)
	}
	return nil
}

func (c *checker) print(out *bufio.Writer, addr string, r *validate.Result) error {
	line := c.answer(addr, r, nil)
	if !c.json {
		return line.text(out)
	}
	return jsonLines(out).Encode(line)
}

// answer decides, and puts together what is said of an address. rec is what
// earlier mail shows, nil for nothing.
func (c *checker) answer(addr string, r *validate.Result, rec *bounceimport.Record) checked {
	d := decide.Decide(decide.User{}, r, rec, &c.policy)
	line := checked{
		Address: addr, Verdict: d.Verdict, Action: d.Action, Reason: d.Reason, Detail: d.Detail,
		Suggestion: d.Suggestion, Flags: d.Flags, Evidence: c.evidence(r),
	}
	if r.Syntax != nil {
		line.Position = &r.Syntax.Pos
	} else {
		line.Key = r.Address.Key()
	}
	if line.Flags == nil {
		line.Flags = []string{}
	}
	if line.Evidence == nil {
		line.Evidence = []validate.Evidence{}
	}
	return line
}

// evidence is what the lists and the DNS say of an address.
func (c *checker) evidence(r *validate.Result) []validate.Evidence {
	ev := c.validator.Evidence(r)
	if r.Answer.Verdict == validate.NotAsked {
		return ev
	}
	if len(r.Answer.Evidence) == 0 {
		return append(ev, validate.Evidence{What: r.Answer.Reason, From: "DNS", When: r.Answer.ObservedAt})
	}
	return append(ev, r.Answer.Evidence...)
}

// text prints an answer for people.
func (l *checked) text(w io.Writer) error {
	var b strings.Builder
	shown.Fprintf(&b, "%s\n  %-13s %s, %s: %s\n", shown.Name(l.Address), l.Action, l.Verdict, l.Reason, l.Detail)
	if l.Position != nil && *l.Position < len(l.Address) {
		shown.Fprintf(&b, "  %-13s octet %d: %s\n", "where", *l.Position, shown.Name(around(l.Address, *l.Position)))
	}
	if l.Suggestion != "" {
		shown.Fprintf(&b, "  %-13s %s\n", "did you mean", shown.Name(l.Suggestion))
	}
	if len(l.Flags) > 0 {
		shown.Fprintf(&b, "  %-13s %s\n", "flags", strings.Join(l.Flags, ", "))
	}
	for i, ev := range l.Evidence {
		name := "evidence"
		if i > 0 {
			name = ""
		}
		shown.Fprintf(&b, "  %-13s %s (%s%s)\n", name, shown.Name(ev.What), shown.Name(ev.From), at(ev.When))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// around returns s from a little before an offset on.
func around(s string, pos int) string {
	return s[pos:min(len(s), pos+20)]
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", " + t.UTC().Format(time.DateTime)
}
