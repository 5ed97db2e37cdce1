package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

var brevoWebhook = jsonLayout{"brevo_webhook", func(r *jsonRecord) bool {
	return r.has("event") && r.has("email") && (r.has("ts_epoch") || r.has("ts_event") || r.has("message-id") || r.has("messageid"))
}, brevoEvent}

// Brevo (Sendinblue), webhooks (developers.brevo.com).
func brevoEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.MessageID = r.get("email"), d.time(r.get("ts_event", "ts_epoch", "ts", "date")), strings.Trim(r.get("message-id", "messageid"), "<>")
	e.Reply, e.Verdict = r.get("reason"), event
	switch strings.ToLower(event) { // webhooks write hard_bounce, the events API hardBounces
	case "hard_bounce", "hardbounce", "hardbounces", "hard_bounces":
		e.Hint = "esp_suppressed"
	case "invalid_email", "invalid", "invalid_parameter":
		e.Hint = "esp_suppressed"
	case "blocked": // Brevo did not try
		e.Hint = "esp_suppressed"
		if code, _ := reply.Codes(e.Reply); code == 0 {
			e.Verdict, e.Reply = event+"/"+e.Reply, ""
		}
	case "soft_bounce", "softbounces", "soft_bounces", "softbounce", "error":
		e.Hint = "unknown"
	case "deferred":
		e.Hint = "delayed"
	case "spam", "complaint":
		e.Hint, e.Reply = "complaint", ""
	case "unsubscribe", "unsubscribed":
		e.Hint, e.Reply = "unsubscribe", ""
	case "delivered", "opened", "click", "clicks", "clicked", "unique_opened", "first_opening", "proxy_open", "unique_proxy_open", "uniqueopened":
		e.Hint = "delivered"
	case "request", "requests", "sent", "listaddition":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}
