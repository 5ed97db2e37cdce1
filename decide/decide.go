// Package decide turns evidence into an action: it is the one place where that
// happens. It reads no file, asks nobody and looks at no clock.
package decide

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/validate"
)

// Policy is what the user wants done where evidence leaves a choice. The zero
// value is the default: marketing mail.
//
//	finding                          marketing   transactional  strict
//	confirmed disposable domain      suppress    keep           suppress
//	domain on one disposable list    review      keep           suppress
//	system mailbox (postmaster@)     suppress    review         suppress
//	no-reply mailbox                 suppress    review         suppress
//	shared mailbox (info@)           keep, flag  keep, flag     review
//	breaks a rule of its provider    review      keep           review
//	legal form that ESPs refuse      review      keep           review
//	DNS gave no proof                keep        keep           review
//
// A person's unsubscribe or complaint, a dead mailbox and a dead domain are
// suppressed under every policy.
type Policy struct {
	Kind  PolicyKind // "": Marketing
	Typos Action     // what to do with a likely typo of a domain; "": Suppress
}

// PolicyKind is one of the three policies.
type PolicyKind string

// The policies: of newsletters, of receipts and the like that people wait for, and
// of who cannot afford a bounce.
const (
	Marketing     PolicyKind = "marketing"
	Transactional PolicyKind = "transactional"
	Strict        PolicyKind = "strict"
)

// Check returns an error when a field holds a word that Decide does not know.
func (p *Policy) Check() error {
	switch p.Kind {
	case "", Marketing, Transactional, Strict:
	default:
		return fmt.Errorf("policy %q is not known: use %s, %s or %s", p.Kind, Marketing, Transactional, Strict)
	}
	switch p.Typos {
	case "", Suppress, Review, Keep:
	default:
		return fmt.Errorf("typos %q is not known: use %s, %s or %s", p.Typos, Suppress, Review, Keep)
	}
	return nil
}

// Action is what happens to a row.
type Action string

// The actions.
const (
	Keep     Action = "keep"
	Review   Action = "review"
	Suppress Action = "suppress"
)

// Decision is what is done with an address, and why.
type Decision struct {
	Action     Action              `json:"action"`
	Verdict    string              `json:"verdict"` // deliverable, risky, undeliverable, unknown
	Reason     string              `json:"reason"`  // one stable machine word
	Detail     string              `json:"detail"`  // one sentence for a person
	Suggestion string              `json:"suggestion,omitempty"`
	Flags      []string            `json:"flags,omitempty"`
	Evidence   []validate.Evidence `json:"evidence,omitempty"`
}

// The verdicts. Deliverable means: well-formed, the domain takes mail, nothing
// in the evidence speaks against it. It never means that the mailbox exists.
const (
	Deliverable   = "deliverable"
	Risky         = "risky"
	Undeliverable = "undeliverable"
	Unknown       = "unknown"
)

// User is what the user's own lists and the exporting ESP's columns say of an address.
type User struct {
	Block  string // not "": never mail: user_suppressed, user_unsubscribed, user_complained, user_bounced …
	Allow  bool
	Source string
}

// Decide turns evidence into an action. b is nil when nothing is known of earlier
// mail. A nil p is the default policy.
//
// The first that holds wins: the user's own block, or the person's own wish
// (unsubscribe, complaint); the user's allow list; syntax; a bounce of a dead
// recipient; a dead domain; a likely typo; a disposable domain; a system
// mailbox; counted soft bounces; what should be looked at; unknown; ok.
//
// Neither an unknown answer of the DNS nor a sender-side bounce can lead to
// Suppress, whatever b.Action says. Decide looks at no clock: a record whose
// time has run out is the source's to leave out.
//
// What Decide cannot know it does not guess: under a policy that Policy.Check
// refuses, and of an address that was not checked (r is nil), what would be kept
// is for review, with the reason ReasonUnknownPolicy or ReasonNotChecked.
func Decide(u User, r *validate.Result, b *bounceimport.Record, p *Policy) Decision {
	var zero Policy
	if p == nil {
		p = &zero
	}
	if r == nil {
		d := decide(u, &validate.Result{}, b, p)
		return d.hold(u, ReasonNotChecked, "The address was not checked.")
	}
	if err := p.Check(); err != nil {
		// What the mildest policy condemns, every policy does.
		d := decide(u, r, b, &Policy{Kind: Transactional, Typos: Keep})
		return d.hold(u, ReasonUnknownPolicy, asSentence(err.Error()))
	}
	return decide(u, r, b, p)
}

