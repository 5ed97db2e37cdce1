package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Postmark keeps suppressions for each message stream of a server; what comes
// from outside is stored as ManualSuppression with the origin Customer
// (postmarkapp.com/developer/api/suppressions-api).

var postmark = &Target{
	Name: "postmark", Title: "Postmark",
	Caps: Caps{
		Words: words("ManualSuppression", wellFormed...), Scope: "message stream", Batch: 50, Reversible: true,
		Beside: "lists are kept for each message stream: repeat for every stream. Whatever the reason, the entry becomes a ManualSuppression",
	},
	files:     []file{{name: "postmark-suppressions", ext: "txt", what: "a manual suppression in the stream", enc: oneColumn("")}},
	ScopeHelp: "the message stream, e.g. broadcast", KeyNames: []string{"POSTMARK_SERVER_TOKEN"}, open: openPostmark,
	Docs: "https://postmarkapp.com/developer/api/suppressions-api",
	Steps: []string{
		"Open the server and the message stream > Suppressions > Add suppressions.",
		"Paste the lines of the file. For more than a few hundred use 'winnow push --to postmark'.",
	},
}

// openPostmark sends 50 addresses a call; every one is answered by itself. A 429
// comes without a time.
func openPostmark(c *Config) (*api, error) {
	stream, err := c.scope("the message stream")
	if err != nil {
		return nil, err
	}
	keys, err := c.keys("POSTMARK_SERVER_TOKEN")
	if err != nil {
		return nil, err
	}
	cl, err := newClient("Postmark", "https://api.postmarkapp.com", c, common, 100*time.Millisecond, func(r *http.Request, _ []byte) error {
		r.Header.Set("X-Postmark-Server-Token", keys[0].s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := "/message-streams/" + url.PathEscape(stream)
	type suppression struct {
		EmailAddress string
		Status       string `json:",omitempty"`
		Message      string `json:",omitempty"`
	}
	type body struct{ Suppressions []suppression }
	return &api{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			var s struct{ ArchivedAt string }
			err := cl.json(ctx, "GET", at, nil, &s)
			if is(err, http.StatusNotFound) || is(err, http.StatusUnprocessableEntity) {
				return fmt.Errorf("the server of this token has no message stream %s", stream)
			}
			if err == nil && s.ArchivedAt != "" {
				return fmt.Errorf("the message stream %s is archived", stream)
			}
			return err
		},
		fetch: func(ctx context.Context, yield func(address, place string)) error {
			var all body
			err := cl.json(ctx, "GET", at+"/suppressions/dump", nil, &all)
			for _, s := range all.Suppressions {
				yield(s.EmailAddress, "")
			}
			return err
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			var in, got body
			for i := range batch {
				in.Suppressions = append(in.Suppressions, suppression{EmailAddress: batch[i].Address})
			}
			if err := cl.json(ctx, "POST", at+"/suppressions", &in, &got); err != nil {
				return outcome{}, err
			}
			return byAddress(batch, func(yield func(address, why string, ok bool)) {
				for _, s := range got.Suppressions {
					yield(s.EmailAddress, s.Message, strings.EqualFold(s.Status, "Suppressed"))
				}
			}, "Postmark did not answer for it"), nil
		},
	}, nil
}
