package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

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
	ScopeHelp: "the sending domain, e.g. mg.example.com", KeyNames: []string{"MAILGUN_API_KEY"}, open: openMailgun,
	Steps: []string{
		"Sending > Suppressions, choose the sending domain at the top.",
		"On each tab (Bounces, Unsubscribes, Complaints) use 'Import list' with the file of that name.",
		"Repeat for every domain you send from.",
	},
}

// openMailgun speaks the suppressions API: Basic authentication as "api", JSON
// arrays of up to 1,000 records, which are added or updated. Accounts in the EU
// have the address https://api.eu.mailgun.net.
func openMailgun(c *Config) (*api, error) {
	domain, err := c.scope("the sending domain")
	if err != nil {
		return nil, err
	}
	keys, err := c.keys("MAILGUN_API_KEY")
	if err != nil {
		return nil, err
	}
	cl, err := newClient("Mailgun", "https://api.mailgun.net", c, resetEpoch("X-RateLimit-Reset"), 200*time.Millisecond, func(r *http.Request, _ []byte) error {
		r.SetBasicAuth("api", keys[0].s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := "/v3/" + url.PathEscape(domain) + "/"
	lists := map[string]string{"bounce": "bounces", "unsubscribe": "unsubscribes", "complaint": "complaints"}
	var used map[string]bool
	return &api{
		c: cl,
		check: func(ctx context.Context, words map[string]bool) error {
			used = words
			err := cl.json(ctx, "GET", at+"bounces?limit=1", nil, nil)
			if is(err, http.StatusNotFound) {
				return fmt.Errorf("there is no domain %s at Mailgun for this key; EU accounts need --base-url https://api.eu.mailgun.net", domain)
			}
			return err
		},
		places: func(word string) []string { return []string{word} },
		lane:   func(word string) string { return word },
		fetch: func(ctx context.Context, yield func(address, place string)) error {
			for word, list := range lists {
				if !used[word] {
					continue
				}
				for next := at + list + "?limit=1000"; next != ""; {
					var page struct {
						Items  []struct{ Address string }
						Paging struct{ Next string }
					}
					if err := cl.json(ctx, "GET", next, nil, &page); err != nil {
						return err
					}
					for _, i := range page.Items {
						yield(i.Address, word)
					}
					if next = ""; len(page.Items) > 0 {
						next = pathOf(page.Paging.Next)
					}
				}
			}
			return nil
		},
		send: func(ctx context.Context, lane string, batch []item) (outcome, error) {
			var body any
			switch lane {
			case "bounce":
				rows := make([]mailgunBounce, len(batch))
				for i := range batch {
					rows[i] = mailgunBounceOf(&batch[i].Entry)
				}
				body = rows
			case "unsubscribe":
				type row struct {
					Address string   `json:"address"`
					Tags    []string `json:"tags"`
					Created string   `json:"created_at,omitempty"`
				}
				rows := make([]row, len(batch))
				for i := range batch {
					rows[i] = row{batch[i].Address, []string{"*"}, date(batch[i].At, mailgunTime)}
				}
				body = rows
			default:
				rows := make([]mailgunComplaint, len(batch))
				for i := range batch {
					rows[i] = mailgunComplaint{batch[i].Address, date(batch[i].At, mailgunTime)}
				}
				body = rows
			}
			return outcome{}, cl.json(ctx, "POST", at+lists[lane], body, nil)
		},
	}, nil
}