// hold leaves to a person what would be kept, unless the user's allow list keeps it.
func (d Decision) hold(u User, reason, detail string) Decision {
	if d.Action == Keep && !u.Allow {
		d.Action, d.Reason, d.Detail = Review, reason, detail
	}
	return d
}

func decide(u User, r *validate.Result, b *bounceimport.Record, p *Policy) Decision {
	cat := &noCategory
	if b != nil {
		cat = categoryOf(b.Category)
	}
	d := judge(r, b, cat, p)
	wish := b != nil && cat.Wish && b.Action == bounceimport.SuppressNow && b.Held == ""
	switch {
	case u.Block != "":
		d.Action, d.Reason, d.Detail = Suppress, u.Block, BlockDetail(u.Block)
		d.Evidence = append([]validate.Evidence{{What: u.Block, From: u.Source}}, d.Evidence...)
		if u.Block == ReasonUserBounced {
			d.Verdict = Undeliverable
		}
		d.Suggestion = "" // a wish is not repaired
	case wish:
		d.Action, d.Reason, d.Detail = Suppress, cat.reason, sentence(cat, b)
		d.Suggestion = ""
	case u.Allow && d.Reason != ReasonOK:
		d.Flags = append(d.Flags, d.Reason)
		d.Action, d.Reason = Keep, ReasonUserAllowed
		d.Detail = "Your allow list keeps it. Otherwise: " + lowerFirst(d.Detail)
		d.Evidence = append([]validate.Evidence{{What: ReasonUserAllowed, From: u.Source}}, d.Evidence...)
	}
	return d
}

// BlockDetail says for a person what a block of the user means.
func BlockDetail(block string) string {
	if detail := userDetail[block]; detail != "" {
		return detail
	}
	return "Your own list says never to mail this address."
}

var userDetail = map[string]string{
	ReasonUserSuppressed:   "It is on your suppression list.",
	ReasonUserUnsubscribed: "Your list says that this person unsubscribed.",
	ReasonUserComplained:   "Your list says that this person complained about spam.",
	ReasonUserBounced:      "Your list says that the sending service gave this address up after bounces.",
	ReasonUserBlocked:      "Your list says that this address must not be mailed.",
}

// AddressItself is where evidence comes from that needs nothing but the address.
const AddressItself = "the address"

// judge is Decide without the user's own lists.
func judge(r *validate.Result, b *bounceimport.Record, cat *category, p *Policy) Decision {
	if r.Syntax != nil {
		return Decision{
			Action: Suppress, Verdict: Undeliverable, Reason: r.Syntax.Code, Detail: asSentence(r.Syntax.Detail), Suggestion: r.Suggestion, Flags: r.Notes,
			Evidence: []validate.Evidence{{What: r.Syntax.Code + " at octet " + strconv.Itoa(r.Syntax.Pos), From: AddressItself}},
		}
	}
	d := Decision{Flags: flags(r, b, cat)}
	if r.Domain.Typo != "" {
		d.Suggestion = r.Address.Local + "@" + r.Domain.Typo
	}
	c := condemned(r, b, cat, p)
	if c.action == "" {
		c = doubted(r, b, cat, p)
	}
	d.Action, d.Verdict, d.Reason, d.Detail = c.action, c.verdict, c.reason, c.detail
	d.Evidence = evidence(r, b, cat, &c)
	return d
}

// finding is what judge comes to; without an action nothing was found.
type finding struct {
	action                  Action
	verdict, reason, detail string
}

