package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

var mailgunCSV = []csvLayout{
	{"mailgun_csv", []string{"address", "code", "error"}, false, readLayout((*mailgunRow).event)},
	{"mailgun_unsubscribe_csv", []string{"address", "tags", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
	{"mailgun_unsubscribe_csv", []string{"address", "tag", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
	{"mailgun_complaint_csv", []string{"address", "created_at"}, true, readLayout((*mailgunRow).complaint)},
}

var mailgunAPI = jsonLayout{"mailgun_api", func(r *jsonRecord) bool { return r.has("address") && (r.has("error") || r.has("code")) }, mailgunSuppression}

var mailgunWebhook = jsonLayout{"mailgun_webhook", func(r *jsonRecord) bool {
	return r.has("event-data.event") || r.has("event") && r.has("recipient") && !r.has("email")
}, mailgunEvent}

// Mailgun, webhooks, events API and logs (documentation.mailgun.com).
func mailgunEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	p := ""
	if r.has("event-data.event") {
		p = "event-data."
	}
	event := r.get(p + "event")
	e.Recipient, e.Time, e.MessageID = r.get(p+"recipient"), d.time(r.get(p+"timestamp")), r.get(p+"message.headers.message-id", "message-id")
	if e.Recipient == "" {
		e.Recipient = r.get(p + "message.headers.to")
	}
	e.Sender, e.Remote = cleanRecipient(r.get(p+"message.headers.from")), r.get(p+"delivery-status.mx-host")
	code := r.get(p+"delivery-status.code", "code")
	text := r.get(p+"delivery-status.message", p+"delivery-status.description", "error", "description", "notification")
	severity, reason := r.get(p+"severity"), r.get(p+"reason")
	e.Verdict = strings.Trim(strings.Join([]string{event, severity, reason}, "/"), "/")
	switch event {
	case "failed", "bounced", "dropped":
		e.Reply, e.Code = withCode(code, text)
		if event == "dropped" {
			severity = "permanent"
		}
		switch {
		case strings.HasPrefix(reason, "suppress-"):
			// Mailgun did not try: an earlier bounce, complaint or unsubscribe stands.
			e.Reply, e.Code, e.Hint = "", 0, "esp_suppressed"
			if h := hintOf(reason[len("suppress-"):]); h != "" {
				e.Hint = h
			}
		case mailgunCode(code) != "":
			e.Hint, e.Reply, e.Code = mailgunCode(code), "", 0
		case severity == "temporary":
			e.Hint = "delayed"
		case code == "499" || code == "498" || reason == "old": // Mailgun's own: no server was reached
			e.Hint, e.Code = "network_error", 0
			e.Reply = text
		default:
			e.Hint = "esp_suppressed"
		}
	case "complained":
		e.Hint = "complaint"
	case "unsubscribed":
		e.Hint = "unsubscribe"
	case "delivered", "opened", "clicked":
		e.Hint = "delivered"
	case "rejected": // by Mailgun, before sending: about the message or the account
		return ignore("rejected by Mailgun before sending")
	case "accepted", "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

func mailgunSuppression(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	row := mailgunRow{Address: r.get("address"), Code: r.get("code"), Error: r.get("error"), Created: r.get("created_at")}
	return row.event(d, e)
}

// Mailgun, suppression exports and imports (documentation.mailgun.com, bounces/import).
type mailgunRow struct {
	Address string `csv:"address"`
	Code    string `csv:"code"`
	Error   string `csv:"error"`
	Created string `csv:"created_at"`
}

func (r *mailgunRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Hint = r.Address, d.time(r.Created), "esp_suppressed"
	e.Reply, e.Code = withCode(r.Code, r.Error)
	if h := mailgunCode(r.Code); h != "" {
		e.Hint, e.Verdict, e.Reply = h, r.Code+" "+r.Error, ""
	}
	return outcome{}
}

// mailgunCode translates the codes with which Mailgun itself declines to send.
func mailgunCode(code string) string {
	switch code {
	case "605": // previously bounced
		return "esp_suppressed"
	case "606": // unsubscribed
		return "unsubscribe"
	case "607": // marked messages as spam
		return "complaint"
	}
	return ""
}

func (r *mailgunRow) unsubscribe(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Address, d.time(r.Created), "unsubscribe", "unsubscribe"
	return outcome{}
}

func (r *mailgunRow) complaint(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict, e.Hint = r.Address, d.time(r.Created), "complaint", "complaint"
	return outcome{}
}
