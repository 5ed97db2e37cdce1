package esp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
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
func mailchimpJudge(status int, h http.Header, body []byte, now time.Time) judgement {
	j := common(status, h, body, now)
	if status == http.StatusForbidden && !json.Valid(body) {
		j = judgement{verdict: again, why: "status 403 from the gateway"}
	}
	return j
}

// openMailchimp adds or updates 500 members a call; the answer names each one
// that was not. An audience with required merge fields would refuse a member
// that is an address only, so that validation is skipped. The data centre is the part of the key behind the dash.
func openMailchimp(c *Config) (*api, error) {
	list, err := c.scope("the id of the audience")
	if err != nil {
		return nil, err
	}
	keys, err := c.keys("MAILCHIMP_API_KEY")
	if err != nil {
		return nil, err
	}
	i := strings.LastIndexByte(keys[0].s, '-')
	dc := keys[0].s[i+1:]
	if c.BaseURL == "" && (i < 0 || dc == "" || strings.Trim(dc, "abcdefghijklmnopqrstuvwxyz0123456789") != "") {
		return nil, fmt.Errorf("the Mailchimp key does not end in its data centre (…-us21)")
	}
	cl, err := newClient("Mailchimp", "https://"+dc+".api.mailchimp.com", c, mailchimpJudge, 200*time.Millisecond, func(r *http.Request, _ []byte) error {
		r.SetBasicAuth("winnow", keys[0].s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := "/3.0/lists/" + url.PathEscape(list)
	type member struct {
		Address string `json:"email_address"`
		Status  string `json:"status"`
	}
	return &api{
		c: cl,
		check: func(ctx context.Context, _ map[string]bool) error {
			err := cl.json(ctx, "GET", at+"?fields=id", nil, nil)
			if is(err, http.StatusNotFound) {
				return fmt.Errorf("there is no audience %s at Mailchimp for this key", list)
			}
			return err
		},
		fetch: func(ctx context.Context, yield func(address, place string)) error {
			const page = 1000
			for _, status := range []string{"cleaned", "unsubscribed"} {
				for offset := 0; ; offset += page {
					var got struct{ Members []member }
					err := cl.json(ctx, "GET", fmt.Sprintf("%s/members?status=%s&count=%d&offset=%d&fields=members.email_address,members.status", at, status, page, offset), nil, &got)
					if err != nil {
						return err
					}
					for _, m := range got.Members {
						yield(m.Address, "")
					}
					if len(got.Members) < page {
						break
					}
				}
			}
			return nil
		},
		send: func(ctx context.Context, _ string, batch []item) (outcome, error) {
			in := struct {
				Members []member `json:"members"`
				Update  bool     `json:"update_existing"`
			}{Update: true}
			for i := range batch {
				in.Members = append(in.Members, member{batch[i].Address, batch[i].Say})
			}
			var got struct {
				Errors []struct {
					Address string `json:"email_address"`
					Error   string `json:"error"`
				} `json:"errors"`
			}
			if err := cl.json(ctx, "POST", at+"?skip_merge_validation=true", &in, &got); err != nil {
				return outcome{}, err
			}
			bad := map[string]string{}
			for _, e := range got.Errors {
				bad[strings.ToLower(e.Address)] = e.Error
			}
			return byAddress(batch, func(yield func(address, why string, ok bool)) {
				for i := range batch {
					why, failed := bad[strings.ToLower(batch[i].Address)]
					yield(batch[i].Address, why, !failed)
				}
			}, ""), nil
		},
	}, nil
}
