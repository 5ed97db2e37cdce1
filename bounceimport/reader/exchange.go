package reader

import "github.com/winnow-email/winnow/bounceimport"

var exchangeCSV = []csvLayout{
	{"exchange_trace_csv", []string{"recipientaddress", "status", "senderaddress"}, false, readLayout((*exchangeRow).event)},
}

// Exchange, Get-MessageTrace | Export-Csv: the outcome without the reply.
type exchangeRow struct {
	Recipient string `csv:"recipientaddress"`
	Sender    string `csv:"senderaddress"`
	Received  string `csv:"received"`
	Status    string `csv:"status"`
	Detail    string `csv:"detail"` // of Get-MessageTraceDetail, joined by hand
	MessageID string `csv:"messageid"`
}

func (r *exchangeRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Sender, e.MessageID, e.Time, e.Verdict = r.Recipient, r.Sender, r.MessageID, d.time(r.Received), r.Status
	switch string(foldWord(nil, r.Status)) {
	case "failed":
		e.Hint, e.Reply = "unknown", r.Detail
	case "delivered":
		e.Hint = "delivered"
	default:
		return ignore("trace status " + r.Status)
	}
	return outcome{}
}
