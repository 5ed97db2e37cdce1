package reader

import (
	"io"

	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/internal/anytime"
)

// csvLayouts lists the known layouts by vendor, the most telling first.
var csvLayouts = [...][]csvLayout{powermtaCSV, sendgridCSV, mailgunCSV, sparkpostCSV, mailchimpCSV, hubspotCSV, exchangeCSV, promioCSV}

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
	for _, vendor := range csvLayouts {
		for i := range vendor {
			l := &vendor[i]
			ok := !l.exact || len(t.folded) == len(l.need)
			for _, n := range l.need {
				ok = ok && have[n]
			}
			if ok {
				d.format(l.name)
				return l.read(d, t)
			}
		}
	}
	return d.generic(t)
}

// generic reads a file by what the names of its columns mean.
func (d *reading) generic(t *table) error {
	d.format("csv")
	m := noColumns()
	for i, h := range t.folded {
		m.add(columnOf(h), i)
	}
	if m.at[colRecipient] < 0 {
		// Not by its name: by what is in it.
		if m.at[colRecipient] = t.addressColumn(); m.at[colRecipient] < 0 {
			return noColumn(d.name, t.header)
		}
	}
	// A file of nothing but addresses (and times) is a list of the bounced. One
	// with further columns, none of which says what happened, may be anything:
	// better nothing than the suppression of a whole list.
	m.plain = !m.evidence() && (len(t.folded) == 1 || len(t.folded) == 2 && m.at[colTime] >= 0)
	return t.each(func(cells []string, line int64) error { return d.row(line, m.row(d, cells, d.event("csv"))) })
}

// headerless reads rows of cells by what they look like: an address, a word
// that says what happened (the import file of Amazon SES: "address,BOUNCE"), a
// time, a text.
func (d *reading) headerless(t *table) error {
	d.format("csv_headerless")
	return t.each(func(cells []string, line int64) error {
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
		return d.row(line, o)
	})
}
