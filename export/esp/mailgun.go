package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/shown"
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
			b := mailgunBounceOf(e)
			b.Error = shown.Cell(b.Error)
			return []mailgunBounce{b}
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
func openMailgun(a *account) (*service, error) {
	domain, keys, err := a.scoped("the sending domain", "MAILGUN_API_KEY")
	if err != nil {
		return nil, err
	}
	cl, err := api.New(api.Provider{
		Name: "Mailgun", Base: "https://api.mailgun.net", Pace: 200 * time.Millisecond,
		Judge: api.ResetEpoch("X-RateLimit-Reset"), Sign: api.Basic("api", keys[0]),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	at := "/v3/" + url.PathEscape(domain) + "/"
	lists := map[string]string{"bounce": "bounces", "unsubscribe": "unsubscribes", "complaint": "complaints"}
	var used map[string]bool
	return &service{
		c: cl,
		check: func(ctx context.Context, words map[string]bool) error {
			used = words
			err := cl.Get(ctx, at+"bounces?limit=1", nil)
			if api.Is(err, http.StatusNotFound) {
				return fmt.Errorf("there is no domain %s at Mailgun for this key; EU accounts need --base-url https://api.eu.mailgun.net", domain)
			}
			return err
		},
		places: func(word string) []string { return []string{word} },
		lane:   func(word string) string { return word },
		fetch: func(ctx context.Context, found found) error {
			for word, list := range lists {
				if !used[word] {
					continue
				}
				if err := mailgunList(ctx, cl, at+list, word, found); err != nil {
					return err
				}
			}
			return nil
		},
		send: func(ctx context.Context, lane string, batch []item) (outcome, error) {
			answer, err := cl.Send(ctx, "POST", at+lists[lane], mailgunRows(lane, batch))
			if err != nil {
				return outcome{}, err
			}
			return mailgunDone(batch, answer), nil
		},
	}, nil
}

// mailgunList reads one list to its end, which is an empty page: every page has a
// link to a next one.
func mailgunList(ctx context.Context, cl *api.Client, at, word string, found found) error {
	type entry struct{ Address string }
	return cl.Pages(ctx, at+"?limit=1000", func(path string) (string, int, error) {
		var page struct {
			Items  []entry
			Paging struct{ Next string }
		}
		err := cl.Get(ctx, path, &page)
		if err != nil || len(page.Items) == 0 {
			return "", 0, err
		}
		return page.Paging.Next, each(found, page.Items, func(e *entry) (string, string) { return e.Address, word }), nil
	})
}

// mailgunRows makes the body of one call.
func mailgunRows(lane string, batch []item) []any {
	type unsubscribe struct {
		Address string   `json:"address"`
		Tags    []string `json:"tags"`
		Created string   `json:"created_at,omitempty"`
	}
	rows := make([]any, len(batch))
	for i := range batch {
		e := &batch[i].Entry
		switch lane {
		case "bounce":
			rows[i] = mailgunBounceOf(e)
		case "unsubscribe":
			rows[i] = unsubscribe{e.Address, []string{"*"}, date(e.At, mailgunTime)}
		default:
			rows[i] = mailgunComplaint{e.Address, date(e.At, mailgunTime)}
		}
	}
	return rows
}

var mailgunAdded = regexp.MustCompile(`^(?:(\d+) .*|Address )ha(?:s|ve) been added to the `)

// mailgunDone reads "4 addresses have been added to the bounces table", which
// Mailgun answers to a list, and what it answers to a single record
// (documentation.mailgun.com, suppressions; mailgun.js test/suppressions).
func mailgunDone(batch []item, answer []byte) outcome {
	m := mailgunAdded.FindStringSubmatch(api.Message(answer))
	if m == nil {
		return unsure(batch, "Mailgun", answer)
	}
	added := 1
	if m[1] != "" {
		var err error
		if added, err = strconv.Atoi(m[1]); err != nil { // more than there are addresses
			added = 0
		}
	}
	if added >= len(batch) {
		return outcome{}
	}
	out := unsure(batch, "Mailgun", answer)
	out.unknown -= added
	return out
}
