package esp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/api"
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
func openPostmark(a *account) (*service, error) {
	stream, keys, err := a.scoped("the message stream", "POSTMARK_SERVER_TOKEN")
	if err != nil {
		return nil, err
	}
	cl, err := api.New(api.Provider{
		Name: "Postmark", Base: "https://api.postmarkapp.com", Pace: 100 * time.Millisecond,
		Sign: api.Header("X-Postmark-Server-Token", "", keys[0]),
	}, &a.Config)
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
	return &service{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			var s struct{ ArchivedAt string }
			err := cl.Get(ctx, at, &s)
			if api.Is(err, http.StatusNotFound) || api.Is(err, http.StatusUnprocessableEntity) {
				return fmt.Errorf("the server of this token has no message stream %s", stream)
			}
			if err == nil && s.ArchivedAt != "" {
				return fmt.Errorf("the message stream %s is archived", stream)
			}
			return err
		},
		fetch: func(ctx context.Context, found found) error {
			var all body
			err := cl.Get(ctx, at+"/suppressions/dump", &all)
			each(found, all.Suppressions, func(s *suppression) (string, string) { return s.EmailAddress, "" })
			return err
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			var in, got body
			for i := range batch {
				in.Suppressions = append(in.Suppressions, suppression{EmailAddress: batch[i].Address})
			}
			answer, err := cl.Send(ctx, "POST", at+"/suppressions", &in)
			if err != nil {
				return outcome{}, err
			}
			if err := cl.Decode(answer, &got); err != nil {
				return outcome{}, err
			}
			return byAddress(batch, "Postmark", answer, func(yield func(address, why string, ok bool)) {
				for _, s := range got.Suppressions {
					yield(s.EmailAddress, s.Message, strings.EqualFold(s.Status, "Suppressed"))
				}
			}), nil
		},
	}, nil
}
