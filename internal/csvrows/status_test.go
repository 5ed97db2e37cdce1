package csvrows

import (
	"strings"
	"testing"

	"github.com/winnow-email/winnow/internal/columns"
)

func TestStatusColumns(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		status   string // columns that are sure, or say a no: name=kind, joined by a space
		hits     string // kind of each record, "-" for none
	}{
		{"Mailchimp unsubscribed", "Email Address,UNSUB_TIME\na@x.org,2024-01-02 10:00:00\nb@x.org,\n", "UNSUB_TIME=unsubscribe", "unsubscribe -"},
		{"Mailchimp cleaned", "Email Address,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\na@x.org,2024-01-02 10:00:00,June\n", "CLEAN_TIME=bounce", "bounce"},
		{"zero date", "Email,unsubscribed_at\na@x.org,0000-00-00 00:00:00\nb@x.org,2024-01-02T10:00:00Z\n", "unsubscribed_at=unsubscribe", "- unsubscribe"},
		{"Brevo", "EMAIL,SMS,EMAIL_BLACKLISTED,SMS_BLACKLISTED\na@x.org,,true,false\nb@x.org,,false,true\n", "EMAIL_BLACKLISTED=blocked", "blocked -"},
		{"ActiveCampaign", "Email,Status\na@x.org,Active\nb@x.org,Unsubscribed\nc@x.org,Bounced\nd@x.org,Unconfirmed\n", "Status=unsubscribe", "- unsubscribe bounce -"},
		{"Shopify", "Email,Accepts Email Marketing,Accepts SMS Marketing\na@x.org,yes,no\nb@x.org,no,no\n", "Accepts Email Marketing=unsubscribe", "- unsubscribe"},
		{"Substack", "email,active_subscription,email_disabled\na@x.org,false,false\nb@x.org,true,true\n", "email_disabled=blocked", "- blocked"},
		{"listmonk", "uuid,email,name,attributes,status,created_at\n1,a@x.org,A,{},enabled,2024\n2,b@x.org,B,{},blocklisted,2024\n3,c@x.org,C,{},disabled,2024\n", "status=unsubscribe", "- blocked blocked"},
		{"accounts switched off are not listmonk", "email,status\na@x.org,enabled\nb@x.org,disabled\n", "", "- -"},
		{"HubSpot", "Email,Unsubscribed from all email,Email Hard Bounce Reason\na@x.org,true,\nb@x.org,,UNKNOWN_USER\nc@x.org,,CONTENT\nd@x.org,false,\n", "Unsubscribed from all email=unsubscribe Email Hard Bounce Reason=bounce", "unsubscribe bounce - -"},
		{"HubSpot bounces", "Email,Portal Bounce,Portal Unsubscribe,Portal Spam Report,Global Bounce,Marketing Information\na@x.org,UNKNOWN_USER,,,TRUE,\nb@x.org,,TRUE,,,TRUE\nc@x.org,,,TRUE,,\n", "Portal Bounce=bounce Portal Unsubscribe=unsubscribe Portal Spam Report=complaint Global Bounce=bounce", "bounce unsubscribe complaint"},
		{"Kit", "first_name,email_address,state\nA,a@x.org,active\nB,b@x.org,cancelled\nC,c@x.org,complained\n", "state=unsubscribe", "- unsubscribe complaint"},
		{"Klaviyo suppressions", "Email,Reason,Timestamp\na@x.org,HARD_BOUNCE,2023\nb@x.org,UNSUBSCRIBE,2023\nc@x.org,INVALID_EMAIL,2023\n", "Reason=unsubscribe", "bounce unsubscribe bounce"},
		{"Klaviyo consent", "Email,Email Marketing Consent\na@x.org,SUBSCRIBED\nb@x.org,UNSUBSCRIBED\nc@x.org,NEVER_SUBSCRIBED\n", "Email Marketing Consent=unsubscribe", "- unsubscribe unsubscribe"},
		{"Kit, newer", "email_address,first_name,state,created_at\na@x.org,A,active,\nb@x.org,B,cancelled,\nc@x.org,C,bounced,\n", "state=unsubscribe", "- unsubscribe bounce"},
		{"Dynamics", "Email,Do not allow Emails\na@x.org,Allow\nb@x.org,Do Not Allow\n", "Do not allow Emails=blocked", "- blocked"},
		{"Marketo", "Email Address,Unsubscribed,Email Invalid,Black Listed\na@x.org,1,0,0\nb@x.org,0,1,0\nc@x.org,0,0,1\n", "Unsubscribed=unsubscribe Email Invalid=bounce Black Listed=blocked", "unsubscribe bounce blocked"},
		{"Braze", "email,email_subscribe\na@x.org,opted_in\nb@x.org,unsubscribed\n", "email_subscribe=unsubscribe", "- unsubscribe"},
		{"Ghost", "id,email,subscribed_to_emails\n1,a@x.org,true\n2,b@x.org,false\n", "subscribed_to_emails=unsubscribe", "- unsubscribe"},
		{"Intercom", "Email,Unsubscribed from Emails,Has hard bounced,Marked email as spam\na@x.org,true,false,false\nb@x.org,false,true,false\nc@x.org,false,false,true\n", "Unsubscribed from Emails=unsubscribe Has hard bounced=bounce Marked email as spam=complaint", "unsubscribe bounce complaint"},
		{"BigCommerce", "Email,Receive Marketing Emails?\na@x.org,Yes\nb@x.org,No\n", "Receive Marketing Emails?=unsubscribe", "- unsubscribe"},
		{"MailPoet", "Email,Global status\na@x.org,Subscribed\nb@x.org,Inactive\nc@x.org,Bounced\n", "Global status=unsubscribe", "- - bounce"},
		{"MailerLite's dates", "Subscriber,Subscribed\na@x.org,2024-01-01 10:00:00\n", "", "-"},
		{"an event's guests", "Email,Attendee Status,Order Status\na@x.org,Cancelled,Refunded\n", "", "-"},
		{"MailerLite", "Subscriber,Status\na@x.org,active\nb@x.org,junk\n", "Status=unsubscribe", "- complaint"},
		{"Customer.io", "id,email,unsubscribed\n1,a@x.org,true\n2,b@x.org,false\n3,c@x.org,\n", "unsubscribed=unsubscribe", "unsubscribe - -"},
		{"Constant Contact", "email,permission_to_send\na@x.org,explicit\nb@x.org,unsubscribed\n", "permission_to_send=unsubscribe", "- unsubscribe"},
		{"Mailjet", "email,IsExcludedFromCampaigns\na@x.org,True\nb@x.org,False\n", "IsExcludedFromCampaigns=blocked", "blocked -"},
		{"Salesforce", "Email,HasOptedOutOfEmail,HasOptedOutOfFax\na@x.org,1,0\nb@x.org,0,1\n", "HasOptedOutOfEmail=unsubscribe", "unsubscribe -"},
		{"Salesforce report", "Email,Email Opt Out,Email Bounced Reason\na@x.org,0,550 User unknown\nb@x.org,0,554 Blocked for spam\nc@x.org,1,\n", "Email Opt Out=unsubscribe Email Bounced Reason=bounce", "bounce - unsubscribe"},
		{"Klaviyo profiles", "Email,Email Suppressions\na@x.org,[]\nb@x.org,\"[\"\"HARD_BOUNCE\"\"]\"\nc@x.org,USER_SUPPRESSED\n", "Email Suppressions=blocked", "- bounce blocked"},
		{"German", "E-Mail;Abgemeldet\na@x.org;ja\nb@x.org;nein\nc@x.org;22.11.2024\n", "Abgemeldet=unsubscribe", "unsubscribe - unsubscribe"},
		{"French, Latin-1", "Courriel;D\xe9sinscrit\na@x.org;oui\nb@x.org;non\n", "D\xe9sinscrit=unsubscribe", "unsubscribe -"},
		{"an order's status", "Email,Status\na@x.org,shipped\nb@x.org,cancelled\nc@x.org,active\n", "", "- - -"},
		{"a subscription that was paid", "Email,Status\na@x.org,active\nb@x.org,canceled\n", "", "- -"},
		{"accounts that are blocked", "Email,Login,Password reset,Status\na@x.org,a,,active\nb@x.org,b,,blocked\nc@x.org,c,,banned\n", "", "- - -"},
		{"contacts that are blocked", "Email,Status\na@x.org,subscribed\nb@x.org,blocked\nc@x.org,unsubscribed\n", "Status=unsubscribe", "- blocked unsubscribe"},
		{"a paid subscription", "Email,Subscription Status\na@x.org,active\nb@x.org,canceled\n", "", "- -"},
		{"a US state", "email,state\na@x.org,CA\nb@x.org,NY\n", "", "- -"},
		{"an unsubscribe link", "email,Unsubscribe Link,Unsubscribe\na@x.org,https://u.example/1,https://u.example/2\n", "Unsubscribe=unsubscribe", "-"},
		{"counts", "email,Bounces,Unsubscribes\na@x.org,3,2\n", "Bounces=bounce", "-"},
		{"a date of consent", "email,OPTIN_TIME,Opt-in\na@x.org,2024-01-01 10:00:00,2024-01-01 10:00:00\n", "Opt-in=unsubscribe", "-"},
		{"reasons in free text", "email,reason\na@x.org,550 5.1.1 no such user\n", "", "-"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := openBytes(t, []byte(tc.in), Options{})
			s, err := l.Scan()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var c Chunk
			if err := s.Next(&c); err != nil {
				t.Fatal(err)
			}
			judge := columns.NewJudge(l.Status, false)
			var hits []string
			said := map[int]bool{}
			for i := range c.Len() {
				for k, st := range l.Status {
					judge.Cell(k, c.Cell(i, st.Column, nil))
				}
				hit := "-"
				if k, at := judge.Row(); k != "" {
					hit = string(k)
					said[at] = true
				}
				hits = append(hits, hit)
			}
			var status []string
			for k, s := range l.Status {
				if s.Sure && !s.Held || said[k] {
					status = append(status, s.Name+"="+string(s.Kind))
				}
			}
			if got := strings.Join(status, " "); got != tc.status {
				t.Errorf("status columns %q, want %q", got, tc.status)
			}
			if got := strings.Join(hits, " "); got != tc.hits {
				t.Errorf("hits %q, want %q", got, tc.hits)
			}
		})
	}
}
