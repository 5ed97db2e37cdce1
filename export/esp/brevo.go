package esp

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Brevo blocklists contacts (POST /v3/contacts/import with emailBlacklist;
// getbrevo/brevo-node requestContactImport).

var brevo = &Target{
	Name: "brevo", Title: "Brevo",
	Caps: Caps{
		Words: words("blocklisted", wellFormed...), Scope: "account (campaigns)", MaxBytes: 8_000_000,
		Batch: 20_000, BatchBytes: 8_000_000, CreatesContacts: true, Reversible: true, Async: true,
		Beside: "stops campaigns; transactional mail has a blocklist of its own. Unblocking goes one contact at a time",
	},
	files:     []file{{name: "brevo-blocklist", what: "a blocklisted contact", enc: oneColumn("EMAIL")}},
	ScopeHelp: "the number of the list that the blocklisted contacts go into", KeyNames: []string{"BREVO_API_KEY"}, open: openBrevo,
	Docs: "https://help.brevo.com/hc/en-us/articles/5317448358034",
	Steps: []string{
		"Contacts > Import contacts > Import from a file, and choose the file.",
		"Map EMAIL, choose or make a list for blocklisted contacts.",
		"On the last step turn on 'Blocklist the imported email contacts', then confirm the import.",
	},
}

// openBrevo imports contacts with emailBlacklist, 8 MB a call as Brevo advises.
// The import is worked off later, and tells nothing of single rows: winnow looks
// afterwards. Brevo says in a header how many seconds its limit still lasts.
func openBrevo(c *Config) (*api, error) {
	scope, err := c.scope("the number of a list")
	if err != nil {
		return nil, err
	}
	list, err := strconv.Atoi(scope)
	if err != nil || list <= 0 {
		return nil, fmt.Errorf("--scope %s: Brevo names lists by their number", scope)
	}
	keys, err := c.keys("BREVO_API_KEY")
	if err != nil {
		return nil, err
	}
	cl, err := newClient("Brevo", "https://api.brevo.com", c, resetSeconds("x-sib-ratelimit-reset"), 150*time.Millisecond, func(r *http.Request, _ []byte) error {
		r.Header.Set("api-key", keys[0].s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	type contact struct {
		Email string `json:"email"`
	}
	a := &api{c: cl, verify: true}
	a.check = func(ctx context.Context, _ map[string]bool) error {
		err := cl.json(ctx, "GET", fmt.Sprintf("/v3/contacts/lists/%d", list), nil, nil)
		if is(err, http.StatusNotFound) {
			return fmt.Errorf("there is no list %d at Brevo for this key", list)
		}
		return err
	}
	a.fetch = func(ctx context.Context, yield func(address, place string)) error {
		const page = 1000
		for offset := 0; ; offset += page {
			var got struct {
				Contacts []struct {
					Email            string
					EmailBlacklisted bool
				}
			}
			if err := cl.json(ctx, "GET", fmt.Sprintf("/v3/contacts?limit=%d&offset=%d", page, offset), nil, &got); err != nil {
				return err
			}
			for _, c := range got.Contacts {
				if c.EmailBlacklisted {
					yield(c.Email, "")
				}
			}
			if len(got.Contacts) < page {
				return nil
			}
		}
	}
	a.send = func(ctx context.Context, _ string, batch []item) (outcome, error) {
		in := struct {
			Contacts []contact `json:"jsonBody"`
			Lists    []int     `json:"listIds"`
			Block    bool      `json:"emailBlacklist"`
			Update   bool      `json:"updateExistingContacts"`
			Quiet    bool      `json:"disableNotification"`
		}{Lists: []int{list}, Block: true, Update: true, Quiet: true}
		for i := range batch {
			in.Contacts = append(in.Contacts, contact{batch[i].Address})
		}
		var made struct{ ProcessID int64 }
		if err := cl.json(ctx, "POST", "/v3/contacts/import", &in, &made); err != nil {
			return outcome{}, err
		}
		return outcome{job: strconv.FormatInt(made.ProcessID, 10)}, nil
	}
	a.wait = func(ctx context.Context, id string, batch []item) (outcome, error) {
		var job struct{ Status string }
		err := a.poll(ctx, func() (bool, error) {
			err := cl.json(ctx, "GET", "/v3/processes/"+id, nil, &job)
			return job.Status == "completed" || job.Status == "failed" || job.Status == "cancelled", err
		})
		if err == nil && job.Status != "completed" {
			return outcome{unknown: len(batch), why: "Brevo's import " + id + " ended as " + oneLine(job.Status, 40)}, nil
		}
		return outcome{}, err
	}
	return a, nil
}
