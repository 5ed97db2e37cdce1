package reader

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
)

// A jsonLayout is the form in which one provider reports events: webhooks, API
// answers, exports, logs.
type jsonLayout struct {
	name string
	is   func(r *jsonRecord) bool
	read func(d *reading, r *jsonRecord, e *bounceimport.Event) outcome
}

// jsonLayouts lists the known forms, the most telling first. Field names are
// lower case here, as jsonRecord makes them.
var jsonLayouts = [...]jsonLayout{
	{"kumomta", func(r *jsonRecord) bool {
		return r.has("type") && r.has("recipient") && (r.has("response.code") || r.has("nodeid") || r.has("feedback_report.feedback_type"))
	}, kumoEvent},
	{"sendgrid_webhook", func(r *jsonRecord) bool {
		return r.has("event") && r.has("email") && (r.has("sg_event_id") || r.has("sg_message_id") || r.has("smtp-id"))
	}, sendgridEvent},
	{"mailgun_webhook", func(r *jsonRecord) bool {
		return r.has("event-data.event") || r.has("event") && r.has("recipient") && !r.has("email")
	}, mailgunEvent},
	{"sparkpost_webhook", func(r *jsonRecord) bool {
		return len(r.leaves) > 0 && sparkpostPrefix(r) != "" || r.has("rcpt_to") && r.has("type")
	}, sparkpostEvent},
	{"mandrill_webhook", func(r *jsonRecord) bool {
		return r.has("msg.email") || r.has("reject.email") && r.has("action")
	}, mandrillEvent},
	{"postmark_webhook", func(r *jsonRecord) bool { return r.has("recordtype") || r.has("typecode") && r.has("email") }, postmarkEvent},
	{"postmark_suppressions", func(r *jsonRecord) bool { return r.has("emailaddress") && r.has("suppressionreason") }, postmarkSuppression},
	{"ses_suppression", func(r *jsonRecord) bool { return r.has("emailaddress") && r.has("reason") }, sesSuppression},
	{"mailgun_api", func(r *jsonRecord) bool { return r.has("address") && (r.has("error") || r.has("code")) }, mailgunSuppression},
	{"sendgrid_api", func(r *jsonRecord) bool {
		return r.has("email") && r.has("created") && (r.has("reason") || r.has("ip")) && !r.has("event")
	}, sendgridSuppression},
	{"mailjet_webhook", func(r *jsonRecord) bool {
		return r.has("event") && r.has("email") && (r.has("mj_contact_id") || r.has("mj_campaign_id") || r.has("message_guid") || r.has("error_related_to"))
	}, mailjetEvent},
	{"mailtrap_webhook", func(r *jsonRecord) bool {
		return r.has("event") && r.has("email") && (r.has("sending_stream") || r.has("bounce_category") || r.has("response_code"))
	}, mailtrapEvent},
	{"brevo_webhook", func(r *jsonRecord) bool {
		return r.has("event") && r.has("email") && (r.has("ts_epoch") || r.has("ts_event") || r.has("message-id") || r.has("messageid"))
	}, brevoEvent},
	{"resend_webhook", func(r *jsonRecord) bool { return strings.HasPrefix(r.get("type"), "email.") && r.has("data.to") }, resendEvent},
	{"mailersend_webhook", func(r *jsonRecord) bool {
		return strings.HasPrefix(r.get("type"), "activity.") || r.has("data.email.recipient.email")
	}, mailersendEvent},
	{"postal_webhook", func(r *jsonRecord) bool {
		return r.has("payload.message.to") || r.has("payload.original_message.to")
	}, postalEvent},
	{"unisender_webhook", func(r *jsonRecord) bool { return r.has("event_data.email") && r.has("event_data.status") }, unisenderEvent},
	{"greenarrow", func(r *jsonRecord) bool { return r.has("event_type") && r.has("event_time") && r.has("email") }, greenarrowEvent},
}

