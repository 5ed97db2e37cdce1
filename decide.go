package winnow

import (
	"winnow/bounceimport"
	"winnow/validate"
)

// Policy is what the user wants done where evidence leaves a choice. The zero
// value is the default: marketing mail.
type Policy struct {
	Kind  string // marketing (default), transactional, strict
	Typos string // suppress (default), review, keep
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

// User is what the user's own lists and the exporting ESP's columns say of an address.
type User struct {
	Block  string // not "": never mail: user_suppressed, user_unsubscribed, user_complained, user_bounced …
	Allow  bool
	Source string
}

// Decide turns evidence into an action. It is the one place where that happens.
// Neither an unknown answer of the DNS nor a sender-side bounce can lead to Suppress.
func Decide(u User, r *validate.Result, b *bounceimport.Record, p *Policy) Decision {
	return Decision{Action: Keep, Verdict: "deliverable", Reason: "ok"}
}
