package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

var mailersendWebhook = jsonLayout{"mailersend_webhook", func(r *jsonRecord) bool {
	return strings.HasPrefix(r.get("type"), "activity.") || r.has("data.email.recipient.email")
}, mailersendEvent}

// MailerSend, webhooks (developers.mailersend.com).
func mailersendEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := strings.TrimPrefix(r.get("type"), "activity.")
	e.Recipient, e.Time, e.MessageID, e.Sender = r.get("data.email.recipient.email"), d.time(r.get("created_at", "data.created_at")), r.get("data.email.message.id"), r.get("data.email.from")
	e.Reply, e.Verdict = r.get("data.morph.reason", "data.morph.readable_reason"), event
	switch event {
	case "hard_bounced":
		e.Hint = "esp_suppressed"
	case "soft_bounced":
		e.Hint = "unknown"
	case "deferred":
		e.Hint = "delayed"
	case "spam_complaint":
		e.Hint = "complaint"
	case "unsubscribed":
		e.Hint = "unsubscribe"
	case "delivered", "opened", "opened_unique", "clicked", "clicked_unique":
		e.Hint = "delivered"
	case "sent", "survey_opened", "survey_submitted", "queued":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}
