package reader

import "github.com/winnow-email/winnow/bounceimport"

var mailjetWebhook = jsonLayout{"mailjet_webhook", func(r *jsonRecord) bool {
	return r.has("event") && r.has("email") && (r.has("mj_contact_id") || r.has("mj_campaign_id") || r.has("message_guid") || r.has("error_related_to"))
}, mailjetEvent}

// Mailjet, event API (dev.mailjet.com/email/guides/webhooks).
func mailjetEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.MessageID = r.get("email"), d.time(r.get("time")), r.get("message_guid", "messageid")
	e.Reply, e.Verdict = r.get("smtp_reply", "comment"), event
	why, related := r.get("error"), r.get("error_related_to")
	if why != "" {
		e.Verdict += "/" + related + "/" + why
	}
	switch event {
	case "bounce", "blocked":
		e.Hint = mailjetError(why)
		if e.Hint == "" {
			e.Hint = "unknown"
			if r.get("hard_bounce") == "true" {
				e.Hint = "esp_suppressed"
			}
		}
	case "spam":
		e.Hint = "complaint"
	case "unsub":
		e.Hint = "unsubscribe"
	case "sent", "open", "click": // "sent": the recipient's server took it
		e.Hint = "delivered"
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

// mailjetError is Mailjet's own table of errors.
func mailjetError(s string) string {
	switch s {
	case "user unknown":
		return "user_unknown"
	case "mailbox inactive":
		return "mailbox_disabled"
	case "quota exceeded":
		return "mailbox_full"
	case "spam reporter":
		return "complaint"
	case "blacklisted", "preblocked":
		return "esp_suppressed"
	case "invalid domain", "no mail host":
		return "domain_unknown"
	case "typofix":
		return "esp_suppressed"
	case "greylisted":
		return "greylisted"
	case "throttled":
		return "rate_limit"
	case "bad or empty template", "error in template language", "content blocked", "spam preblocked", "spam content", "spam blocked":
		return "spam_content"
	case "policy issue":
		return "policy_block"
	case "sender blocked":
		return "ip_reputation"
	case "relay/access denied":
		return "relay_denied"
	case "message too large":
		return "message_too_big"
	case "connection issue", "protocol error", "system issue", "mailjet", "mail server timeout":
		return "network_error"
	case "temporarily unavailable", "header issue", "duplicate in campaign":
		return "unknown"
	}
	return ""
}
