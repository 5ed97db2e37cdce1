package esp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/winnow-email/winnow/internal/api"
)

// Klaviyo suppresses profiles (bulk suppress jobs; klaviyo/openapi stable).
// A bulk unsubscribe with a list is not used: it unsubscribes globally whoever
// is not in that list.

var klaviyo = &Target{
	Name: "klaviyo", Title: "Klaviyo",
	Caps: Caps{
		Words: words("USER_SUPPRESSED", wellFormed...), Scope: "account", MaxBytes: 50_000_000, Batch: 100,
		CreatesContacts: true, Reversible: true, Async: true,
		Beside: "an address without a profile gets one, suppressed; suppressed profiles are not billed",
	},
	files:    []file{{name: "klaviyo-suppress", what: "a suppressed profile", enc: oneColumn("Email")}},
	KeyNames: []string{"KLAVIYO_API_KEY"}, open: openKlaviyo,
	Docs: "https://help.klaviyo.com/hc/en-us/articles/115005073867",
	Steps: []string{
		"Audience > Profiles > Suppressed profiles (top right) > Upload file.",
		"Choose the file: it has the one column Email, as Klaviyo asks.",
	},
}

// klaviyoRevision is the version of the API that this file was written for.
const klaviyoRevision = "2026-07-15"

type klaviyoData[T any] struct {
	Data T `json:"data"`
}

type klaviyoObject[T any] struct {
	Type       string `json:"type"`
	ID         string `json:"id,omitempty"`
	Attributes T      `json:"attributes"`
}

type klaviyoProfile struct {
	Email string `json:"email"`
}

type klaviyoProfiles struct {
	Profiles klaviyoData[[]klaviyoObject[klaviyoProfile]] `json:"profiles"`
}

// openKlaviyo makes bulk suppress jobs of 100 profiles, 750 calls a minute at
// most. A job tells how many it worked off, not which: winnow looks afterwards.
func openKlaviyo(a *account) (*service, error) {
	keys, err := a.Keys.Need("KLAVIYO_API_KEY")
	if err != nil {
		return nil, err
	}
	cl, err := api.New(api.Provider{
		Name: "Klaviyo", Base: "https://a.klaviyo.com", Pace: 100 * time.Millisecond,
		Sign:   api.Header("Authorization", "Klaviyo-API-Key ", keys[0]),
		Header: http.Header{"Revision": {klaviyoRevision}, "Accept": {"application/vnd.api+json"}},
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	return &service{
		c: cl, verify: true,
		check: func(ctx context.Context, _ map[string]bool) error {
			return cl.Get(ctx, klaviyoSuppressed("1"), nil)
		},
		fetch: func(ctx context.Context, found found) error {
			return cl.Pages(ctx, klaviyoSuppressed("100"), func(path string) (string, int, error) {
				var page struct {
					klaviyoData[[]klaviyoObject[klaviyoProfile]]
					Links struct{ Next string }
				}
				if err := cl.Get(ctx, path, &page); err != nil {
					return "", 0, err
				}
				return page.Links.Next, each(found, page.Data, func(p *klaviyoObject[klaviyoProfile]) (string, string) { return p.Attributes.Email, "" }), nil
			})
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			return klaviyoJob(ctx, cl, batch)
		},
		wait: func(ctx context.Context, id string, batch []item) (outcome, error) {
			return klaviyoWait(ctx, cl, id, batch)
		},
	}, nil
}

func klaviyoSuppressed(size string) string {
	return "/api/profiles?" + url.Values{
		"filter":          {"greater-than(subscriptions.email.marketing.suppression.timestamp,2000-01-01T00:00:00Z)"},
		"fields[profile]": {"email"},
		"page[size]":      {size},
	}.Encode()
}

const klaviyoJobs = "/api/profile-suppression-bulk-create-jobs"

func klaviyoJob(ctx context.Context, cl *api.Client, batch []item) (outcome, error) {
	var in klaviyoData[klaviyoObject[klaviyoProfiles]]
	in.Data.Type = "profile-suppression-bulk-create-job"
	for i := range batch {
		in.Data.Attributes.Profiles.Data = append(in.Data.Attributes.Profiles.Data, klaviyoObject[klaviyoProfile]{Type: "profile", Attributes: klaviyoProfile{batch[i].Address}})
	}
	body, err := json.Marshal(&in)
	if err != nil {
		return outcome{}, err
	}
	answer, err := cl.Call(ctx, "POST", klaviyoJobs, "application/vnd.api+json", body)
	if err != nil {
		return outcome{}, err
	}
	var made klaviyoData[klaviyoObject[struct{}]]
	if err := cl.Decode(answer, &made); err != nil {
		return outcome{}, err
	}
	if made.Data.ID == "" {
		return outcome{}, cl.Odd("made a job without a name", answer)
	}
	return outcome{job: made.Data.ID}, nil
}

func klaviyoWait(ctx context.Context, cl *api.Client, id string, batch []item) (outcome, error) {
	var job klaviyoData[klaviyoObject[struct {
		Status  string `json:"status"`
		Skipped int    `json:"skipped_count"`
	}]]
	err := cl.Poll(ctx, func() (bool, error) {
		err := cl.Get(ctx, klaviyoJobs+"/"+url.PathEscape(id), &job)
		return job.Data.Attributes.Status != "queued" && job.Data.Attributes.Status != "processing", err
	})
	switch got := job.Data.Attributes; {
	case err != nil:
		return outcome{}, err
	case got.Status != "complete":
		return outcome{unknown: len(batch), why: "Klaviyo's job " + id + " " + ended(got.Status)}, nil
	case got.Skipped > 0:
		// Those that were suppressed before are skipped too: the look tells them apart.
		return outcome{rejected: []rejection{{At: -1, N: min(got.Skipped, len(batch)), Why: "Klaviyo's job " + id + " skipped it"}}}, nil
	}
	return outcome{}, nil
}