// jsonEvents finds out what a record is and hands on its events.
func (d *reading) jsonEvents(r *jsonRecord, line int64, depth int) error {
	// Amazon SNS: the notification is a string within the envelope.
	if m, ok := r.raw("message"); ok && depth < 3 && (r.get("type") == "Notification" || r.has("topicarn")) {
		if t := strings.TrimSpace(jsonText(m)); strings.HasPrefix(t, "{") {
			var inner jsonRecord
			if err := inner.parse(t); err == nil {
				return d.jsonEvents(&inner, line, depth+1)
			}
			d.malformed(line, "damaged JSON in an SNS message")
			return nil
		}
		d.format("ses_sns")
		d.ignored("SNS " + r.get("type") + " without an event")
		return nil
	}
	if t := r.get("type"); t == "SubscriptionConfirmation" || t == "UnsubscribeConfirmation" {
		d.format("ses_sns")
		d.ignored("SNS " + t)
		return nil
	}
	if r.has("notificationtype") || r.has("eventtype") && r.has("mail.messageid") {
		return d.sesEvents(r, line)
	}
	if strings.HasPrefix(r.get("detail-type"), "Email ") { // Amazon EventBridge: the same event under "detail"
		for i := range r.leaves {
			r.leaves[i].path = strings.TrimPrefix(r.leaves[i].path, "detail.")
		}
		return d.sesEvents(r, line)
	}
	for _, p := range [...]string{"events.", "events_by_user.events."} { // Unisender Go: events by user
		if r.has(p + "event_data.email") {
			return d.exploded(r, p, "event_data.email", line)
		}
	}
	for i := range jsonLayouts {
		l := &jsonLayouts[i]
		if !l.is(r) {
			continue
		}
		d.format(l.name)
		e := d.event(l.name)
		o := l.read(d, r, e)
		return d.row(line, o)
	}
	return d.jsonGeneric(r, line)
}

// exploded reads the records in an array within a record, each of which holds mark.
func (d *reading) exploded(r *jsonRecord, prefix, mark string, line int64) error {
	first := true
	for i := range r.leaves {
		if r.leaves[i].path != prefix+mark {
			continue
		}
		var one jsonRecord
		for _, l := range r.leaves {
			if l.elem == r.leaves[i].elem && strings.HasPrefix(l.path, prefix) {
				one.leaves = append(one.leaves, leaf{path: l.path[len(prefix):], value: l.value})
			}
		}
		if !first {
			if err := d.record(); err != nil {
				return err
			}
		}
		first = false
		if err := d.jsonEvents(&one, line, 1); err != nil {
			return err
		}
	}
	return nil
}

// jsonGeneric reads a record of unknown form by the names of its fields, as a
// CSV is read by its header.
func (d *reading) jsonGeneric(r *jsonRecord, line int64) error {
	d.format("json")
	var at [columns]int
	for i := range at {
		at[i] = -1
	}
	cells := make([]string, len(r.leaves))
	var replies []int
	for i := range r.leaves {
		l := &r.leaves[i]
		cells[i] = jsonText(l.value)
		name := l.path[strings.LastIndexByte(l.path, '.')+1:]
		c := columnOf(string(foldWord(nil, name)))
		switch {
		case c == colReply:
			replies = append(replies, i)
		case c == colRecipient && !looksLikeAddress(cells[i]):
			continue
		}
		if c != colNone && at[c] < 0 {
			at[c] = i
		}
	}
	e := d.event("json")
	if at[colRecipient] < 0 {
		d.unmapped(line, "no address in the record")
		return nil
	}
	return d.row(line, d.genericRow(cells, &at, replies, len(cells) == 1, e))
}

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

// feedbackHint translates a feedback type (RFC 5965, RFC 6430, RFC 6591).
func feedbackHint(kind string) string {
	switch strings.ToLower(kind) {
	case "not-spam":
		return "not_spam"
	case "opt-out", "opt-out-list":
		return "unsubscribe"
	case "auth-failure", "dmarc":
		return "auth_failure"
	}
	return "complaint"
}

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

