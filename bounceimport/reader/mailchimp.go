package reader

import "github.com/winnow-email/winnow/bounceimport"

var mailchimpCSV = []csvLayout{
	{"mailchimp_csv", []string{"email_address", "leid", "euid"}, false, readLayout((*mailchimpRow).event)},
}

// Mailchimp, audience export: which *_TIME column is there tells the file.
type mailchimpRow struct {
	Email    string `csv:"email_address"`
	Cleaned  string `csv:"clean_time"`
	Campaign string `csv:"clean_campaign_title"`
	Unsub    string `csv:"unsub_time"`
	Reason   string `csv:"unsub_reason"`
}

func (r *mailchimpRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient = r.Email
	switch {
	case r.Unsub != "":
		e.Time, e.Hint, e.Verdict = d.time(r.Unsub), "unsubscribe", "unsubscribed"
		if hintOf(r.Reason) == "complaint" {
			e.Hint, e.Verdict = "complaint", r.Reason
		}
	case r.Cleaned != "":
		e.Time, e.Hint, e.Verdict = d.time(r.Cleaned), "esp_suppressed", "cleaned"
	default:
		return ignore("a contact without CLEAN_TIME or UNSUB_TIME")
	}
	return outcome{}
}
