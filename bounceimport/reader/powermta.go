package reader

import "github.com/winnow-email/winnow/bounceimport"

var powermtaCSV = []csvLayout{
	{"powermta_acct", []string{"type", "rcpt", "dsnstatus"}, false, readLayout((*powermtaRow).event)},
	{"powermta_acct", []string{"type", "rcpt", "dsndiag"}, false, readLayout((*powermtaRow).event)},
	{"powermta_acct", []string{"type", "rcpt", "bouncecat"}, false, readLayout((*powermtaRow).event)},
}

// PowerMTA, accounting file. Columns are chosen in its configuration; the header
// names them (PowerMTA User's Guide 11.2.9).
type powermtaRow struct {
	Type   string `csv:"type"`
	Logged string `csv:"timelogged"`
	Orig   string `csv:"orig"`
	Rcpt   string `csv:"rcpt"`
	Status string `csv:"dsnstatus"`
	Diag   string `csv:"dsndiag"`
	Mta    string `csv:"dsnmta"`
	Cat    string `csv:"bouncecat"`
	Header string `csv:"header_message-id"`
	FbType string `csv:"feedbacktype"`
	Report string `csv:"reportedrcpt"`
}

func (r *powermtaRow) event(d *reading, e *bounceimport.Event) outcome {
	e.Recipient, e.Sender, e.Time, e.Verdict, e.MessageID = r.Rcpt, r.Orig, d.time(r.Logged), r.Cat, r.Header
	e.Status, e.Reply, e.Remote = statusOnly(r.Status), unSMTP(r.Diag), firstWord(r.Mta)
	switch r.Type {
	case "b", "rb": // bounced here; a bounce that came back later
		if e.Hint = hintOf(r.Cat); e.Hint == "" {
			e.Hint = "unknown"
		}
	case "d":
		e.Hint = "delivered"
	case "t", "tq": // in transit: the queue tries again
		e.Hint = "delayed"
	case "f": // feedback loop
		e.Hint, e.Verdict = "complaint", r.FbType
		if r.FbType == "not-spam" {
			e.Hint = "not_spam"
		}
		if e.Recipient == "" {
			e.Recipient = r.Report
		}
	case "r", "rs", "":
		return ignore("record type " + r.Type)
	default:
		return unmapped("record type " + r.Type)
	}
	return outcome{}
}
