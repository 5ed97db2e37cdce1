package reader

import "github.com/winnow-email/winnow/bounceimport"

var greenarrowLog = jsonLayout{"greenarrow", func(r *jsonRecord) bool { return r.has("event_type") && r.has("event_time") && r.has("email") }, greenarrowEvent}

// GreenArrow, event notifications. bounce_all is for statistics; only
// bounce_bad_address says that GreenArrow gives the address up.
func greenarrowEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event_type")
	e.Recipient, e.Time, e.Reply = r.get("email"), d.time(r.get("event_time")), r.get("bounce_text", "bounce_reason")
	e.Verdict = event
	if c := r.get("bounce_code"); c != "" {
		e.Verdict += "/" + r.get("bounce_type") + c
	}
	switch event {
	case "bounce_bad_address":
		e.Hint = "esp_suppressed"
	case "bounce_all", "bounce":
		e.Hint = sparkpostClass(r.get("bounce_code"))
		if e.Hint == "esp_suppressed" {
			e.Hint = "unknown"
		}
	case "scomp", "complaint":
		e.Hint = "complaint"
	case "engine_unsub", "studio_unsub", "unsubscribe":
		e.Hint = "unsubscribe"
	case "delivery_attempt":
		switch e.Reply = r.get("message", "delivery_message", "text"); r.get("status", "delivery_status") {
		case "success":
			e.Hint = "delivered"
		case "deferral", "deferred":
			e.Hint = "delayed"
		default:
			e.Hint = "unknown"
		}
	case "engine_open", "engine_click", "studio_open", "studio_click", "open", "click", "delivery":
		e.Hint = "delivered"
	default:
		return ignore("event " + event)
	}
	return outcome{}
}
