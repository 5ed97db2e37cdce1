package reader

import "github.com/winnow-email/winnow/bounceimport"

var promioCSV = []csvLayout{
	{"promio_csv", []string{"sender_id", "custid", "mail", "status"}, false, readLayout((*promioRow).event)},
}

// promio.connect, blacklist export.
type promioRow struct {
	Mail   string `csv:"mail"`
	Time   string `csv:"ts"`
	Status string `csv:"status"`
}

func (r *promioRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Time, e.Hint, e.Verdict = r.Mail, d.time(r.Time), "esp_suppressed", "blacklist status "+r.Status
	return outcome{}
}
