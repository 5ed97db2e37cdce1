package reader

import (
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

var mailtrapWebhook = jsonLayout{"mailtrap_webhook", func(r *jsonRecord) bool {
	return r.has("event") && r.has("email") && (r.has("sending_stream") || r.has("bounce_category") || r.has("response_code"))
}, mailtrapEvent}

// Mailtrap, webhooks (api-docs.mailtrap.io).
func mailtrapEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.MessageID, e.Verdict = r.get("email"), d.time(r.get("timestamp")), r.get("message_id"), event
	e.Reply, e.Code = withCode(r.get("response_code"), r.get("response", "reason"))
	if c := r.get("bounce_category"); c != "" {
		e.Verdict += "/" + c
	}
	switch event {
	case "bounce":
		e.Hint = "esp_suppressed"
	case "soft bounce", "soft_bounce":
		e.Hint = "unknown"
	case "suspension":
		e.Hint = "delayed"
	case "reject":
		if e.Hint = hintOf(e.Reply); !reply.Final(e.Hint) {
			e.Hint = "esp_suppressed"
		}
		e.Reply = ""
	case "spam":
		e.Hint = "complaint"
	case "unsubscribe":
		e.Hint = "unsubscribe"
	case "delivery", "open", "click":
		e.Hint = "delivered"
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}
