package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// A report is what a mail says of one recipient.
type report struct {
	rcpt     string // who did not get the message
	original string // whom it was addressed to, where that is another (RFC 3464 2.3.1)
	action   string
	status   string
	reply    string
	remote   string
	phase    string
	date     string
}

// forwarded hands on the event that was just emitted once more, for the address
// to which the message was sent before it was forwarded: that is the one on the
// list. It may forward to others too, so this counts against it and does not
// condemn it.
func (d *reading) forwarded(original string) error {
	e := &d.ev
	original = cleanRecipient(original)
	if !looksLikeAddress(original) || strings.EqualFold(original, e.Recipient) {
		return nil
	}
	e.Recipient, e.Verdict = original, "forwarded"
	if e.Action == bounceimport.SuppressNow {
		e.Action, e.Confidence = bounceimport.Count, "low"
	}
	return d.hand(e)
}

// feedbackHint translates a feedback type (RFC 5965, RFC 6430, RFC 6591).
func feedbackHint(kind string) string {
	switch strings.ToLower(kind) {
	case "not-spam":
		return "not_spam"
	case "opt-out", "opt-out-list":
		return "unsubscribe"
	case "auth-failure", "dmarc":
		return "auth_failure"
	}
	return "complaint"
}
