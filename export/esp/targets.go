package esp

import (
	"fmt"
	"strings"
)

// Targets returns all targets in the order of the help text: the general
// forms, then the providers that can be pushed to, then the others.
func Targets() []*Target {
	return []*Target{
		csvTarget, jsonlTarget, md5Target, sha256Target, hmacTarget,
		mailgun, sendgrid, sendgridGroup, ses, sesImport, postmark, sparkpost, mailchimp, brevo, klaviyo, listmonk,
		activecampaign, campaignmonitor, constantcontact, customerio, hubspot, iterable, mailjet, mautic, phplist, resend, salesforce,
	}
}

// Find returns the target of a name. Its error names those that are meant
// perhaps, or all.
func Find(name string) (*Target, error) {
	name = strings.ToLower(name)
	var all, near []string
	for _, t := range Targets() {
		if t.Name == name {
			return t, nil
		}
		all = append(all, t.Name)
		if n := min(3, len(name), len(t.Name)); n > 0 && t.Name[:n] == name[:n] {
			near = append(near, t.Name)
		}
	}
	if near != nil {
		return nil, fmt.Errorf("there is no target %q; is %s meant?", name, strings.Join(near, ", "))
	}
	return nil, fmt.Errorf("there is no target %q; targets are %s", name, strings.Join(all, ", "))
}