// Amazon SES, account-level suppression list (sesv2 ListSuppressedDestinations; bulk files).
func sesSuppression(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Verdict = r.get("emailaddress"), d.time(r.get("lastupdatetime")), r.get("reason")
	if e.Hint = hintOf(e.Verdict); e.Hint == "" {
		return unmapped("reason " + e.Verdict)
	}
	return outcome{}
}

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

// Mailtrap, webhooks (api-docs.mailtrap.io).
func mailtrapEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.MessageID, e.Verdict = r.get("email"), d.time(r.get("timestamp")), r.get("message_id"), event
	e.Reply, e.Code = withCode(r.get("response_code"), r.get("response", "reason"))
	if c := r.get("bounce_category"); c != "" {
		e.Verdict += "/" + c
	}
	switch event {
	case "bounce":
		e.Hint = "esp_suppressed"
	case "soft bounce", "soft_bounce":
		e.Hint = "unknown"
	case "suspension":
		e.Hint = "delayed"
	case "reject":
		if e.Hint = hintOf(e.Reply); !reply.Final(e.Hint) {
			e.Hint = "esp_suppressed"
		}
		e.Reply = ""
	case "spam":
		e.Hint = "complaint"
	case "unsubscribe":
		e.Hint = "unsubscribe"
	case "delivery", "open", "click":
		e.Hint = "delivered"
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

// Brevo (Sendinblue), webhooks (developers.brevo.com).
func brevoEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("event")
	e.Recipient, e.Time, e.MessageID = r.get("email"), d.time(r.get("ts_event", "ts_epoch", "ts", "date")), strings.Trim(r.get("message-id", "messageid"), "<>")
	e.Reply, e.Verdict = r.get("reason"), event
	switch event {
	case "hard_bounce", "hardbounce", "hardbounces", "hard_bounces":
		e.Hint = "esp_suppressed"
	case "invalid_email", "invalid", "invalid_parameter":
		e.Hint = "esp_suppressed"
	case "blocked": // Brevo did not try
		e.Hint = "esp_suppressed"
		if code, _ := reply.Codes(e.Reply); code == 0 {
			e.Verdict, e.Reply = event+"/"+e.Reply, ""
		}
	case "soft_bounce", "softbounces", "soft_bounces", "softbounce", "error":
		e.Hint = "unknown"
	case "deferred":
		e.Hint = "delayed"
	case "spam", "complaint":
		e.Hint, e.Reply = "complaint", ""
	case "unsubscribe", "unsubscribed":
		e.Hint, e.Reply = "unsubscribe", ""
	case "delivered", "opened", "click", "clicks", "clicked", "unique_opened", "first_opening", "proxy_open", "unique_proxy_open", "uniqueopened":
		e.Hint = "delivered"
	case "request", "requests", "sent", "listaddition":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

// Resend, webhooks (resend.com/docs/dashboard/webhooks).
func resendEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := r.get("type")
	e.Recipient, e.Sender, e.Time, e.MessageID = r.get("data.to"), cleanRecipient(r.get("data.from")), d.time(r.get("created_at", "data.created_at")), r.get("data.email_id")
	e.Verdict = event
	if t := r.get("data.bounce.type"); t != "" {
		e.Verdict = t + "/" + r.get("data.bounce.subtype")
	}
	switch event {
	case "email.bounced", "email.suppressed":
		// The message is Resend's own explanation unless a code stands in it.
		e.Hint = "esp_suppressed"
		if t := r.get("data.bounce.type"); t == "Transient" || t == "Undetermined" {
			e.Hint = "unknown"
		}
		if m := r.get("data.bounce.diagnosticcode", "data.bounce.message", "data.suppressed.message"); m != "" {
			if code, status := reply.Codes(m); code != 0 || status != "" {
				e.Reply = unSMTP(m)
			} else {
				e.Verdict += ": " + m
			}
		}
	case "email.complained":
		e.Hint = "complaint"
	case "email.delivery_delayed":
		e.Hint = "delayed"
	case "email.delivered", "email.opened", "email.clicked":
		e.Hint = "delivered"
	case "email.sent", "email.scheduled", "email.failed", "email.received":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

// MailerSend, webhooks (developers.mailersend.com).
func mailersendEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event := strings.TrimPrefix(r.get("type"), "activity.")
	e.Recipient, e.Time, e.MessageID, e.Sender = r.get("data.email.recipient.email"), d.time(r.get("created_at", "data.created_at")), r.get("data.email.message.id"), r.get("data.email.from")
	e.Reply, e.Verdict = r.get("data.morph.reason", "data.morph.readable_reason"), event
	switch event {
	case "hard_bounced":
		e.Hint = "esp_suppressed"
	case "soft_bounced":
		e.Hint = "unknown"
	case "deferred":
		e.Hint = "delayed"
	case "spam_complaint":
		e.Hint = "complaint"
	case "unsubscribed":
		e.Hint = "unsubscribe"
	case "delivered", "opened", "opened_unique", "clicked", "clicked_unique":
		e.Hint = "delivered"
	case "sent", "survey_opened", "survey_submitted", "queued":
		return ignore("event " + event)
	default:
		return unmapped("event " + event)
	}
	return outcome{}
}

// Postal, webhooks (docs.postalserver.io/developer/webhooks).
func postalEvent(d *reading, r *jsonRecord, e *bounceimport.Event) outcome {
	event, status := r.get("event"), r.get("payload.status")
	e.Recipient, e.Sender, e.MessageID = r.get("payload.message.to", "payload.original_message.to"), r.get("payload.message.from", "payload.original_message.from"), r.get("payload.message.message_id", "payload.original_message.message_id")
	e.Time, e.Reply, e.Verdict = d.time(r.get("payload.timestamp", "timestamp")), r.get("payload.output"), event
	if status != "" {
		e.Verdict += "/" + status
	}
	if code, _ := reply.Codes(e.Reply); code == 0 {
		if dt := r.get("payload.details"); wordsIn(dt) > wordsIn(e.Reply) {
			e.Reply = dt
		}
	}
	switch {
	case r.has("payload.bounce.id"): // a bounce came back later; its text is elsewhere
		e.Hint, e.Reply = "unknown", ""
	case status == "HardFail" || event == "MessageDeliveryFailed":
		e.Hint = "esp_suppressed"
	case status == "SoftFail" || event == "MessageDelayed":
		e.Hint = "delayed"
	case event == "MessageBounced":
		e.Hint = "unknown"
	case status == "Sent" || event == "MessageSent" || event == "MessageLinkClicked" || event == "MessageLoaded":
		e.Hint = "delivered"
	default:
		return ignore("event " + event)
	}
	return outcome{}
}

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

// sesEvents reads an Amazon SES notification or published event, which may be
// about several recipients (docs.aws.amazon.com, notification-contents).
func (d *reading) sesEvents(r *jsonRecord, line int64) error {
	d.format("ses_event")
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
	used := false
	for i := range r.leaves {
		l := &r.leaves[i]
		if l.path != list {
			continue
		}
		e := d.event("ses_event")
		e.Recipient, e.Hint, e.Verdict = jsonText(l.value), hint, verdict
		e.Time = d.time(r.get(when, "mail.timestamp"))
		e.Sender, e.MessageID = cleanRecipient(r.get("mail.source")), r.get("mail.commonheaders.messageid", "mail.messageid")
		switch kind {
		case "Bounce":
			e.Reply = unSMTP(r.in(l.elem, "bounce.bouncedrecipients.diagnosticcode"))
			e.Status = statusOnly(r.in(l.elem, "bounce.bouncedrecipients.status"))
			if strings.HasSuffix(verdict, "Suppressed") || strings.HasSuffix(verdict, "OnAccountSuppressionList") {
				e.Reply, e.Status = "", ""
			}
		case "DeliveryDelay":
			e.Reply = unSMTP(r.in(l.elem, "deliverydelay.delayedrecipients.diagnosticcode"))
			e.Status = statusOnly(r.in(l.elem, "deliverydelay.delayedrecipients.status"))
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
