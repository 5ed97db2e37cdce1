package esp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/api"
)

// Mailchimp knows contacts of an audience with a status
// (POST /3.0/lists/{id}, members[]).

var mailchimpCleaned = []Reason{HardBounce, DeadDomain, SoftBounce, Disposable, Role, Typo, Stale}

var mailchimp = &Target{
	Name: "mailchimp", Title: "Mailchimp",
	Caps: Caps{
		Words: map[Reason]string{
			HardBounce: "cleaned", DeadDomain: "cleaned", SoftBounce: "cleaned", Disposable: "cleaned", Role: "cleaned", Typo: "cleaned", Stale: "cleaned",
			Complaint: "unsubscribed", Unsubscribe: "unsubscribed", Manual: "unsubscribed",
		},
		Scope: "audience", Batch: 500, CreatesContacts: true,
		Beside: "an audience is not the account: repeat for every audience. Unsubscribed contacts count towards the plan and can come back only by signing up again",
	},
	files: []file{
		{name: "mailchimp-cleaned", reasons: mailchimpCleaned, what: "a contact with the status Cleaned", enc: oneColumn("Email Address")},
		{name: "mailchimp-unsubscribed", reasons: optOuts, what: "a contact with the status Unsubscribed", enc: oneColumn("Email Address")},
	},
	ScopeHelp: "the id of the audience", KeyNames: []string{"MAILCHIMP_API_KEY"}, open: openMailchimp,
	Docs: "https://mailchimp.com/help/about-cleaned-contacts",
	Steps: []string{
		"Audience > Add contacts > Import contacts > Upload a file, and choose mailchimp-unsubscribed.csv.",
		"At 'status for these contacts' choose Unsubscribed, tick 'Update any existing contacts', import.",
		"Do the same with mailchimp-cleaned.csv and the status Cleaned.",
		"Repeat for every audience you mail.",
	},
}

// mailchimpJudge: 429 says no time, and a 403 that is not JSON comes from the
// gateway and means the same.
func mailchimpJudge(status int, h http.Header, body []byte, now time.Time) api.Judgement {
	j := api.Common(status, h, body, now)
	if status == http.StatusForbidden && !json.Valid(body) {
		j = api.Judgement{Verdict: api.Again, Why: "status 403 from the gateway"}
	}
	return j
}

type mailchimpMember struct {
	Address string `json:"email_address"`
	Status  string `json:"status"`
}

// openMailchimp adds or updates 500 members a call; the answer names each one. An
// audience with required merge fields would refuse a member that is an address
// only, so that validation is skipped. The data centre is the part of the key
// behind the dash.
func openMailchimp(a *account) (*service, error) {
	list, keys, err := a.scoped("the id of the audience", "MAILCHIMP_API_KEY")
	if err != nil {
		return nil, err
	}
	key := a.Keys.Setting("MAILCHIMP_API_KEY")
	i := strings.LastIndexByte(key, '-')
	dc := key[i+1:]
	if a.BaseURL == "" && (i < 0 || dc == "" || strings.Trim(dc, "abcdefghijklmnopqrstuvwxyz0123456789") != "") {
		return nil, fmt.Errorf("the Mailchimp key does not end in its data centre (…-us21)")
	}
	cl, err := api.New(api.Provider{
		Name: "Mailchimp", Base: "https://" + dc + ".api.mailchimp.com", Pace: 200 * time.Millisecond,
		Judge: mailchimpJudge, Sign: api.Basic("winnow", keys[0]),
	}, &a.Config)
	if err != nil {
		return nil, err
	}
	at := "/3.0/lists/" + url.PathEscape(list)
	return &service{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			err := cl.Get(ctx, at+"?fields=id", nil)
			if api.Is(err, http.StatusNotFound) {
				return fmt.Errorf("there is no audience %s at Mailchimp for this key", list)
			}
			return err
		},
		fetch: func(ctx context.Context, found found) error {
			for _, status := range []string{"cleaned", "unsubscribed"} {
				if err := mailchimpList(ctx, cl, at, status, found); err != nil {
					return err
				}
			}
			return nil
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			in := struct {
				Members []mailchimpMember `json:"members"`
				Update  bool              `json:"update_existing"`
			}{Update: true}
			for i := range batch {
				in.Members = append(in.Members, mailchimpMember{batch[i].Address, batch[i].Say})
			}
			answer, err := cl.Send(ctx, "POST", at+"?skip_merge_validation=true", &in)
			if err != nil {
				return outcome{}, err
			}
			return mailchimpDone(cl, batch, answer)
		},
	}, nil
}

func mailchimpList(ctx context.Context, cl *api.Client, at, status string, found found) error {
	const size = 1000
	path := func(offset int) string {
		return fmt.Sprintf("%s/members?status=%s&count=%d&offset=%d&fields=members.email_address,members.status", at, status, size, offset)
	}
	offset := 0
	return cl.Pages(ctx, path(0), func(now string) (next string, fresh int, err error) {
		var page struct{ Members []mailchimpMember }
		if err := cl.Get(ctx, now, &page); err != nil {
			return "", 0, err
		}
		if offset += size; len(page.Members) == size {
			next = path(offset)
		}
		return next, each(found, page.Members, func(m *mailchimpMember) (string, string) { return m.Address, "" }), nil
	})
}

// mailchimpDone reads the answer to a batch, which is 200 whatever became of it:
// every member is in one of three lists, and those that were taken have their
// status beside them.
func mailchimpDone(cl *api.Client, batch []item, answer []byte) (outcome, error) {
	var got struct {
		New     []mailchimpMember `json:"new_members"`
		Updated []mailchimpMember `json:"updated_members"`
		Errors  []struct {
			Address string `json:"email_address"`
			Error   string `json:"error"`
		} `json:"errors"`
	}
	if err := cl.Decode(answer, &got); err != nil {
		return outcome{}, err
	}
	return byAddress(batch, "Mailchimp", answer, func(yield func(address, why string, ok bool)) {
		for _, e := range got.Errors {
			yield(e.Address, e.Error, false)
		}
		for _, m := range append(got.New, got.Updated...) {
			yield(m.Address, "Mailchimp left it as "+m.Status, m.Status == "cleaned" || m.Status == "unsubscribed")
		}
	}), nil
}
