package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

var sesSuppressionList = jsonLayout{"ses_suppression", func(r *jsonRecord) bool { return r.has("emailaddress") && r.has("reason") }, sesSuppression}

// sesEvents reads an Amazon SES notification or published event, which may be
// about several recipients (docs.aws.amazon.com, notification-contents).
func (d *reading) sesEvents(r *jsonRecord, line int64) error {
	d.format("ses_event")
	if d.byMail { // anyone can mail a notification
		if why := d.foreignMessage(r.get("mail.commonheaders.messageid", "mail.messageid"), r.get("mail.source")); why != "" {
			d.ignored(why)
			return nil
		}
	}
	kind := r.get("notificationtype", "eventtype")
	verdict, hint, list, when := kind, "", "", ""
	switch kind {
	case "Bounce":
		t, sub := r.get("bounce.bouncetype"), r.get("bounce.bouncesubtype")
		verdict, list, when = t+"/"+sub, "bounce.bouncedrecipients.emailaddress", "bounce.timestamp"
		switch {
		case sub == "Suppressed" || sub == "OnAccountSuppressionList":
			hint = "esp_suppressed"
		case t == "Permanent":
			hint = "esp_suppressed"
		default:
			if hint = hintOf(t + "/" + sub); hint == "" || hint == "esp_suppressed" {
				hint = "unknown"
			}
		}
	case "Complaint":
		list, when = "complaint.complainedrecipients.emailaddress", "complaint.timestamp"
		verdict, hint = "Complaint/"+r.get("complaint.complaintfeedbacktype", "complaint.complaintsubtype"), feedbackHint(r.get("complaint.complaintfeedbacktype"))
		if hint == "auth_failure" {
			hint = "complaint"
		}
		if r.get("complaint.complaintsubtype") == "OnAccountSuppressionList" {
			hint = "esp_suppressed"
		}
	case "Delivery":
		list, when, hint = "delivery.recipients", "delivery.timestamp", "delivered"
	case "DeliveryDelay":
		list, when, hint = "deliverydelay.delayedrecipients.emailaddress", "deliverydelay.timestamp", "delayed"
	case "Open", "Click":
		list, when, hint = "mail.destination", strings.ToLower(kind)+".timestamp", "delivered"
	case "Subscription":
		list, when, hint = "mail.destination", "subscription.timestamp", "unsubscribe"
	case "Send", "Reject", "Rendering Failure", "RenderingFailure", "AmazonSnsSubscriptionSucceeded", "Received":
		d.ignored("event " + kind)
		return nil
	default:
		d.unmapped(line, "event "+kind)
		return nil
	}
	at, sender, id := d.time(r.get(when, "mail.timestamp")), cleanRecipient(r.get("mail.source")), r.get("mail.commonheaders.messageid", "mail.messageid")
	answers := strings.TrimSuffix(list, "emailaddress") // beside the address, where a server answered
	used := false
	for i := range r.leaves {
		if r.leaves[i].path != list {
			continue
		}
		e := d.event("ses_event")
		e.Recipient, e.Hint, e.Verdict, e.Time, e.Sender, e.MessageID = jsonText(r.leaves[i].value), hint, verdict, at, sender, id
		if (kind == "Bounce" || kind == "DeliveryDelay") && !strings.HasSuffix(verdict, "Suppressed") && !strings.HasSuffix(verdict, "OnAccountSuppressionList") {
			e.Reply = unSMTP(r.beside(i, answers+"diagnosticcode"))
			e.Status = statusOnly(r.beside(i, answers+"status"))
		}
		if strings.IndexByte(e.Recipient, '@') < 0 {
			continue
		}
		if !used {
			d.acct.Used++
			used = true
		}
		if err := d.emit(line); err != nil {
			return err
		}
	}
	if !used {
		d.malformed(line, "no address in the record")
	}
	return nil
}

// Amazon SES, account-level suppression list (sesv2 ListSuppressedDestinations; bulk files).
func sesSuppression(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict = r.get("emailaddress"), d.time(r.get("lastupdatetime")), r.get("reason")
	if e.Hint = hintOf(e.Verdict); e.Hint == "" {
		return unmapped("reason " + e.Verdict)
	}
	return outcome{}
}
