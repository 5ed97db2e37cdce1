package decide

import (
	"strings"
	"sync"

	"github.com/winnow-email/winnow/bounceimport"
)

// The reasons that winnow itself gives for what it does with a record. They
// are frozen: a code once released is never renamed (testdata/reasons.golden).
//
// Three families are passed through from where they are found and are frozen
// there: syntax_… of validate.SyntaxError, domain_…, mx_… and dns_… of
// validate.Domain and validate.Answer, and the codes of records that could not
// be read. A bounce gives "bounce_" and its category.
const (
	ReasonOK        = "ok"
	ReasonDuplicate = "duplicate"

	ReasonUserSuppressed   = "user_suppressed"   // on a --suppress list
	ReasonUserUnsubscribed = "user_unsubscribed" // by a status column of the list
	ReasonUserComplained   = "user_complained"
	ReasonUserBounced      = "user_bounced"
	ReasonUserBlocked      = "user_blocked"
	ReasonUserAllowed      = "user_allowed"

	ReasonNoAddress        = "no_address"        // the cell is empty
	ReasonSeveralAddresses = "several_addresses" // a cell whose addresses are not judged alike
	ReasonFixNotApplied    = "fix_not_applied"   // an accepted fix for a cell that cannot be changed safely

	ReasonDomainTypo          = "domain_typo"
	ReasonDisposable          = "disposable_domain"
	ReasonDisposableSuspected = "disposable_suspected" // on one list only
	ReasonRoleSystem          = "role_system"
	ReasonRoleNoReply         = "role_no_reply"
	ReasonRoleShared          = "role_shared" // a flag; a reason under the strict policy only
	ReasonBounceHeld          = "bounce_held" // an incident speaks against the bounce
	ReasonDNSNotAsked         = "dns_not_asked"
	ReasonDNSNoAnswer         = "dns_no_answer" // the resolver as a whole was unusable

	// Of Decide alone: a run checks every address, and refuses such a policy.
	ReasonNotChecked    = "not_checked"
	ReasonUnknownPolicy = "unknown_policy"
)

// IsWish reports whether a reason is an order of the user or of the person: no
// mail, whatever else is known.
func IsWish(reason string) bool {
	switch reason {
	case ReasonUserSuppressed, ReasonUserUnsubscribed, ReasonUserComplained, ReasonUserBlocked:
		return true
	}
	name, bounce := strings.CutPrefix(reason, "bounce_")
	return bounce && categoryOf(name).Wish
}

// category is a category of the taxonomy with the reason that Decide gives for it.
// Only its Action is asked what it may do, whatever action a source of evidence
// claims: what is about the sender has no way to suppress an address.
type category struct {
	bounceimport.Category
	reason string
}

// condemns reports whether one event may suppress, or counted ones may.
func (c *category) condemns() bool {
	return c.Action == bounceimport.SuppressNow || c.Action == bounceimport.Count
}

var noCategory = category{Category: bounceimport.Category{Action: bounceimport.Ignore}}

// categoryOf returns the category of a record; of a name that the taxonomy does
// not know, one that says nothing.
func categoryOf(name string) *category {
	if c := categories()[name]; c != nil {
		return c
	}
	return &noCategory
}

var categories = sync.OnceValue(func() map[string]*category {
	m := map[string]*category{}
	for _, c := range bounceimport.Categories() {
		m[c.Name] = &category{c, "bounce_" + c.Name}
	}
	return m
})
