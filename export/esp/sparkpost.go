package esp

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// SparkPost (Bird) keeps an entry for each address and type of mail
// (SparkPost/developers.sparkpost.com suppression-list).

type sparkpostRow struct {
	Recipient   string `csv:"recipient" json:"recipient"`
	Type        string `csv:"type" json:"type"`
	Description string `csv:"description" json:"description,omitempty"`
}

// sparkpostRows makes the entries of one address. A dead address takes neither
// type of mail; who unsubscribed or complained still gets receipts.
func sparkpostRows(e *Entry, word string) []sparkpostRow {
	text := "winnow: " + e.Word
	if d := date(e.At, "2006-01-02"); d != "" {
		text += " " + d
	}
	r := []sparkpostRow{{e.Address, "non_transactional", text}}
	if word == "both types" {
		r = append(r, sparkpostRow{e.Address, "transactional", text})
	}
	return r
}

var sparkpost = &Target{
	Name: "sparkpost", Title: "SparkPost (Bird)",
	Caps: Caps{
		Words: map[Reason]string{
			HardBounce: "both types", DeadDomain: "both types",
			Complaint: "non_transactional", Unsubscribe: "non_transactional", Manual: "non_transactional",
			SoftBounce: "non_transactional", Disposable: "non_transactional", Role: "non_transactional", Typo: "non_transactional", Stale: "non_transactional",
		},
		Scope: "account or subaccount", MaxRows: 100_000, Batch: 5000, BatchBytes: 50_000_000, Reversible: true,
		Beside: "an entry counts for one type of mail: dead addresses are entered for both types, opt-outs for non_transactional only",
	},
	files:     []file{{name: "sparkpost-suppressions", what: "an entry a type of mail", enc: rows(sparkpostRows)}},
	ScopeHelp: "the number of a subaccount; empty for the account itself", KeyNames: []string{"SPARKPOST_API_KEY"}, open: openSparkPost,
	Docs: "https://docs.bird.com/api/email-api/suppression-list",
	Steps: []string{
		"Lists > Suppressions > Add suppressions > Bulk upload (Recipients > Suppression list in older accounts).",
		"Choose the file. For a subaccount switch to it first.",
	},
}

// openSparkPost upserts up to 10,000 entries a call, two for a dead address. On
// a 5xx a part may have been done. Accounts in the EU have the address
// https://api.eu.sparkpost.com.
func openSparkPost(c *Config) (*api, error) {
	keys, err := c.keys("SPARKPOST_API_KEY")
	if err != nil {
		return nil, err
	}
	auth := bearer("", keys[0])
	cl, err := newClient("SparkPost", "https://api.sparkpost.com", c, func(status int, h http.Header, body []byte, now time.Time) judgement {
		j := common(status, h, body, now)
		if status == 420 { // Enhance Your Calm: a limit of the account
			j.verdict = again
		}
		return j
	}, 500*time.Millisecond, func(r *http.Request, b []byte) error {
		if c.Scope != "" {
			r.Header.Set("X-MSYS-SUBACCOUNT", c.Scope)
		}
		return auth(r, b)
	})
	if err != nil {
		return nil, err
	}
	const at = "/api/v1/suppression-list"
	return &api{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			return cl.json(ctx, "GET", at+"/summary", nil, nil)
		},
		places: func(word string) []string {
			if word == "both types" {
				return []string{"non_transactional", "transactional"}
			}
			return []string{"non_transactional"}
		},
		fetch: func(ctx context.Context, yield func(address, place string)) error {
			for next := at + "?cursor=initial&per_page=10000"; next != ""; {
				var page struct {
					Results []struct{ Recipient, Type string }
					Links   json.RawMessage
				}
				if err := cl.json(ctx, "GET", next, nil, &page); err != nil {
					return err
				}
				for _, r := range page.Results {
					yield(r.Recipient, r.Type)
				}
				next = pathOf(sparkpostNext(page.Links))
			}
			return nil
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			var rows []sparkpostRow
			for i := range batch {
				rows = append(rows, sparkpostRows(&batch[i].Entry, batch[i].Say)...)
			}
			return outcome{}, cl.json(ctx, "PUT", at, struct {
				Recipients []sparkpostRow `json:"recipients"`
			}{rows}, nil)
		},
	}, nil
}

// sparkpostNext finds the next page, in either form that the API has had.
func sparkpostNext(links json.RawMessage) string {
	var list []struct{ Href, Rel string }
	if json.Unmarshal(links, &list) == nil {
		for _, l := range list {
			if l.Rel == "next" {
				return l.Href
			}
		}
	}
	var one struct{ Next string }
	json.Unmarshal(links, &one)
	return one.Next
}