// condemned looks for what speaks against mailing the address.
func condemned(r *validate.Result, b *bounceimport.Record, cat *category, p *Policy) finding {
	dom, ans := &r.Domain, &r.Answer
	// A bounce of a dead recipient. What has to be counted cannot condemn at once:
	// a source that says so is not believed.
	if believed(b, bounceimport.SuppressNow) && cat.Action == bounceimport.SuppressNow {
		return finding{Suppress, Undeliverable, cat.reason, sentence(cat, b)}
	}
	// A domain to which no mail can go, by its name (RFC 6761) or proved by the DNS.
	if dom.Code != "" {
		return finding{Suppress, Undeliverable, dom.Code, asSentence(dom.Detail)}
	}
	if ans.Verdict == validate.DoesNotAccept {
		return finding{Suppress, Undeliverable, ans.Reason, dnsDetail(ans)}
	}
	if dom.Typo != "" && p.Typos != Keep {
		a := Suppress
		if p.Typos == Review {
			a = Review
		}
		return finding{a, Risky, ReasonDomainTypo, dom.Name + " is probably a typing error for " + dom.Typo + "."}
	}
	if p.Kind != Transactional {
		switch {
		case dom.Disposable == validate.Confirmed:
			return finding{Suppress, Risky, ReasonDisposable, dom.Name + " hands out throw-away mailboxes."}
		case dom.Disposable == validate.Listed:
			a := Review
			if p.Kind == Strict {
				a = Suppress
			}
			return finding{a, Risky, ReasonDisposableSuspected, dom.Name + " may hand out throw-away mailboxes, or be an ordinary domain: " + dom.Source + "."}
		}
	}
	if r.Role == validate.System || r.Role == validate.NoReply {
		a := Suppress
		if p.Kind == Transactional {
			a = Review
		}
		if r.Role == validate.System {
			return finding{a, Risky, ReasonRoleSystem, "A mailbox for running a system, not a person's; mail to it draws complaints."}
		}
		return finding{a, Risky, ReasonRoleNoReply, "A mailbox that nobody reads."}
	}
	// Counted soft bounces: suppressed for a time.
	if believed(b, bounceimport.Count) && cat.condemns() {
		return finding{Suppress, Risky, cat.reason, sentence(cat, b)}
	}
	return finding{}
}

// believed reports whether a record asks for an action and nothing speaks against it.
func believed(b *bounceimport.Record, a bounceimport.Action) bool {
	return b != nil && b.Held == "" && b.Action == a
}

// doubted looks for what a person should look at, and else keeps the address.
func doubted(r *validate.Result, b *bounceimport.Record, cat *category, p *Policy) finding {
	dom, ans := &r.Domain, &r.Answer
	if b != nil && b.Held != "" && cat.condemns() {
		return finding{Review, Unknown, ReasonBounceHeld, asSentence("It bounced, but the bounce is not believed: " + b.Held)}
	}
	if p.Kind != Transactional {
		if r.Risky != "" {
			return finding{Review, Risky, r.Risky, "The local part breaks a rule of its provider" + of(dom.Provider) + ", so the mailbox can hardly exist."}
		}
		if r.Exotic != "" {
			return finding{Review, Risky, r.Exotic, "A legal form of address that most sending services refuse."}
		}
	}
	if p.Kind == Strict && r.Role == validate.Shared {
		return finding{Review, Risky, ReasonRoleShared, "A mailbox that several people read."}
	}
	switch ans.Verdict {
	case validate.Unknown:
		a := Keep
		if p.Kind == Strict {
			a = Review
		}
		return finding{a, Unknown, ans.Reason, dnsDetail(ans)}
	case validate.NotAsked:
		return finding{Keep, Unknown, ReasonDNSNotAsked, "Nothing speaks against it; the DNS was not asked."}
	}
	if r.Risky != "" || r.Exotic != "" || dom.Disposable != validate.NotDisposable || dom.Typo != "" {
		return finding{Keep, Risky, ReasonOK, "Kept as the policy says; see the flags."}
	}
	return finding{Keep, Deliverable, ReasonOK, "Well-formed, its domain takes mail, nothing speaks against it."}
}

