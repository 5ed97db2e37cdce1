package esp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
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
func openKlaviyo(c *Config) (*api, error) {
	keys, err := c.keys("KLAVIYO_API_KEY")
	if err != nil {
		return nil, err
	}
	auth := bearer("Klaviyo-API-Key ", keys[0])
	cl, err := newClient("Klaviyo", "https://a.klaviyo.com", c, common, 100*time.Millisecond, func(r *http.Request, b []byte) error {
		r.Header.Set("revision", klaviyoRevision)
		r.Header.Set("Accept", "application/vnd.api+json")
		return auth(r, b)
	})
	if err != nil {
		return nil, err
	}
	const at = "/api/profile-suppression-bulk-create-jobs"
	a := &api{c: cl, verify: true}
	suppressed := func(size string) string {
		return "/api/profiles?" + url.Values{
			"filter":          {"greater-than(subscriptions.email.marketing.suppression.timestamp,2000-01-01T00:00:00Z)"},
			"fields[profile]": {"email"},
			"page[size]":      {size},
		}.Encode()
	}
	a.check = func(ctx context.Context, _ map[string]bool) error {
		return cl.json(ctx, "GET", suppressed("1"), nil, nil)
	}
	a.fetch = func(ctx context.Context, yield func(address, place string)) error {
		for next := suppressed("100"); next != ""; {
			var page struct {
				klaviyoData[[]klaviyoObject[klaviyoProfile]]
				Links struct{ Next string }
			}
			if err := cl.json(ctx, "GET", next, nil, &page); err != nil {
				return err
			}
			for _, p := range page.Data {
				yield(p.Attributes.Email, "")
			}
			next = pathOf(page.Links.Next)
		}
		return nil
	}
	a.send = func(ctx context.Context, _ string, batch []item) (outcome, error) {
		var in klaviyoData[klaviyoObject[klaviyoProfiles]]
		in.Data.Type = "profile-suppression-bulk-create-job"
		for i := range batch {
			in.Data.Attributes.Profiles.Data = append(in.Data.Attributes.Profiles.Data, klaviyoObject[klaviyoProfile]{Type: "profile", Attributes: klaviyoProfile{batch[i].Address}})
		}
		body, err := json.Marshal(&in)
		if err != nil {
			return outcome{}, err
		}
		answer, err := cl.call(ctx, "POST", at, "application/vnd.api+json", body)
		if err != nil {
			return outcome{}, err
		}
		var made klaviyoData[klaviyoObject[struct{}]]
		if err := decode("Klaviyo", answer, &made); err != nil {
			return outcome{}, err
		}
		if made.Data.ID == "" {
			return outcome{}, &callError{verdict: maybe, why: "Klaviyo made a job without a name"}
		}
		return outcome{job: made.Data.ID}, nil
	}
	a.wait = func(ctx context.Context, id string, batch []item) (outcome, error) {
		var job klaviyoData[klaviyoObject[struct {
			Status  string `json:"status"`
			Skipped int    `json:"skipped_count"`
		}]]
		err := a.poll(ctx, func() (bool, error) {
			err := cl.json(ctx, "GET", at+"/"+url.PathEscape(id), nil, &job)
			return job.Data.Attributes.Status != "queued" && job.Data.Attributes.Status != "processing", err
		})
		switch got := job.Data.Attributes; {
		case err != nil:
			return outcome{}, err
		case got.Status != "complete":
			return outcome{unknown: len(batch), why: "Klaviyo's job " + id + " ended as " + oneLine(got.Status, 40)}, nil
		case got.Skipped > 0:
			// Those that were suppressed before are skipped too: the look tells them apart.
			return outcome{rejected: []rejection{{At: -1, N: min(got.Skipped, len(batch)), Why: "Klaviyo's job " + id + " skipped it"}}}, nil
		}
		return outcome{}, nil
	}
	return a, nil
}
