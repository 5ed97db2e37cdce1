package esp

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/api"
	"github.com/winnow-email/winnow/internal/shown"
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
	files: []file{{name: "sparkpost-suppressions", what: "an entry a type of mail", enc: rows(func(e *Entry, word string) []sparkpostRow {
		rows := sparkpostRows(e, word)
		for i := range rows {
			rows[i].Description = shown.Cell(rows[i].Description)
		}
		return rows
	})}},
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
func openSparkPost(a *account) (*service, error) {
	keys, err := a.Keys.Need("SPARKPOST_API_KEY")
	if err != nil {
		return nil, err
	}
	p := api.Provider{
		Name: "SparkPost", Base: "https://api.sparkpost.com", Pace: 500 * time.Millisecond,
		Judge: sparkpostJudge, Sign: api.Header("Authorization", "", keys[0]),
	}
	if a.scope != "" {
		p.Header = http.Header{"X-Msys-Subaccount": {a.scope}}
	}
	cl, err := api.New(p, &a.Config)
	if err != nil {
		return nil, err
	}
	const at = "/api/v1/suppression-list"
	return &service{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			return cl.Get(ctx, at+"/summary", nil)
		},
		places: func(word string) []string {
			if word == "both types" {
				return []string{"non_transactional", "transactional"}
			}
			return []string{"non_transactional"}
		},
		fetch: func(ctx context.Context, found found) error {
			type entry struct{ Recipient, Type string }
			return cl.Pages(ctx, at+"?cursor=initial&per_page=10000", func(path string) (string, int, error) {
				var page struct {
					Results []entry
					Links   json.RawMessage
				}
				if err := cl.Get(ctx, path, &page); err != nil {
					return "", 0, err
				}
				return sparkpostNext(page.Links), each(found, page.Results, func(e *entry) (string, string) { return e.Recipient, e.Type }), nil
			})
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			var rows []sparkpostRow
			for i := range batch {
				rows = append(rows, sparkpostRows(&batch[i].Entry, batch[i].Say)...)
			}
			answer, err := cl.Send(ctx, "PUT", at, struct {
				Recipients []sparkpostRow `json:"recipients"`
			}{rows})
			if err != nil {
				return outcome{}, err
			}
			var done struct {
				Results struct{ Message string }
				Errors  []json.RawMessage
			}
			if err := cl.Decode(answer, &done); err != nil {
				return outcome{}, err
			}
			// "Suppression List successfully updated" (suppression-list.apib)
			if len(done.Errors) > 0 || !strings.Contains(done.Results.Message, "successfully updated") {
				return unsure(batch, "SparkPost", answer), nil
			}
			return outcome{}, nil
		},
	}, nil
}

func sparkpostJudge(status int, h http.Header, body []byte, now time.Time) api.Judgement {
	j := api.Common(status, h, body, now)
	if status == 420 { // Enhance Your Calm: a limit of the account
		j.Verdict = api.Again
	}
	return j
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
		return ""
	}
	var one struct{ Next string }
	if json.Unmarshal(links, &one) != nil {
		return ""
	}
	return one.Next
}
