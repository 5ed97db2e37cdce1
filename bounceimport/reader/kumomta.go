package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

var kumomtaLog = jsonLayout{"kumomta", func(r *jsonRecord) bool {
	return r.has("type") && r.has("recipient") && (r.has("response.code") || r.has("nodeid") || r.has("feedback_report.feedback_type"))
}, kumoEvent}

// KumoMTA, log records (docs.kumomta.com, reference/log_record).
func kumoEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	e.Recipient, e.Sender, e.Time, e.Verdict = r.get("recipient"), r.get("sender"), d.time(r.get("event_time", "timestamp")), r.get("bounce_classification")
	e.Remote = strings.TrimSuffix(r.get("peer_address.name"), ".")
	code, content := r.get("response.code"), r.get("response.content")
	if c := r.get("response.enhanced_code.class"); c != "" {
		e.Status = c + "." + r.get("response.enhanced_code.subject") + "." + r.get("response.enhanced_code.detail")
		if !strings.HasPrefix(content, e.Status) {
			content = e.Status + " " + content
		}
	}
	e.Reply, e.Code = withCode(code, content)
	e.Phase = phaseOfCommand(r.get("response.command"))
	switch kind := r.get("type"); kind {
	case "Bounce", "OOB":
		if e.Hint = hintOf(e.Verdict); e.Hint == "" {
			e.Hint = "unknown"
		}
	case "AdminBounce", "AdminRebind", "Rejection":
		return ignore("record type " + kind)
	case "Expiration": // the words are KumoMTA's, no server's
		e.Hint, e.Verdict, e.Reply, e.Code, e.Status = "expired", kind+": "+content, "", 0, ""
	case "TransientFailure", "Delayed":
		e.Hint = "delayed"
	case "Delivery":
		e.Hint = "delivered"
	case "Feedback":
		e.Reply, e.Code, e.Status = "", 0, ""
		e.Hint, e.Verdict = feedbackHint(r.get("feedback_report.feedback_type")), r.get("feedback_report.feedback_type")
		if to := r.get("feedback_report.original_rcpto_to", "feedback_report.original_rcpt_to"); to != "" {
			e.Recipient = to
		} else {
			return unmapped("a complaint that names no recipient")
		}
		e.Sender = cleanRecipient(r.get("feedback_report.original_mail_from"))
	case "Reception", "XferOut", "XferIn", "Any":
		return ignore("record type " + kind)
	default:
		return unmapped("record type " + kind)
	}
	return outcome{}
}
