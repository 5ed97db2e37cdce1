package reader

import (
	"strings"
)

var hubspotCSV = []csvLayout{
	{"hubspot_csv", []string{"portal_bounce"}, false, (*reading).hubspot},
}

// hubspot reads HubSpot's "Export unsubscribes and bounces": one row may say
// several things.
func (d *reading) hubspot(t *table) error {
	email := -1
	for i, h := range t.folded {
		if email < 0 && columnOf(h) == colRecipient {
			email = i
		}
	}
	if email < 0 {
		return noColumn(d.name, t.header)
	}
	return t.each(func(cells []string, line int64) error {
		n := 0
		for i, h := range t.folded {
			v := cell(cells, i)
			var hint string
			switch {
			case v == "" || strings.EqualFold(v, "false"):
				continue
			case h == "portal_unsubscribe" || h == "global_unsubscribe":
				hint = "unsubscribe"
			case h == "portal_spam_report" || h == "global_spam_report":
				hint = "complaint"
			case h == "portal_bounce" || h == "global_bounce" && n == 0:
				if hint = hintOf(v); hint == "" || isTrue(v) {
					hint = "esp_suppressed"
				}
			default:
				continue
			}
			e := d.event("hubspot_csv")
			e.Recipient, e.Hint, e.Verdict = cell(cells, email), hint, t.header[i]+": "+v
			if strings.IndexByte(e.Recipient, '@') < 0 {
				break
			}
			n++
			if err := d.emit(line); err != nil {
				return err
			}
		}
		switch {
		case n > 0:
			d.acct.Used++
		case strings.IndexByte(cell(cells, email), '@') < 0:
			d.malformed(line, "no address in the record")
		default:
			d.ignored("nothing recorded but subscriptions")
		}
		return nil
	})
}
