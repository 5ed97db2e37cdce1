package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

var resendWebhook = jsonLayout{"resend_webhook", func(r *jsonRecord) bool { return strings.HasPrefix(r.get("type"), "email.") && r.has("data.to") }, resendEvent}

// Resend, webhooks (resend.com/docs/dashboard/webhooks).
func resendEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("type")
	e.Recipient, e.Sender, e.Time, e.MessageID = r.get("data.to"), cleanRecipient(r.get("data.from")), d.time(r.get("created_at", "data.created_at")), r.get("data.email_id")
	e.Verdict = event
	if t := r.get("data.bounce.type"); t != "" {
		e.Verdict = t + "/" + r.get("data.bounce.subtype")
	}
	switch event {
	case "email.bounced", "email.suppressed":
		// The message is Resend's own explanation unless a code stands in it.
		e.Hint = "esp_suppressed"
		if t := r.get("data.bounce.type"); t == "Transient" || t == "Undetermined" {
			e.Hint = "unknown"
		}
		if m := r.get("data.bounce.diagnosticcode", "data.bounce.message", "data.suppressed.message"); m != "" {
			if code, status := reply.Codes(m); code != 0 || status != "" {
				e.Reply = unSMTP(m)
			} else {
				e.Verdict += ": " + m
			}
		}
	case "email.complained":
		e.Hint = "complaint"
	case "email.delivery_delayed":
		e.Hint = "delayed"
	case "email.delivered", "email.opened", "email.clicked":
		e.Hint = "delivered"
	case "email.sent", "email.scheduled", "email.failed", "email.received":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}
