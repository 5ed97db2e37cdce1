package validate

import (
	"context"
	"time"

	"github.com/winnow-email/winnow/validate/lists"
)

// Address is one e-mail address, taken apart. It is a plain value: it holds no
// reference to what it was parsed from beyond the strings themselves.
type Address struct {
	Local  string // local part as given, quotes included
	Domain string // lower-case A-labels (RFC 5890), or a domain literal with its brackets
	Raw    string // the address as given
}

// String returns the address with its local part as given and its domain in A-label form.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// SyntaxError says why a string is not an address that mail can be sent to.
type SyntaxError struct {
	Code   string // stable machine word, e.g. "syntax_no_at"
	Pos    int    // byte offset in the input, from 0
	Detail string // one sentence for a person
}

func (e *SyntaxError) Error() string { return e.Detail }

// A DomainVerdict says whether a domain takes mail. Only a proved negative is
// DoesNotAccept; every error of a resolver is Unknown.
type DomainVerdict string

// The three values of a DomainVerdict. NotAsked is the zero value: no look-up was made.
const (
	NotAsked      DomainVerdict = ""
	Accepts       DomainVerdict = "accepts"
	DoesNotAccept DomainVerdict = "does_not_accept"
	Unknown       DomainVerdict = "unknown"
)

// Evidence is one observation: what was seen, where, and when.
type Evidence struct {
	What string    `json:"what"`
	From string    `json:"from"`
	When time.Time `json:"when,omitzero"`
}

// Answer is what the DNS says about one domain.
type Answer struct {
	Domain     string        `json:"domain"` // lower-case A-labels, no final dot
	Verdict    DomainVerdict `json:"verdict"`
	Reason     string        `json:"reason"`             // frozen code: domain_…, mx_…, dns_…
	Detail     string        `json:"-"`                  // the reason as a clause for a person, lower case, no full stop
	MX         []string      `json:"mx,omitempty"`       // mail hosts in order of preference, lower case, no final dot
	Provider   string        `json:"provider,omitempty"` // by MX suffix, e.g. "google-workspace"
	Warnings   []string      `json:"warnings,omitempty"` // codes that inform and never condemn, e.g. "mx_ok_partial"
	Evidence   []Evidence    `json:"evidence,omitempty"`
	ObservedAt time.Time     `json:"observed_at,omitzero"`
}

// Resolver answers whether domains take mail. It is the seam between judging
// and asking: validate/dnsmx asks the DNS, a table or a tape can stand in.
type Resolver interface {
	// Resolve answers every domain received from domains (lower-case A-labels,
	// each sent once) by calling each, from any goroutine and in any order, and
	// returns when domains is closed and all are answered, or ctx is done. An
	// error means that the resolver as a whole was unusable; the domains it could
	// not ask are answered Unknown all the same.
	Resolve(ctx context.Context, domains <-chan string, each func(Answer)) error
}

// Tier says how sure the lists are that a domain hands out throw-away mailboxes.
type Tier uint8

// The tiers of disposable domains.
const (
	NotDisposable Tier = iota
	Listed             // on one list only, or among throw-away neighbours: for review
	Confirmed          // by several lists, the provider itself or its mail host: suppress
)

// RoleClass says what kind of mailbox a local part names.
type RoleClass uint8

// The classes of local parts.
const (
	Person  RoleClass = iota
	Shared            // info@, sales@ …: kept and flagged
	NoReply           // no-reply@ and the like: nobody reads it
	System            // postmaster@, abuse@, mailer-daemon@ …: never mail it
)

// Domain is what is known of a domain without asking anyone. It is the same for
// every address of the domain, so a job computes it once a domain.
type Domain struct {
	Name       string // lower-case A-labels
	Code       string // not "": no mail can go there whatever the DNS says: reserved or special-use name (RFC 6761)
	Detail     string
	Typo       string // not "": the domain that was probably meant
	Disposable Tier
	Alias      string // privacy alias or forwarding service, e.g. "SimpleLogin": information only
	Provider   string // e.g. "gmail"
	Class      string // free (anybody gets a mailbox), isp, mailbox (paid), forwarder; "" when not known
	Source     string // list and date behind Disposable, Alias or Provider
}

// Result is everything validate can say of one address.
type Result struct {
	Address Address
	Syntax  *SyntaxError // nil: well-formed
	Exotic  string       // not "": legal, but most ESPs refuse it: "quoted_local_part", "domain_literal" …
	Notes   []string     // codes that inform: "provider_local_part", "fullwidth" …
	Risky   string       // not "": code of a provider rule that the local part breaks
	Role    RoleClass
	Domain  Domain
	Answer  Answer // of the DNS; Verdict NotAsked when it was not asked

	// Suggestion is the whole address that was probably meant: a typo in the domain,
	// or, where Syntax is set, a slip that can be undone. It is never applied here.
	Suggestion string
}

// Validator checks addresses. The zero value is ready to use and knows the
// embedded lists. It is safe for concurrent use.
type Validator struct {
	Lists *lists.Set // nil: the embedded lists
}

func (v *Validator) lists() *lists.Set {
	if v.Lists != nil {
		return v.Lists
	}
	return lists.Embedded()
}