// evidence is what a finding rests on. What decides stands first; the rest is
// told too. Nothing is condemned without evidence.
func evidence(r *validate.Result, b *bounceimport.Record, cat *category, c *finding) []validate.Evidence {
	bounce, dns := bounceEvidence(b), dnsEvidence(&r.Answer)
	switch {
	case b != nil && (c.reason == cat.reason || c.reason == ReasonBounceHeld):
		return append(bounce, dns...)
	case c.reason == r.Answer.Reason:
		return append(dns, bounce...)
	case c.action != Keep:
		own := validate.Evidence{What: c.reason, From: AddressItself}
		if c.reason == ReasonDisposable || c.reason == ReasonDisposableSuspected {
			own.From = r.Domain.Source
		}
		return append(append([]validate.Evidence{own}, bounce...), dns...)
	}
	return append(bounce, dns...)
}

// flags lists what informs and does not decide.
func flags(r *validate.Result, b *bounceimport.Record, cat *category) []string {
	var f []string
	if len(r.Notes) > 0 {
		f = append(f, r.Notes...)
	}
	if r.Role == validate.Shared {
		f = append(f, ReasonRoleShared)
	}
	if r.Risky != "" {
		f = append(f, r.Risky)
	}
	if r.Exotic != "" {
		f = append(f, r.Exotic)
	}
	if r.Domain.Disposable != validate.NotDisposable {
		f = append(f, ReasonDisposable)
	}
	if r.Domain.Typo != "" {
		f = append(f, ReasonDomainTypo)
	}
	if r.Domain.Alias != "" {
		f = append(f, "privacy_alias")
	}
	if b != nil && cat.Side == bounceimport.Sender {
		f = append(f, cat.reason)
	}
	if len(r.Answer.Warnings) > 0 {
		f = append(f, r.Answer.Warnings...)
	}
	return f
}

// sentence says what a bounce said, how often and until when it counts.
func sentence(cat *category, b *bounceimport.Record) string {
	var s strings.Builder
	if cat.Wish {
		s.WriteString("Earlier mail shows that ")
	} else {
		s.WriteString("The mail system answered that ")
	}
	s.WriteString(cat.Words)
	if b.Events > 1 {
		fmt.Fprintf(&s, " (%d times)", b.Events)
	}
	if !b.Last.IsZero() {
		s.WriteString(", last on " + b.Last.UTC().Format(time.DateOnly))
	}
	if !b.Until.IsZero() {
		s.WriteString("; suppressed until " + b.Until.UTC().Format(time.DateOnly))
	}
	s.WriteByte('.')
	return s.String()
}

func bounceEvidence(b *bounceimport.Record) []validate.Evidence {
	if b == nil || b.Category == "" {
		return nil
	}
	return []validate.Evidence{{What: bounceWhat(b), From: b.Source, When: b.Last}}
}

// dnsEvidence tells of an answer that says anything against the domain.
func dnsEvidence(a *validate.Answer) []validate.Evidence {
	if a.Verdict != validate.DoesNotAccept && a.Verdict != validate.Unknown {
		return nil
	}
	if len(a.Evidence) == 0 {
		return []validate.Evidence{{What: a.Reason, From: "DNS", When: a.ObservedAt}}
	}
	return slices.Clip(a.Evidence)
}

func bounceWhat(b *bounceimport.Record) string {
	if b.Reply == "" {
		return b.Category
	}
	return b.Category + ": " + b.Reply
}

// dnsDetail makes a sentence of the first evidence of an answer.
func dnsDetail(a *validate.Answer) string {
	what := a.Detail
	if what == "" {
		what = strings.ReplaceAll(a.Reason, "_", " ")
	}
	if a.Verdict == validate.DoesNotAccept {
		return a.Domain + " takes no mail: " + what + "."
	}
	return "It could not be proved whether " + a.Domain + " takes mail: " + what + "."
}

func of(provider string) string {
	if provider == "" {
		return ""
	}
	return " (" + provider + ")"
}

// asSentence begins s with a capital and ends it with a full stop.
func asSentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
