package reader

import (
	"strings"
)

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
