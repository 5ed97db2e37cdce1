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

// SendGrid's bounces, blocks, invalid addresses and spam reports can be read
// and deleted by API and not written: the specification has GET and DELETE
// only (twilio/sendgrid-oai tsg_suppressions_v3). What can be written are the
// global unsubscribes and the unsubscribe groups.

var sendgrid = &Target{
	Name: "sendgrid", Title: "SendGrid, global unsubscribes",
	Caps: Caps{
		Words: words("global unsubscribe", wellFormed...), Scope: "account or subuser", Batch: 1000, Reversible: true,
		Beside: "SendGrid takes no bounces from outside: whatever the reason, the entry becomes a global unsubscribe",
	},
	files:    []file{{name: "sendgrid-global-unsubscribes", what: "a global unsubscribe", enc: oneColumn("email")}},
	KeyNames: []string{"SENDGRID_API_KEY"}, open: func(a *account) (*service, error) { return openSendGrid(a, false) },
	Docs: "https://docs.sendgrid.com/api-reference/suppressions-global-suppressions",
	Steps: []string{
		"Suppressions > Global unsubscribes > Add global unsubscribes.",
		"Choose 'Upload a CSV' and the file.",
	},
}

var sendgridGroup = &Target{
	Name: "sendgrid-group", Title: "SendGrid, one unsubscribe group",
	Caps: Caps{
		Words: words("group unsubscribe", Unsubscribe, Manual), Scope: "unsubscribe group", Batch: 1000, Reversible: true,
		Beside: "a write to a group that does not exist goes to the global list without a word: winnow asks for the group first. Bounces and complaints belong on the global list (--to sendgrid)",
	},
	files:     []file{{name: "sendgrid-group-unsubscribes", what: "an unsubscribe from the group", enc: oneColumn("email")}},
	ScopeHelp: "the number of the unsubscribe group", KeyNames: []string{"SENDGRID_API_KEY"}, open: func(a *account) (*service, error) { return openSendGrid(a, true) },
	Steps: []string{
		"Suppressions > Unsubscribe groups, open the group's menu, 'Upload a CSV'.",
		"Choose the file.",
	},
}

// openSendGrid speaks the v3 API. The specification sets no limit of a call;
// 1,000 addresses stay far below every body limit. Accounts in the EU have the
// address https://api.eu.sendgrid.com.
func openSendGrid(a *account, group bool) (*service, error) {
	keys, err := a.Keys.Need("SENDGRID_API_KEY")
	if err != nil {
		return nil, err
	}
	at, asked := "/v3/asm/suppressions/global", "/v3/scopes"
	if group {
		id, err := a.need("the number of the unsubscribe group")
		if err != nil {
			return nil, err
		}
		if n, err := strconv.Atoi(id); err != nil || n <= 0 {
			return nil, fmt.Errorf("--scope %s: the unsubscribe group is named by its number", id)
		}
		asked = "/v3/asm/groups/" + url.PathEscape(id)
		at = asked + "/suppressions"
	}
	cl, err := api.New(api.Provider{
		Name: "SendGrid", Base: "https://api.sendgrid.com", Pace: 100 * time.Millisecond,
		Judge: api.ResetEpoch("X-RateLimit-Reset"), Sign: api.Header("Authorization", "Bearer ", keys[0]),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	return &service{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			err := cl.Get(ctx, asked, nil)
			if group && api.Is(err, http.StatusNotFound) {
				// A write to a group that is not there would go to the global list.
				return fmt.Errorf("there is no unsubscribe group %s at SendGrid", a.scope)
			}
			return err
		},
		fetch: func(ctx context.Context, found found) error {
			if group {
				var all []string
				err := cl.Get(ctx, at, &all)
				each(found, all, func(a *string) (string, string) { return *a, "" })
				return err
			}
			return sendgridList(ctx, cl, found)
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			type emails struct {
				Emails []string `json:"recipient_emails"`
			}
			answer, err := cl.Send(ctx, "POST", at, emails{addresses(batch)})
			if err != nil {
				return outcome{}, err
			}
			var took emails // "the email addresses that are globally suppressed"
			if err := cl.Decode(answer, &took); err != nil {
				return outcome{}, err
			}
			return byAddress(batch, "SendGrid", answer, func(yield func(address, why string, ok bool)) {
				for _, a := range took.Emails {
					yield(a, "", true)
				}
			}), nil
		},
	}, nil
}

// sendgridList reads the global unsubscribes.
func sendgridList(ctx context.Context, cl *api.Client, found found) error {
	const size = 500
	type entry struct{ Email string }
	at := func(offset int) string {
		return fmt.Sprintf("/v3/suppression/unsubscribes?limit=%d&offset=%d", size, offset)
	}
	offset := 0
	return cl.Pages(ctx, at(0), func(path string) (next string, fresh int, err error) {
		var page []entry
		if err := cl.Get(ctx, path, &page); err != nil {
			return "", 0, err
		}
		if offset += size; len(page) == size {
			next = at(offset)
		}
		return next, each(found, page, func(e *entry) (string, string) { return e.Email, "" }), nil
	})
}
