package reader

import (
	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

var postalWebhook = jsonLayout{"postal_webhook", func(r *jsonRecord) bool {
	return r.has("payload.message.to") || r.has("payload.original_message.to")
}, postalEvent}

// Postal, webhooks (docs.postalserver.io/developer/webhooks).
func postalEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event, status := r.get("event"), r.get("payload.status")
	e.Recipient, e.Sender, e.MessageID = r.get("payload.message.to", "payload.original_message.to"), r.get("payload.message.from", "payload.original_message.from"), r.get("payload.message.message_id", "payload.original_message.message_id")
	e.Time, e.Reply, e.Verdict = d.time(r.get("payload.timestamp", "timestamp")), r.get("payload.output"), event
	if status != "" {
		e.Verdict += "/" + status
	}
	if code, _ := reply.Codes(e.Reply); code == 0 {
		if dt := r.get("payload.details"); wordsIn(dt) > wordsIn(e.Reply) {
			e.Reply = dt
		}
	}
	switch {
	case r.has("payload.bounce.id"): // a bounce came back later; its text is elsewhere
		e.Hint, e.Reply = "unknown", ""
	case status == "HardFail" || event == "MessageDeliveryFailed":
		e.Hint = "esp_suppressed"
	case status == "SoftFail" || event == "MessageDelayed":
		e.Hint = "delayed"
	case event == "MessageBounced":
		e.Hint = "unknown"
	case status == "Sent" || event == "MessageSent" || event == "MessageLinkClicked" || event == "MessageLoaded":
		e.Hint = "delivered"
	default:
		return ignore("event " + event)
	}
	return outcome{}
}
