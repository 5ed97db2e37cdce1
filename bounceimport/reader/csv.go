package reader

import (
	"io"

	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
)

// csvLayouts lists the known layouts, the most telling first.
func csvLayouts() []csvLayout {
	return []csvLayout{
		{"powermta_acct", []string{"type", "rcpt", "dsnstatus"}, false, readLayout((*powermtaRow).event)},
		{"powermta_acct", []string{"type", "rcpt", "dsndiag"}, false, readLayout((*powermtaRow).event)},
		{"powermta_acct", []string{"type", "rcpt", "bouncecat"}, false, readLayout((*powermtaRow).event)},
		{"sendgrid_csv", []string{"status", "reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
		{"sendgrid_invalid_csv", []string{"reason", "email", "created"}, true, readLayout((*sendgridRow).event)},
		{"sendgrid_spam_csv", []string{"ip", "email", "created"}, true, readLayout((*sendgridRow).complaint)},
		{"sendgrid_unsubscribe_csv", []string{"email", "created"}, true, readLayout((*sendgridRow).unsubscribe)},
		{"mailgun_csv", []string{"address", "code", "error"}, false, readLayout((*mailgunRow).event)},
		{"mailgun_unsubscribe_csv", []string{"address", "tags", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
		{"mailgun_unsubscribe_csv", []string{"address", "tag", "created_at"}, true, readLayout((*mailgunRow).unsubscribe)},
		{"mailgun_complaint_csv", []string{"address", "created_at"}, true, readLayout((*mailgunRow).complaint)},
		{"sparkpost_csv", []string{"recipient", "type", "source", "description"}, false, readLayout((*sparkpostRow).event)},
		{"mailchimp_csv", []string{"email_address", "leid", "euid"}, false, readLayout((*mailchimpRow).event)},
		{"hubspot_csv", []string{"portal_bounce"}, false, (*reading).hubspot},
		{"exchange_trace_csv", []string{"recipientaddress", "status", "senderaddress"}, false, readLayout((*exchangeRow).event)},
		{"promio_csv", []string{"sender_id", "custid", "mail", "status"}, false, readLayout((*promioRow).event)},
	}
}

// csv reads a delimited file: a known layout through gocsv, any other by what
// its header names mean, and one without a header by what its cells look like.
func (d *reading) csv(r io.Reader) error {
	t, err := newTable(d, r)
	if err == io.EOF {
		d.format("empty")
		return nil
	}
	if err != nil {
		return err
	}
	if t.header == nil {
		return d.headerless(t)
	}
	have := make(map[string]bool, len(t.folded))
	for _, h := range t.folded {
		have[h] = true
	}
	for _, l := range csvLayouts() {
		ok := !l.exact || len(t.folded) == len(l.need)
		for _, n := range l.need {
			ok = ok && have[n]
		}
		if ok {
			d.format(l.name)
			return l.read(d, t)
		}
	}
	return d.generic(t)
}

// generic reads a file by what the names of its columns mean.
func (d *reading) generic(t *table) error {
	d.format("csv")
	var at [columns]int
	for i := range at {
		at[i] = -1
	}
	for i, h := range t.folded {
		if r := columnOf(h); r != colNone && at[r] < 0 {
			at[r] = i
		}
	}
	// Several columns may hold text that a server said; the longest of them counts.
	var replies []int
	for i, h := range t.folded {
		if columnOf(h) == colReply {
			replies = append(replies, i)
		}
	}
	if at[colRecipient] < 0 {
		// Not by its name: by what is in it.
		if i := t.addressColumn(); i >= 0 {
			at[colRecipient] = i
		} else {
			return noColumn(d.name, t.header)
		}
	}
	evidence := len(replies) > 0 || at[colCode] >= 0 || at[colStatus] >= 0 || at[colVerdict] >= 0 ||
		at[colBounced] >= 0 || at[colUnsubscribed] >= 0 || at[colComplained] >= 0
	// A file of nothing but addresses (and times) is a list of the bounced. One
	// with further columns, none of which says what happened, may be anything:
	// better nothing than the suppression of a whole list.
	plain := !evidence && (len(t.folded) == 1 || len(t.folded) == 2 && at[colTime] >= 0)
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := d.event("csv")
		if err := d.row(line, d.genericRow(cells, &at, replies, plain, e)); err != nil {
			return err
		}
	}
}

// headerless reads rows of cells by what they look like: an address, a word
// that says what happened (the import file of Amazon SES: "address,BOUNCE"), a
// time, a text.
func (d *reading) headerless(t *table) error {
	d.format("csv_headerless")
	for {
		cells, line, err := t.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e := d.event("csv_headerless")
		if len(cells) == 1 {
			e.Recipient, e.Hint, e.Verdict = cells[0], "esp_suppressed", "listed"
		}
		extra := 0
		for _, c := range cells {
			switch {
			case c == "":
			case e.Recipient == "" && looksLikeAddress(c):
				e.Recipient = c
			case hintOf(c) != "" && (e.Hint == "" || e.Hint == "unknown") && !isShortNumber(c):
				e.Hint, e.Verdict = hintOf(c), c
			case e.Time.IsZero() && !d.time(c).IsZero():
				e.Time = d.time(c)
			case statusOnly(c) != "" && e.Status == "":
				e.Status = statusOnly(c)
			case len(c) == 3 && e.Code == 0 && (c[0] == '4' || c[0] == '5'):
				e.Code, _ = anytime.Digits(c)
			default:
				if code, status := reply.Codes(c); (code != 0 || status != "") && len(c) > len(e.Reply) {
					e.Reply = c
				} else {
					extra++
				}
			}
		}
		o := outcome{}
		if e.Recipient != "" && e.Hint == "" && e.Reply == "" && e.Code == 0 && e.Status == "" {
			if extra == 0 && len(cells) <= 2 {
				e.Hint, e.Verdict = "esp_suppressed", "listed"
			} else {
				o = unmapped("no cell says what happened")
			}
		}
		if err := d.row(line, o); err != nil {
			return err
		}
	}
}
