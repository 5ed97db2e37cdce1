package reader

import (
	"strings"
)

// jsonLayouts lists the known forms, the most telling first. What is not among
// them is read by the names of its fields.
var jsonLayouts = [...]*jsonLayout{
	&kumomtaLog,
	&sendgridWebhook,
	&mailgunWebhook,
	&sparkpostWebhook,
	&mandrillWebhook,
	&postmarkWebhook,
	&postmarkSuppressions,
	&sesSuppressionList,
	&mailgunAPI,
	&sendgridAPI,
	&mailjetWebhook,
	&mailtrapWebhook,
	&brevoWebhook,
	&resendWebhook,
	&mailersendWebhook,
	&postalWebhook,
	&unisenderWebhook,
	&greenarrowLog,
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
	if d.byMail && d.guarded() {
		d.ignored("a mailed notification that does not say what was sent")
		return nil
	}
	for _, p := range [...]string{"events.", "events_by_user.events."} { // Unisender Go: events by user
		if r.has(p + "event_data.email") {
			return d.exploded(r, p, "event_data.email", line)
		}
	}
	for _, l := range jsonLayouts {
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
		from, to := r.element(i)
		var one jsonRecord
		for _, l := range r.leaves[from:to] {
			if strings.HasPrefix(l.path, prefix) {
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
	m := noColumns()
	cells := make([]string, len(r.leaves))
	for i := range r.leaves {
		l := &r.leaves[i]
		cells[i] = jsonText(l.value)
		c := columnOf(string(foldWord(nil, l.path[strings.LastIndexByte(l.path, '.')+1:])))
		if c == colRecipient && !looksLikeAddress(cells[i]) {
			continue
		}
		m.add(c, i)
	}
	e := d.event("json")
	if m.at[colRecipient] < 0 {
		d.unmapped(line, "no address in the record")
		return nil
	}
	m.plain = len(cells) == 1
	return d.row(line, m.row(d, cells, e))
}
