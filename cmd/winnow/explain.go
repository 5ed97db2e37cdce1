package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/history"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/dnsmx"
)

func newExplainAddressCmd(e *env) *cobra.Command {
	var x explainer
	var dns dnsOptions
	var own listsOptions
	var noDNS, asJSON bool
	var historyPath string
	cmd := &cobra.Command{
		Use:   "explain ADDRESS",
		Short: "Say all that is known of an address, and what would change the verdict",
		Long: `Prints the verdict on one address with every piece of evidence: what the lists say,
with their dates; what the DNS answers; with --history what earlier mail showed, day
by day. Then it tries what would change the verdict: other policies, other answers,
the address that was probably meant, an entry in your own lists.

With --domains or --dns-replay the DNS is not asked; with --no-dns it is left out.`,
		Example: `  winnow explain jane@gmial.com
  winnow explain jane@example.de --history winnow.db --domains verdicts.csv`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := x.policyError(); err != nil {
				return usagef(cmd, "%v", err)
			}
			if x.validator, err = own.validator(); err != nil {
				return err
			}
			if !noDNS {
				r, done, err := dns.resolver(cmd.Context())
				if err != nil {
					return err
				}
				x.resolver = r
				defer func() { err = errors.Join(err, done()) }()
			}
			if historyPath != "" {
				store, err := history.Open(historyPath)
				if err != nil {
					return err
				}
				defer store.Close()
				x.history = store
			}
			x.now = time.Now()
			found, err := x.explain(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			out := bufio.NewWriter(e.stdout)
			if asJSON {
				err = jsonLines(out).Encode(found)
			} else {
				found.text(out)
			}
			return errors.Join(err, out.Flush(), x.unusable)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	f.StringVar(&historyPath, "history", "", "the database of 'winnow bounces import'")
	f.StringVar((*string)(&x.policy.Kind), "policy", "marketing", "marketing, transactional or strict")
	f.StringVar((*string)(&x.policy.Typos), "typos", "suppress", "a likely typo of a domain: suppress, review or keep")
	f.BoolVar(&noDNS, "no-dns", false, "do not ask the DNS")
	addDNSFlags(f, &dns)
	addListsFlag(f, &own)
	return cmd
}

type explainer struct {
	checker
	history *history.Store // nil: none
	now     time.Time
}

// explanation is all that is said of an address.
type explanation struct {
	checked
	Policy     decide.Policy    `json:"-"`
	Local      string           `json:"local,omitempty"`
	Domain     string           `json:"domain,omitempty"`
	DNS        *validate.Answer `json:"dns,omitempty"` // nil: not asked
	DNSMeaning string           `json:"dns_meaning,omitempty"`
	History    *history.Dossier `json:"history,omitempty"` // nil: none was given
	Changes    []change         `json:"changes"`
}

// change is what the decision would be if something were otherwise.
type change struct {
	If      string        `json:"if"`
	Action  decide.Action `json:"action"`
	Verdict string        `json:"verdict"`
	Reason  string        `json:"reason"`
}

func (x *explainer) explain(ctx context.Context, addr string) (*explanation, error) {
	r := x.validator.Check(addr)
	f := &explanation{Policy: x.policy}
	var rec *bounceimport.Record
	if r.Syntax == nil {
		f.Local, f.Domain = r.Address.Local, r.Domain.Name
		if x.resolver != nil && asksDNS(&r) {
			x.answers = map[string]validate.Answer{}
			if err := x.resolve(ctx, []string{r.Domain.Name}); err != nil {
				return nil, err
			}
			r.Answer = x.answers[r.Domain.Name]
			x.validator.CheckMX(&r.Domain, &r.Answer)
			f.DNS, f.DNSMeaning = &r.Answer, dnsmx.Explain(r.Answer.Reason)
		}
		if x.history != nil {
			d, err := x.history.Show(ctx, r.Address.Key(), x.now)
			if err != nil {
				return nil, err
			}
			f.History = d
			if rec = &d.Record; rec.Category == "" {
				rec = &d.DomainRecord
			}
			if rec.Category == "" {
				rec = nil
			}
		}
	}
	f.checked = x.answer(addr, &r, rec)
	f.Changes = x.changes(&r, rec)
	return f, nil
}

// changes tries what could be otherwise, one thing at a time, and returns what
// would lead to another action or verdict.
func (x *explainer) changes(r *validate.Result, rec *bounceimport.Record) []change {
	is := decide.Decide(decide.User{}, r, rec, &x.policy)
	out := []change{}
	try := func(name string, u decide.User, r validate.Result, rec *bounceimport.Record, p decide.Policy) {
		d := decide.Decide(u, &r, rec, &p)
		if d.Action != is.Action || d.Verdict != is.Verdict {
			out = append(out, change{name, d.Action, d.Verdict, d.Reason})
		}
	}
	if is.Suggestion != "" {
		try("it is "+is.Suggestion, decide.User{}, x.validator.Check(is.Suggestion), nil, x.policy)
	}
	if r.Syntax != nil {
		return out
	}
	for _, kind := range []decide.PolicyKind{decide.Marketing, decide.Transactional, decide.Strict} {
		try("--policy "+string(kind), decide.User{}, *r, rec, decide.Policy{Kind: kind, Typos: x.policy.Typos})
	}
	if r.Domain.Typo != "" {
		for _, typos := range []decide.Action{decide.Suppress, decide.Review, decide.Keep} {
			try("--typos "+string(typos), decide.User{}, *r, rec, decide.Policy{Kind: x.policy.Kind, Typos: typos})
		}
	}
	if r.Domain.Typo != "" || r.Domain.Disposable != validate.NotDisposable {
		known := *r
		known.Domain = validate.Domain{Name: r.Domain.Name}
		try(r.Domain.Name+" is in your known.txt", decide.User{}, known, rec, x.policy)
	}
	if r.Role != validate.Person {
		person := *r
		person.Role = validate.Person
		try("the name is a person in your roles.txt", decide.User{}, person, rec, x.policy)
	}
	if rec != nil {
		try("the history knew nothing of it", decide.User{}, *r, nil, x.policy)
		if !rec.Until.IsZero() {
			try("nothing new happens until "+rec.Until.UTC().Format(time.DateOnly), decide.User{}, *r, nil, x.policy)
		}
	}
	if asksDNS(r) {
		for _, a := range []validate.Answer{
			{Verdict: validate.Accepts, Reason: "mx_ok"},
			{Verdict: validate.DoesNotAccept, Reason: "domain_not_found"},
			{Verdict: validate.Unknown, Reason: "dns_timeout"},
		} {
			if a.Verdict == r.Answer.Verdict {
				continue
			}
			other := *r
			other.Answer = a
			name := map[validate.DomainVerdict]string{validate.Accepts: "the DNS shows that the domain takes mail",
				validate.DoesNotAccept: "the DNS proves that the domain takes no mail", validate.Unknown: "the DNS proves nothing"}[a.Verdict]
			try(name, decide.User{}, other, rec, x.policy)
		}
	}
	try("it is in a file given with --suppress", decide.User{Block: decide.ReasonUserSuppressed}, *r, rec, x.policy)
	try("it is in a file given with --allow", decide.User{Allow: true}, *r, rec, x.policy)
	return out
}

// text prints an explanation for people.
func (f *explanation) text(w io.Writer) {
	p := func(format string, args ...any) { shown.Fprintf(w, format, args...) }
	p("%s\n\n", shown.Name(f.Address))
	p("  %-10s %s\n", "verdict", f.Verdict)
	p("  %-10s %s (policy %s)\n", "action", f.Action, f.Policy.Kind)
	p("  %-10s %s: %s\n", "reason", f.Reason, f.Detail)
	if f.Position != nil && *f.Position < len(f.Address) {
		p("  %-10s octet %d: %s\n", "where", *f.Position, shown.Name(around(f.Address, *f.Position)))
	}
	if f.Suggestion != "" {
		p("  %-10s %s\n", "meant", shown.Name(f.Suggestion))
	}
	if f.Domain != "" {
		p("\n  %-10s %s\n  %-10s %s\n  %-10s %s\n", "local part", shown.Name(f.Local), "domain", f.Domain, "key", shown.Name(f.Key))
	}
	if len(f.Flags) > 0 {
		p("  %-10s %s\n", "flags", strings.Join(f.Flags, ", "))
	}
	p("\nEvidence\n")
	if len(f.Evidence) == 0 {
		p("  no list knows the domain or the name\n")
	}
	for _, ev := range f.Evidence {
		p("  %s (%s%s)\n", shown.Name(ev.What), shown.Name(ev.From), at(ev.When))
	}
	switch {
	case f.DNS == nil:
		p("  the DNS was not asked\n")
	default:
		p("  the DNS: %s, %s. %s\n", f.DNS.Verdict, f.DNS.Reason, f.DNSMeaning)
		if len(f.DNS.MX) > 0 {
			p("  mail hosts: %s%s\n", strings.Join(f.DNS.MX, ", "), map[bool]string{true: " (" + f.DNS.Provider + ")"}[f.DNS.Provider != ""])
		}
	}
	if f.History != nil {
		p("\nHistory\n")
		if !f.History.Forgotten.IsZero() {
			p("  forgotten on request on %s\n", f.History.Forgotten.UTC().Format(time.DateOnly))
		}
		if len(f.History.Events)+len(f.History.DomainEvents) == 0 && f.History.Forgotten.IsZero() {
			p("  nothing is known of it\n")
		}
		for _, ev := range f.History.Events {
			p("  %s\n", day(&ev, ""))
		}
		for _, ev := range f.History.DomainEvents {
			p("  %s\n", day(&ev, "the domain: "))
		}
	}
	p("\nWhat would change it\n")
	if len(f.Changes) == 0 {
		p("  nothing that winnow knows of: another address is needed\n")
	}
	for _, c := range f.Changes {
		p("  if %s\n     %s, %s (%s)\n", shown.Name(c.If), c.Action, c.Verdict, c.Reason)
	}
}

// day says in one line what happened on a day.
func day(ev *bounceimport.DayEvent, whose string) string {
	when := "without a date"
	if !ev.Last.IsZero() {
		when = ev.Last.UTC().Format(time.DateOnly)
	}
	s := when + "  " + whose + ev.Category
	if ev.Events > 1 {
		s += fmt.Sprintf(", %d times", ev.Events)
	}
	if ev.Reply != "" {
		s += ": " + shown.Name(ev.Reply)
	}
	return s + " (" + shown.Name(ev.Source) + ")"
}
