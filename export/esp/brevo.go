package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/winnow-email/winnow/internal/api"
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
func openBrevo(a *account) (*service, error) {
	scope, err := a.need("the number of a list")
	if err != nil {
		return nil, err
	}
	list, err := strconv.Atoi(scope)
	if err != nil || list <= 0 {
		return nil, fmt.Errorf("--scope %s: Brevo names lists by their number", scope)
	}
	keys, err := a.Keys.Need("BREVO_API_KEY")
	if err != nil {
		return nil, err
	}
	cl, err := api.New(api.Provider{
		Name: "Brevo", Base: "https://api.brevo.com", Pace: 150 * time.Millisecond,
		Judge: api.ResetSeconds("x-sib-ratelimit-reset"), Sign: api.Header("api-key", "", keys[0]),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	return &service{
		c: cl, verify: true,
		check: func(ctx context.Context, _ map[string]bool) error {
			err := cl.Get(ctx, fmt.Sprintf("/v3/contacts/lists/%d", list), nil)
			if api.Is(err, http.StatusNotFound) {
				return fmt.Errorf("there is no list %d at Brevo for this key", list)
			}
			return err
		},
		fetch: func(ctx context.Context, found found) error { return brevoList(ctx, cl, found) },
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			return brevoImport(ctx, cl, list, batch)
		},
		wait: func(ctx context.Context, id string, batch []item) (outcome, error) {
			var job struct{ Status string }
			err := cl.Poll(ctx, func() (bool, error) {
				err := cl.Get(ctx, "/v3/processes/"+url.PathEscape(id), &job)
				return job.Status != "queued" && job.Status != "in_process" && job.Status != "processing", err
			})
			if err == nil && job.Status != "completed" {
				return outcome{unknown: len(batch), why: "Brevo's import " + id + " " + ended(job.Status)}, nil
			}
			return outcome{}, err
		},
	}, nil
}

func brevoList(ctx context.Context, cl *api.Client, found found) error {
	const size = 1000
	type contact struct {
		Email            string
		EmailBlacklisted bool
	}
	at := func(offset int) string { return fmt.Sprintf("/v3/contacts?limit=%d&offset=%d", size, offset) }
	offset, firsts := 0, set{}
	return cl.Pages(ctx, at(0), func(path string) (next string, fresh int, err error) {
		var page struct{ Contacts []contact }
		if err := cl.Get(ctx, path, &page); err != nil {
			return "", 0, err
		}
		if offset += size; len(page.Contacts) == size {
			next = at(offset)
		}
		// There may be nobody on a page who is blocked: that the list goes on is told by
		// its first contact.
		if len(page.Contacts) > 0 && firsts.add(page.Contacts[0].Email) {
			fresh++
		}
		for _, c := range page.Contacts {
			if c.EmailBlacklisted && found(c.Email, "") {
				fresh++
			}
		}
		return next, fresh, nil
	})
}

func brevoImport(ctx context.Context, cl *api.Client, list int, batch []item) (outcome, error) {
	type contact struct {
		Email string `json:"email"`
	}
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
	answer, err := cl.Send(ctx, "POST", "/v3/contacts/import", &in)
	if err != nil {
		return outcome{}, err
	}
	var made struct{ ProcessID int64 }
	if err := cl.Decode(answer, &made); err != nil {
		return outcome{}, err
	}
	if made.ProcessID <= 0 {
		return outcome{}, cl.Odd("did not say that it began an import", answer)
	}
	return outcome{job: strconv.FormatInt(made.ProcessID, 10)}, nil
}
