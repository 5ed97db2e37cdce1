package esp

// Mailgun keeps bounces, unsubscribes and complaints for each sending domain
// (documentation.mailgun.com, suppressions; mailgun-go bounces.go).

type mailgunBounce struct {
	Address string `csv:"address" json:"address"`
	Code    string `csv:"code" json:"code"`
	Error   string `csv:"error" json:"error,omitempty"`
	Created string `csv:"created_at" json:"created_at,omitempty"`
}

type mailgunUnsubscribe struct {
	Address string `csv:"address"`
	Tags    string `csv:"tags"`
	Created string `csv:"created_at"`
}

type mailgunComplaint struct {
	Address string `csv:"address" json:"address"`
	Created string `csv:"created_at" json:"created_at,omitempty"`
}

// mailgunTime is the date form of the API and the import files (RFC 2822, UTC).
const mailgunTime = "Mon, 02 Jan 2006 15:04:05 UTC"

func mailgunBounceOf(e *Entry) mailgunBounce {
	b := mailgunBounce{Address: e.Address, Code: code(e.Code), Error: oneLine(e.Text, 512), Created: date(e.At, mailgunTime)}
	if b.Code == "" {
		b.Code = "550"
	}
	if b.Error == "" {
		b.Error = e.Word
	}
	return b
}

var (
	mailgunBounces = []Reason{HardBounce, DeadDomain, SoftBounce, Disposable, Role, Typo, Stale}
	mailgunOptOuts = []Reason{Unsubscribe, Manual}
)

var mailgun = &Target{
	Name: "mailgun", Title: "Mailgun",
	Caps: Caps{
		Words: map[Reason]string{
			HardBounce: "bounce", DeadDomain: "bounce", SoftBounce: "bounce", Disposable: "bounce", Role: "bounce", Typo: "bounce", Stale: "bounce",
			Unsubscribe: "unsubscribe", Manual: "unsubscribe", Complaint: "complaint",
		},
		Scope: "sending domain", MaxBytes: 25_000_000, Batch: 1000, Reversible: true,
		Beside: "lists are kept for each sending domain: repeat for every domain you send from. An allowlist entry there overrides a bounce",
	},
	files: []file{
		{name: "mailgun-bounces", reasons: mailgunBounces, what: "a bounce record with code and text", enc: rows(func(e *Entry, _ string) []mailgunBounce {
			return []mailgunBounce{mailgunBounceOf(e)}
		})},
		{name: "mailgun-unsubscribes", reasons: mailgunOptOuts, what: "an unsubscribe from all tags", enc: rows(func(e *Entry, _ string) []mailgunUnsubscribe {
			return []mailgunUnsubscribe{{e.Address, "*", date(e.At, mailgunTime)}}
		})},
		{name: "mailgun-complaints", reasons: []Reason{Complaint}, what: "a spam complaint", enc: rows(func(e *Entry, _ string) []mailgunComplaint {
			return []mailgunComplaint{{e.Address, date(e.At, mailgunTime)}}
		})},
	},
	Steps: []string{
		"Sending > Suppressions, choose the sending domain at the top.",
		"On each tab (Bounces, Unsubscribes, Complaints) use 'Import list' with the file of that name.",
		"Repeat for every domain you send from.",
	},
}
