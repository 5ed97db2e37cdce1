package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
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
	KeyNames: []string{"SENDGRID_API_KEY"}, open: func(c *Config) (*api, error) { return openSendGrid(c, false) },
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
	ScopeHelp: "the number of the unsubscribe group", KeyNames: []string{"SENDGRID_API_KEY"}, open: func(c *Config) (*api, error) { return openSendGrid(c, true) },
	Steps: []string{
		"Suppressions > Unsubscribe groups, open the group's menu, 'Upload a CSV'.",
		"Choose the file.",
	},
}

// openSendGrid speaks the v3 API. The specification sets no limit of a call;
// 1,000 addresses stay far below every body limit. Accounts in the EU have the
// address https://api.eu.sendgrid.com.
func openSendGrid(c *Config, group bool) (*api, error) {
	keys, err := c.keys("SENDGRID_API_KEY")
	if err != nil {
		return nil, err
	}
	to := "/v3/asm/suppressions/global"
	if group {
		id, err := c.scope("the number of the unsubscribe group")
		if err != nil {
			return nil, err
		}
		if n, err := strconv.Atoi(id); err != nil || n <= 0 {
			return nil, fmt.Errorf("--scope %s: the unsubscribe group is named by its number", id)
		}
		to = "/v3/asm/groups/" + url.PathEscape(id) + "/suppressions"
	}
	cl, err := newClient("SendGrid", "https://api.sendgrid.com", c, resetEpoch("X-RateLimit-Reset"), 100*time.Millisecond, bearer("Bearer ", keys[0]))
	if err != nil {
		return nil, err
	}
	return &api{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			if group {
				// A write to a group that is not there would go to the global list.
				err := cl.json(ctx, "GET", to[:len(to)-len("/suppressions")], nil, nil)
				if is(err, http.StatusNotFound) {
					return fmt.Errorf("there is no unsubscribe group %s at SendGrid", c.Scope)
				}
				return err
			}
			return cl.json(ctx, "GET", "/v3/scopes", nil, nil)
		},
		fetch: func(ctx context.Context, yield func(address, place string)) error {
			if group {
				var all []string
				err := cl.json(ctx, "GET", to, nil, &all)
				for _, a := range all {
					yield(a, "")
				}
				return err
			}
			const page = 500
			for offset := 0; ; offset += page {
				var part []struct{ Email string }
				if err := cl.json(ctx, "GET", fmt.Sprintf("/v3/suppression/unsubscribes?limit=%d&offset=%d", page, offset), nil, &part); err != nil {
					return err
				}
				for _, e := range part {
					yield(e.Email, "")
				}
				if len(part) < page {
					return nil
				}
			}
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			return outcome{}, cl.json(ctx, "POST", to, struct {
				Emails []string `json:"recipient_emails"`
			}{addresses(batch)}, nil)
		},
	}, nil
}
