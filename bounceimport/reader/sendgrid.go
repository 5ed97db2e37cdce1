package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
)

var sendgridCSV = []csvLayout{
	{"sendgrid_csv", []string{"status", "reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
	{"sendgrid_invalid_csv", []string{"reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
	{"sendgrid_spam_csv", []string{"ip", "email", "created"}, true, readLayout((*sendgridRow).complaint)},
	{"sendgrid_unsubscribe_csv", []string{"email", "created"}, true, readLayout((*sendgridRow).unsubscribe)},
}

var sendgridAPI = jsonLayout{"sendgrid_api", func(r *jsonRecord) bool {
	return r.has("email") && r.has("created") && (r.has("reason") || r.has("ip")) && !r.has("event")
}, sendgridSuppression}

var sendgridWebhook = jsonLayout{"sendgrid_webhook", func(r *jsonRecord) bool {
	return r.has("event") && r.has("email") && (r.has("sg_event_id") || r.has("sg_message_id") || r.has("smtp-id"))
}, sendgridEvent}

// SendGrid, Event Webhook (sendgrid-oai). "blocked" bounces are no verdict on
// the address; the reply decides.
func sendgridEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event, kind := r.get("event"), r.get("type")
	e.Recipient, e.Time, e.MessageID = r.get("email"), d.time(r.get("timestamp")), strings.Trim(r.get("smtp-id"), "<>")
	e.Reply, e.Status, e.Verdict = r.get("reason", "response"), statusOnly(r.get("status")), event
	if c := r.get("bounce_classification"); c != "" {
		e.Verdict += "/" + c
	} else if kind != "" && kind != event {
		e.Verdict += "/" + kind
	}
	switch event {
	case "bounce", "blocked":
		e.Hint = "esp_suppressed"
		if kind == "blocked" || kind == "expired" || event == "blocked" {
			e.Hint = "unknown"
		}
	case "deferred":
		e.Hint = "delayed"
	case "dropped":
		// SendGrid declines to send, and says why in words of its own.
		e.Verdict = "dropped/" + e.Reply
		switch h := hintOf(e.Reply); {
		case h == "complaint", h == "unsubscribe":
			e.Hint, e.Reply = h, ""
		case h == "esp_suppressed":
			e.Hint, e.Reply, e.Status = h, "", ""
		case strings.HasPrefix(e.Reply, "Spam Content"):
			e.Hint = "spam_content"
		default:
			return ignore("dropped: " + e.Reply)
		}
	case "spamreport":
		e.Hint = "complaint"
	case "unsubscribe", "group_unsubscribe":
		e.Hint = "unsubscribe"
	case "delivered", "open", "click":
		e.Hint = "delivered"
	case "processed", "group_resubscribe":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

func sendgridSuppression(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	row := sendgridRow{Status: r.get("status"), Reason: r.get("reason"), Email: r.get("email"), Created: r.get("created")}
	if r.has("ip") && !r.has("reason") {
		return row.complaint(d, e)
	}
	return row.event(d, e)
}

// SendGrid, "Download CSV" of the suppression pages, and dumps of its v3 API.
type sendgridRow struct {
	Status  string `csv:"status"`
	Reason  string `csv:"reason"`
	Email   string `csv:"email"`
	Created string `csv:"created"`
}

func (r *sendgridRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Reply, e.Status, e.Time = r.Email, r.Reason, statusOnly(r.Status), d.time(r.Created)
	// The lists of bounces and of blocks have the same columns, and blocks say
	// nothing of the address: a reply that cannot be read is only counted.
	e.Hint = "esp_suppressed"
	if code, _ := reply.Codes(r.Reason); code != 0 || strings.HasPrefix(e.Status, "4") {
		e.Hint = "unknown"
	}
	return outcome{}
}

func (r *sendgridRow) complaint(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Email, d.time(r.Created), "spam report", "complaint"
	return outcome{}
}

func (r *sendgridRow) unsubscribe(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Email, d.time(r.Created), "unsubscribe", "unsubscribe"
	return outcome{}
}
