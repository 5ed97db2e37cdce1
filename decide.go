package winnow

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
	Kind  string // marketing (default), transactional, strict
	Typos string // what to do with a likely typo of a domain: suppress (default), review, keep
}

// Check returns an error when a field holds a word that Decide does not know.
func (p *Policy) check() error {
	switch p.Kind {
	case "", "marketing", "transactional", "strict":
	default:
		return fmt.Errorf("policy %q is not known: use marketing, transactional or strict", p.Kind)
	}
	switch p.Typos {
	case "", "suppress", "review", "keep":
	default:
		return fmt.Errorf("typos %q is not known: use suppress, review or keep", p.Typos)
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
	deliverable   = "deliverable"
	risky         = "risky"
	undeliverable = "undeliverable"
	unknown       = "unknown"
)

// User is what the user's own lists and the exporting ESP's columns say of an address.
type User struct {
	Block  string // not "": never mail: user_suppressed, user_unsubscribed, user_complained, user_bounced …
	Allow  bool
	Source string
}

// Decide turns evidence into an action. It is the one place where that happens.
// b is nil when nothing is known of earlier mail. A nil p is the default policy.
//
// The first that holds wins: the user's own block, or the person's own wish
// (unsubscribe, complaint); the user's allow list; syntax; a bounce of a dead
// recipient; a dead domain; a likely typo; a disposable domain; a system
// mailbox; counted soft bounces; what should be looked at; unknown; ok.
//
// Neither an unknown answer of the DNS nor a sender-side bounce can lead to
// Suppress, whatever b.Action says. Decide looks at no clock: a record whose
// time has run out is the source's to leave out.
func Decide(u User, r *validate.Result, b *bounceimport.Record, p *Policy) Decision {
	var zero Policy
	if p == nil {
		p = &zero
	}
	cat := &noCategory
	if b != nil {
		cat = categoryOf(b.Category)
	}

	wish := b != nil && cat.Wish && b.Action == bounceimport.SuppressNow && b.Held == ""
	if u.Block != "" || wish {
		d := judge(r, b, cat, p)
		d.Action = Suppress
		if u.Block != "" {
			d.Reason, d.Detail = u.Block, userDetail[u.Block]
			if d.Detail == "" {
				d.Detail = "Your own list says never to mail this address."
			}
			d.Evidence = append([]validate.Evidence{{What: u.Block, From: u.Source}}, d.Evidence...)
			if u.Block == ReasonUserBounced {
				d.Verdict = undeliverable
			}
		} else {
			d.Reason, d.Detail = cat.reason, sentence(cat, b)
		}
		d.Suggestion = "" // a wish is not repaired
		return d
	}
	d := judge(r, b, cat, p)
	if u.Allow && d.Reason != ReasonOK {
		d.Flags = append(d.Flags, d.Reason)
		d.Action, d.Reason = Keep, ReasonUserAllowed
		d.Detail = "Your allow list keeps it. Otherwise: " + lowerFirst(d.Detail)
		d.Evidence = append([]validate.Evidence{{What: ReasonUserAllowed, From: u.Source}}, d.Evidence...)
	}
	return d
}

var userDetail = map[string]string{
	ReasonUserSuppressed:   "It is on your suppression list.",
	ReasonUserUnsubscribed: "Your list says that this person unsubscribed.",
	ReasonUserComplained:   "Your list says that this person complained about spam.",
	ReasonUserBounced:      "Your list says that the sending service gave this address up after bounces.",
	ReasonUserBlocked:      "Your list says that this address must not be mailed.",
}

// addressItself is where evidence comes from that needs nothing but the address.
const addressItself = "the address"

// judge is Decide without the user's own lists.
func judge(r *validate.Result, b *bounceimport.Record, cat *category, p *Policy) Decision {
	if r.Syntax != nil {
		return Decision{
			Action: Suppress, Verdict: undeliverable, Reason: r.Syntax.Code, Detail: asSentence(r.Syntax.Detail), Suggestion: r.Suggestion, Flags: r.Notes,
			Evidence: []validate.Evidence{{What: r.Syntax.Code + " at octet " + strconv.Itoa(r.Syntax.Pos), From: addressItself}},
		}
	}
	d := Decision{Flags: flags(r, b, cat)}
	dom, ans := &r.Domain, &r.Answer
	if dom.Typo != "" {
		d.Suggestion = r.Address.Local + "@" + dom.Typo
	}
	// The evidence that decides stands first; the rest is told too.
	set := func(a Action, verdict, reason, detail string) Decision {
		d.Action, d.Verdict, d.Reason, d.Detail = a, verdict, reason, detail
		bounce, dns := bounceEvidence(b), dnsEvidence(ans)
		switch {
		case b != nil && (reason == cat.reason || reason == ReasonBounceHeld):
			d.Evidence = append(bounce, dns...)
		case reason == ans.Reason:
			d.Evidence = append(dns, bounce...)
		case a != Keep: // nothing is condemned without evidence
			own := validate.Evidence{What: reason, From: addressItself}
			if reason == ReasonDisposable || reason == ReasonDisposableSuspected {
				own.From = dom.Source
			}
			d.Evidence = append(append([]validate.Evidence{own}, bounce...), dns...)
		default:
			d.Evidence = append(bounce, dns...)
		}
		return d
	}
	strict, transactional := p.Kind == "strict", p.Kind == "transactional"

	// A bounce of a dead recipient. What has to be counted cannot condemn at once:
	// a source that says so is not believed.
	mayCondemn := b != nil && b.Held == "" && (b.Action == bounceimport.SuppressNow || b.Action == bounceimport.Count)
	if mayCondemn && b.Action == bounceimport.SuppressNow && cat.Action == bounceimport.SuppressNow {
		return set(Suppress, undeliverable, cat.reason, sentence(cat, b))
	}
	// A domain to which no mail can go, by its name (RFC 6761) or proved by the DNS.
	if dom.Code != "" {
		return set(Suppress, undeliverable, dom.Code, asSentence(dom.Detail))
	}
	if ans.Verdict == validate.DoesNotAccept {
		return set(Suppress, undeliverable, ans.Reason, dnsDetail(ans))
	}
	if dom.Typo != "" && p.Typos != "keep" {
		a := Suppress
		if p.Typos == "review" {
			a = Review
		}
		return set(a, risky, ReasonDomainTypo, dom.Name+" is probably a typing error for "+dom.Typo+".")
	}
	if !transactional {
		switch {
		case dom.Disposable == validate.Confirmed:
			return set(Suppress, risky, ReasonDisposable, dom.Name+" hands out throw-away mailboxes.")
		case dom.Disposable == validate.Listed:
			a := Review
			if strict {
				a = Suppress
			}
			return set(a, risky, ReasonDisposableSuspected, dom.Name+" may hand out throw-away mailboxes, or be an ordinary domain: "+dom.Source+".")
		}
	}
	if r.Role == validate.System || r.Role == validate.NoReply {
		a := Suppress
		if transactional {
			a = Review
		}
		if r.Role == validate.System {
			return set(a, risky, ReasonRoleSystem, "A mailbox for running a system, not a person's; mail to it draws complaints.")
		}
		return set(a, risky, ReasonRoleNoReply, "A mailbox that nobody reads.")
	}
	// Counted soft bounces: suppressed for a time.
	if mayCondemn && b.Action == bounceimport.Count && cat.condemns() {
		return set(Suppress, risky, cat.reason, sentence(cat, b))
	}
	// What a person should look at.
	if b != nil && b.Held != "" && cat.condemns() {
		return set(Review, unknown, ReasonBounceHeld, asSentence("It bounced, but the bounce is not believed: "+b.Held))
	}
	if !transactional {
		if r.Risky != "" {
			return set(Review, risky, r.Risky, "The local part breaks a rule of its provider"+of(dom.Provider)+", so the mailbox can hardly exist.")
		}
		if r.Exotic != "" {
			return set(Review, risky, r.Exotic, "A legal form of address that most sending services refuse.")
		}
	}
	if strict && r.Role == validate.Shared {
		return set(Review, risky, ReasonRoleShared, "A mailbox that several people read.")
	}
	switch ans.Verdict {
	case validate.Unknown:
		a := Keep
		if strict {
			a = Review
		}
		return set(a, unknown, ans.Reason, dnsDetail(ans))
	case validate.NotAsked:
		return set(Keep, unknown, ReasonDNSNotAsked, "Nothing speaks against it; the DNS was not asked.")
	}
	if r.Risky != "" || r.Exotic != "" || dom.Disposable != validate.NotDisposable || dom.Typo != "" {
		return set(Keep, risky, ReasonOK, "Kept as the policy says; see the flags.")
	}
	return set(Keep, deliverable, ReasonOK, "Well-formed, its domain takes mail, nothing speaks against it.")
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
