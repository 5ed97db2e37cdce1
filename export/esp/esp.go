// Package esp hands suppressions to the places mail is sent from, in each
// provider's own words: as import files (Write), and through its API (Push).
//
// There is no common denominator between providers: a suppression is a bounce
// record with a code (Mailgun), a reasoned entry (SES), an unsubscribe
// (SendGrid), a contact status (Mailchimp). So each target declares what it can
// hold and what else it does; what it cannot hold is counted and named, and
// never turned into something that it is not.
//
// Only what speaks about the recipient leaves: hard bounces, dead domains,
// complaints, unsubscribes and the user's own blocks. Sender-side bounces,
// duplicates, and rows held for review have no way out of this package.
//
// # Limitations
//
// Soft bounces that were counted until they suppress an address expire here
// and would stay for ever at the provider: they leave only when asked for.
// Nothing is ever deleted at a provider; released addresses are listed for a
// person. Domains are sent as the addresses that are known, as few providers
// have an entry for a whole domain.
package esp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/shown"
)

// Reason is why an address must not be mailed, in the terms that providers share.
type Reason string

// The reasons. The word is the one of csv and jsonl exports.
const (
	HardBounce  Reason = "hard_bounce" // the mailbox does not take mail, for good
	DeadDomain  Reason = "dead_domain" // the domain does not take mail
	Complaint   Reason = "complaint"   // reported as spam
	Unsubscribe Reason = "unsubscribe" // consent withdrawn
	Manual      Reason = "manual"      // on the user's own list, without a better reason
	Invalid     Reason = "invalid"     // not an address
	SoftBounce  Reason = "soft_bounce" // counted; expires. Only with Include
	Disposable  Reason = "disposable"  // only with Include
	Role        Reason = "role"        // only with Include
	Typo        Reason = "typo"        // only with Include
	Stale       Reason = "stale"       // long without a sign of life. Only with Include
)

// reasons in the order in which they are counted and printed.
var reasons = []Reason{HardBounce, DeadDomain, Complaint, Unsubscribe, Manual, Invalid, SoftBounce, Disposable, Role, Typo, Stale}

// optional are the reasons that leave only when asked for: they rest on lists,
// guesses or counts, and a provider keeps an entry for ever.
var optional = []Reason{SoftBounce, Disposable, Role, Typo, Stale}

// ParseInclude reads the value of --include: words out of soft, disposable,
// role, typo and stale, separated by commas.
func ParseInclude(s string) ([]Reason, error) {
	var in []Reason
	for w := range strings.SplitSeq(s, ",") {
		w = strings.ToLower(strings.TrimSpace(w))
		if w == "" {
			continue
		}
		i := slices.IndexFunc(optional, func(r Reason) bool { return w == string(r) || w+"_bounce" == string(r) })
		if i < 0 {
			return nil, fmt.Errorf("--include does not know %q; it takes soft, disposable, role, typo, stale", w)
		}
		in = append(in, optional[i])
	}
	return in, nil
}

// Entry is one address that must not be mailed.
type Entry struct {
	Address string    // as it is written: local part as given, domain as A-labels where it parses
	Key     string    // what it is compared by (validate.Address.Key); "": Address in lower case
	Reason  Reason    //
	Word    string    // winnow's reason, e.g. "bounce_user_unknown"
	Code    int       // SMTP reply code, 0: none
	Status  string    // enhanced status code, "": none
	Text    string    // what the remote server said, or why, one line
	At      time.Time // when it was seen; zero: not known
	Source  string    // file:line, or where else it came from
}

func (e *Entry) key() string {
	if e.Key != "" {
		return e.Key
	}
	return strings.ToLower(e.Address)
}

// toldAs is what the taxonomy says a sending service is told of a bounce. "never"
// is not here: what is about the sender cannot leave even if a row claims it.
var toldAs = map[string]Reason{"hard": HardBounce, "domain": DeadDomain, "complaint": Complaint, "unsubscribe": Unsubscribe, "soft": SoftBounce}

// userReasons are the words of the user's own lists and of status columns.
var userReasons = map[string]Reason{
	"unsubscribed": Unsubscribe, "unsubscribe": Unsubscribe, "opted_out": Unsubscribe,
	"complained": Complaint, "complaint": Complaint,
	"bounced": HardBounce, "bounce": HardBounce, "cleaned": HardBounce,
	"suppressed": Manual, "blocked": Manual, "block": Manual,
}

// ReasonOf translates a reason of a run (bounce_user_unknown, domain_null_mx,
// user_unsubscribed …). It reports false for a word that gives no ground to
// tell a provider anything: review reasons, sender-side bounces, words of a
// later version.
func ReasonOf(word string) (Reason, bool) {
	if w, ok := strings.CutPrefix(word, "bounce_"); ok {
		if w == "hard" { // of a list that says no more
			return HardBounce, true
		}
		c, _ := bounceimport.LookupCategory(w)
		r, ok := toldAs[c.Told]
		return r, ok
	}
	if w, ok := strings.CutPrefix(word, "user_"); ok {
		r, ok := userReasons[w]
		return r, ok
	}
	switch {
	case strings.HasPrefix(word, "syntax_"):
		return Invalid, true
	case strings.HasPrefix(word, "domain_typo"), strings.HasPrefix(word, "typo_"):
		return Typo, true
	case strings.HasPrefix(word, "domain_"), strings.HasPrefix(word, "mx_"):
		return DeadDomain, true
	case strings.HasPrefix(word, "disposable_"):
		return Disposable, true
	case strings.HasPrefix(word, "role_"):
		return Role, true
	case word == "dns_persistent_failure":
		return SoftBounce, true // counted like one, and never proved
	case word == "stale":
		return Stale, true
	}
	return "", false
}

// plain says whether an address has the form that every provider takes: ASCII,
// one unquoted local part, a domain name with a dot (RFC 5321 4.1.2 without
// quoted strings and address literals).
func plain(address string) bool {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || len(local) > 64 || len(address) > 254 || !strings.Contains(domain, ".") {
		return false
	}
	for i := range len(local) {
		c := local[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			continue
		}
		if strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) < 0 {
			return false
		}
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// oneLine makes text that strangers wrote fit for a field of JSON: control
// characters become spaces, each by itself, and it is cut at n bytes.
func oneLine(s string, n int) string {
	clean := func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0x202e {
			return ' '
		}
		return r
	}
	return shown.Prefix(strings.TrimSpace(strings.Map(clean, strings.ToValidUTF8(s, "?"))), n)
}
