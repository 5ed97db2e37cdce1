package esp

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
	Steps: []string{
		"Audience > Add contacts > Import contacts > Upload a file, and choose mailchimp-unsubscribed.csv.",
		"At 'status for these contacts' choose Unsubscribed, tick 'Update any existing contacts', import.",
		"Do the same with mailchimp-cleaned.csv and the status Cleaned.",
		"Repeat for every audience you mail.",
	},
}
