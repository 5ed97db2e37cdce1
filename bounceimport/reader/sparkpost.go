package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/anytime"
)

var sparkpostCSV = []csvLayout{
	{"sparkpost_csv", []string{"recipient", "type", "source", "description"}, false, readLayout((*sparkpostRow).event)},
}

var sparkpostWebhook = jsonLayout{"sparkpost_webhook", func(r *jsonRecord) bool {
	return len(r.leaves) > 0 && sparkpostPrefix(r) != "" || r.has("rcpt_to") && r.has("type")
}, sparkpostEvent}

// sparkpostPrefix returns "msys.message_event." or the like, by which SparkPost
// says what kind of event the record is.
func sparkpostPrefix(r *jsonRecord) string {
	p := r.leaves[0].path
	if !strings.HasPrefix(p, "msys.") {
		return ""
	}
	if i := strings.IndexByte(p[5:], '.'); i > 0 {
		return p[:5+i+1]
	}
	return ""
}

// SparkPost, webhooks and events API (developers.sparkpost.com/api/events).
func sparkpostEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	p := sparkpostPrefix(r)
	event, class := r.get(p+"type"), r.get(p+"bounce_class")
	e.Recipient, e.Time, e.MessageID = r.get(p+"raw_rcpt_to", p+"rcpt_to"), d.time(r.get(p+"timestamp", p+"event_time", p+"injection_time")), r.get(p+"message_id")
	e.Reply, e.Sender, e.Remote = r.get(p+"raw_reason", p+"reason"), r.get(p+"friendly_from", p+"msg_from"), r.get(p+"ip_address")
	e.Verdict = event
	if class != "" {
		e.Verdict += "/" + class
	}
	if n, ok := anytime.Digits(r.get(p + "error_code")); ok && n >= 400 && n < 600 {
		e.Code = n
	}
	switch event {
	case "bounce", "out_of_band", "policy_rejection":
		e.Hint = sparkpostClass(class)
	case "generation_failure", "generation_rejection":
		if indexFold(e.Reply, "suppress") < 0 {
			return ignore("event " + event) // about the message, before it was sent
		}
		e.Hint = "esp_suppressed"
	case "spam_complaint":
		e.Hint = feedbackHint(r.get(p + "fbtype"))
	case "list_unsubscribe", "link_unsubscribe":
		e.Hint = "unsubscribe"
	case "delay":
		e.Hint = "delayed"
	case "delivery", "open", "click", "initial_open", "amp_open", "amp_click", "amp_initial_open":
		e.Hint = "delivered"
	case "injection", "sms_status", "relay_injection", "relay_rejection", "relay_delivery", "relay_tempfail", "relay_permfail", "relay_message", "ab_test_completed", "ab_test_cancelled", "ingest_success", "ingest_error":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	if e.Hint == "auto_reply" {
		e.Reply, e.Code = "", 0
	}
	return outcome{}
}

// sparkpostClass translates the bounce classes that SparkPost, Mandrill, Adobe
// and GreenArrow share (support-docs, bounce-classification-codes).
func sparkpostClass(class string) string {
	switch class {
	case "10", "30":
		return "esp_suppressed" // invalid recipient, no RCPT: what they suppress themselves
	case "21":
		return "network_error" // DNS failure, which they call soft
	case "22":
		return "mailbox_full"
	case "23":
		return "message_too_big"
	case "24":
		return "expired"
	case "25":
		return "esp_suppressed" // admin failure: on their suppression list
	case "50", "100":
		return "policy_block"
	case "51":
		return "ip_reputation"
	case "52":
		return "spam_content"
	case "53":
		return "virus"
	case "54":
		return "relay_denied"
	case "60":
		return "auto_reply"
	case "90":
		return "unsubscribe"
	}
	return "unknown"
}

// SparkPost, suppression list (developers.sparkpost.com/api/suppression-list).
type sparkpostRow struct {
	Recipient   string `csv:"recipient"`
	Source      string `csv:"source"`
	Description string `csv:"description"`
	Created     string `csv:"created"`
	Updated     string `csv:"updated"`
}

func (r *sparkpostRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Verdict, e.Hint = r.Recipient, r.Source, hintOf(r.Source)
	if e.Time = d.time(r.Updated); e.Time.IsZero() {
		e.Time = d.time(r.Created)
	}
	if e.Hint == "" {
		e.Hint = "esp_suppressed" // "Manually Added", "Compliance": SparkPost will not send
	}
	if e.Hint == "esp_suppressed" {
		e.Reply = r.Description
	}
	return outcome{}
}
