package reader

import "github.com/winnow-email/winnow/bounceimport"

var postmarkSuppressions = jsonLayout{"postmark_suppressions", func(r *jsonRecord) bool { return r.has("emailaddress") && r.has("suppressionreason") }, postmarkSuppression}

var postmarkWebhook = jsonLayout{"postmark_webhook", func(r *jsonRecord) bool { return r.has("recordtype") || r.has("typecode") && r.has("email") }, postmarkEvent}

// Postmark, webhooks and bounce API (postmarkapp.com/developer/api/bounce-api, types).
func postmarkEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	kind := r.get("type")
	e.Recipient, e.Time = r.get("email", "recipient"), d.time(r.get("bouncedat", "deliveredat", "receivedat", "changedat"))
	e.Sender, e.MessageID, e.Verdict = r.get("from"), r.get("messageid"), kind
	switch record := r.get("recordtype"); record {
	case "Bounce", "":
		e.Reply = unSMTP(r.get("details"))
		switch kind {
		case "HardBounce", "BadEmailAddress", "ManuallyDeactivated", "AddressChange":
			if e.Hint = "esp_suppressed"; kind == "AddressChange" {
				e.Hint = "mailbox_moved"
			}
			if kind == "ManuallyDeactivated" {
				e.Reply = ""
			}
		case "SpamComplaint":
			e.Hint, e.Reply = "complaint", ""
		case "Unsubscribe":
			e.Hint, e.Reply = "unsubscribe", ""
		case "AutoResponder", "ChallengeVerification":
			e.Hint, e.Reply = "auto_reply", ""
		case "OpenRelayTest", "Subscribe", "TemplateRenderingFailed", "VirusNotification":
			return ignore("bounce type " + kind)
		default:
			if e.Hint = hintOf(kind); e.Hint == "" {
				e.Hint = "unknown"
			}
		}
	case "SpamComplaint":
		e.Hint, e.Verdict = "complaint", "SpamComplaint"
	case "SubscriptionChange":
		if r.get("suppresssending") != "true" {
			return ignore("taken off the suppression list")
		}
		e.Verdict = r.get("suppressionreason")
		postmarkReason(e, r.get("origin"))
	case "Delivery", "Open", "Click":
		e.Hint, e.Verdict = "delivered", record
	case "Inbound":
		return ignore("record type " + record)
	default:
		return unmapped("record type " + record)
	}
	return outcome{}
}

// postmarkReason translates a suppression reason. A "manual" suppression whose
// origin is the recipient is an unsubscribe.
func postmarkReason(e *bounceimport.Event, origin string) {
	switch e.Verdict {
	case "SpamComplaint":
		e.Hint = "complaint"
	case "ManualSuppression":
		e.Hint = "esp_suppressed"
		if origin == "Recipient" {
			e.Hint = "unsubscribe"
		}
	default:
		e.Hint = "esp_suppressed"
	}
}

func postmarkSuppression(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict = r.get("emailaddress"), d.time(r.get("createdat")), r.get("suppressionreason")
	postmarkReason(e, r.get("origin"))
	return outcome{}
}
