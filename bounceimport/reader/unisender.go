package reader

import "github.com/winnow-email/winnow/bounceimport"

var unisenderWebhook = jsonLayout{"unisender_webhook", func(r *jsonRecord) bool { return r.has("event_data.email") && r.has("event_data.status") }, unisenderEvent}

// Unisender Go, webhooks (godocs.unisender.ru).
func unisenderEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	status, why := r.get("event_data.status"), r.get("event_data.delivery_info.delivery_status")
	e.Recipient, e.Time, e.MessageID = r.get("event_data.email"), d.time(r.get("event_data.event_time")), r.get("event_data.job_id")
	e.Reply, e.Verdict = r.get("event_data.delivery_info.destination_response"), status
	if why != "" {
		e.Verdict += "/" + why
	}
	switch status {
	case "hard_bounced":
		if e.Hint = hintOf(why); e.Hint == "" || e.Hint == "unknown" {
			e.Hint = "esp_suppressed"
		}
	case "soft_bounced":
		if e.Hint = hintOf(why); e.Hint == "" || e.Hint == "esp_suppressed" || e.Hint == "user_unknown" {
			e.Hint = "unknown"
		}
	case "spam":
		e.Hint = "complaint"
	case "unsubscribed":
		e.Hint = "unsubscribe"
	case "delivered", "opened", "clicked":
		e.Hint = "delivered"
	case "sent", "subscribed", "restored":
		return ignore("status " + status)
	default:
		return unmapped("status " + status)
	}
	return outcome{}
}
