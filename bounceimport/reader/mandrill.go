package reader

import "github.com/winnow-email/winnow/bounceimport"

var mandrillWebhook = jsonLayout{"mandrill_webhook", func(r *jsonRecord) bool {
	return r.has("msg.email") || r.has("reject.email") && r.has("action")
}, mandrillEvent}

// Mandrill, webhooks (mailchimp.com/developer/transactional).
func mandrillEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.Sender, e.MessageID = r.get("msg.email", "reject.email"), d.time(r.get("ts", "msg.ts")), r.get("msg.sender"), r.get("msg._id", "_id")
	e.Reply, e.Verdict = unSMTP(r.get("msg.diag")), event
	if v := r.get("msg.bounce_description"); v != "" {
		e.Verdict += "/" + v
	}
	switch event {
	case "hard_bounce", "soft_bounce":
		e.Hint = hintOf(r.get("msg.bounce_description"))
		if e.Hint == "" || e.Hint == "unknown" {
			e.Hint = sparkpostClass(r.get("msg.bgtools_code"))
		}
		if e.Hint == "unknown" && event == "hard_bounce" {
			e.Hint = "esp_suppressed"
		}
		if event == "soft_bounce" && (e.Hint == "esp_suppressed" || e.Hint == "user_unknown") {
			e.Hint = "unknown"
		}
	case "reject":
		e.Hint, e.Reply = "esp_suppressed", ""
		if h := hintOf(r.get("msg.reject.reason", "msg.state")); h == "complaint" || h == "unsubscribe" {
			e.Hint = h
		}
	case "spam":
		e.Hint = "complaint"
	case "unsub":
		e.Hint = "unsubscribe"
	case "deferral":
		e.Hint = "delayed"
	case "delivered", "open", "click":
		e.Hint = "delivered"
	case "send":
		return ignore("event send: accepted by Mandrill, not by the recipient's server")
	case "": // the sync of the reject list
		if r.get("action") == "remove" {
			return ignore("taken off the reject list")
		}
		e.Hint, e.Verdict = hintOf(r.get("reject.reason")), r.get("reject.reason")
		e.Reply = r.get("reject.detail")
		if e.Hint == "" || e.Hint == "unknown" {
			e.Hint = "esp_suppressed"
		}
	case "inbound":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}
