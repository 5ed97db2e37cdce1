package esp

// The providers for which winnow writes files and does not push. One line of
// Targets, one value here and one golden file each.

// activecampaign: Contacts > Import, "Import as excluded"
// (help.activecampaign.com 207362110).
var activecampaign = &Target{
	Name: "activecampaign", Title: "ActiveCampaign",
	Caps:  Caps{Words: words("excluded", wellFormed...), Scope: "list, or all lists", Reversible: true},
	files: []file{{name: "activecampaign-exclusions", what: "an entry of the exclusion list", enc: oneColumn("email")}},
	Docs:  "https://help.activecampaign.com/hc/en-us/articles/207362110-Exclusion-list",
	Steps: []string{
		"Contacts > Import > import from file, and choose the file.",
		"Map the column email to Email, choose no list (or the lists to exclude from).",
		"Under import options choose 'Import as excluded', then import.",
	},
}

// campaignmonitor: the suppression list of a client
// (createsend-ruby lib/createsend/client.rb: the same list by API).
var campaignmonitor = &Target{
	Name: "campaignmonitor", Title: "Campaign Monitor",
	Caps:  Caps{Words: words("suppressed", wellFormed...), Scope: "client", Reversible: true},
	files: []file{{name: "campaignmonitor-suppressions", ext: "txt", what: "an entry of the client's list", enc: oneColumn("")}},
	Steps: []string{
		"Lists & subscribers > Suppression list > Add email addresses.",
		"Paste or upload the lines of the file, one address a line.",
	},
}

// constantcontact drops what is past 40,000 rows (header included) or 4 MB
// without a word (developer.constantcontact.com, import contacts).
var constantcontact = &Target{
	Name: "constantcontact", Title: "Constant Contact",
	Caps: Caps{
		Words: words("unsubscribed", wellFormed...), Scope: "account",
		MaxRows: 40000, MaxBytes: 4_000_000, CreatesContacts: true, Async: true,
		Beside: "one import holds 40,000 rows and 4 MB, what is past that is dropped silently: every part is below it. An unsubscribed contact can come back only by itself",
	},
	files: []file{{name: "constantcontact-unsubscribes", what: "an unsubscribed contact", enc: oneColumn("Email address")}},
	Steps: []string{
		"Contacts > Add contacts > Upload from file, one part after the other.",
		"On the permission step choose 'Unsubscribed'; map 'Email address'; finish and wait for the mail that it is done.",
	},
}

type customerioRow struct {
	Email        string `csv:"email"`
	Unsubscribed string `csv:"unsubscribed"`
}

// customerio: an import of people with the reserved attribute unsubscribed.
// The API call customers/{id}/suppress deletes the person for ever and is not
// used.
var customerio = &Target{
	Name: "customerio", Title: "Customer.io",
	Caps: Caps{
		Words: words("unsubscribed", wellFormed...), Scope: "workspace", CreatesContacts: true, Reversible: true, Async: true,
		Beside: "sets unsubscribed=true; transactional messages still go unless they are told to respect it",
	},
	files: []file{{name: "customerio-unsubscribed", what: "a person with unsubscribed = true", enc: rows(func(e *Entry, _ string) []customerioRow {
		return []customerioRow{{e.Address, "true"}}
	})}},
	Steps: []string{
		"People > Import > CSV, identify people by email.",
		"Choose 'Only update existing people' unless new people are wanted, map unsubscribed to the attribute unsubscribed, import.",
	},
}

// hubspot: an opt-out list import
// (knowledge.hubspot.com/marketing-email/import-an-opt-out-list).
var hubspot = &Target{
	Name: "hubspot", Title: "HubSpot",
	Caps: Caps{
		Words: words("opted out", wellFormed...), Scope: "account",
		Beside: "an opt-out list creates no contacts; who opted out can come back only by resubscribing",
	},
	files: []file{{name: "hubspot-opt-out", what: "an address opted out of all email", enc: oneColumn("Email")}},
	Docs:  "https://knowledge.hubspot.com/marketing-email/import-an-opt-out-list",
	Steps: []string{
		"CRM > Contacts > Import > Start an import > Opt-out list.",
		"Choose the file, confirm with the number of rows that is printed above.",
	},
}

// iterable: support.iterable.com 204859966.
var iterable = &Target{
	Name: "iterable", Title: "Iterable",
	Caps: Caps{Words: words("unsubscribed", wellFormed...), Scope: "channel", Reversible: true, Async: true,
		Beside: "one channel at a time: repeat for each marketing channel"},
	files: []file{{name: "iterable-unsubscribe", what: "unsubscribed from the channel", enc: oneColumn("email")}},
	Docs:  "https://support.iterable.com/hc/en-us/articles/204859966",
	Steps: []string{
		"Audience > Lists > Unsubscribe from channel.",
		"Choose the channel, upload the file, and repeat for every channel.",
	},
}

// mailjet: documentation.mailjet.com, campaign exclusion list.
var mailjet = &Target{
	Name: "mailjet", Title: "Mailjet",
	Caps: Caps{Words: words("excluded from campaigns", wellFormed...), Scope: "account", CreatesContacts: true, Reversible: true, Async: true,
		Beside: "stops marketing campaigns only: transactional mail still goes"},
	files: []file{{name: "mailjet-exclusion", what: "an entry of the campaign exclusion list", enc: func() encoder {
		return &column{head: `"email"`}
	}}},
	Docs: "https://documentation.mailjet.com/hc/en-us/articles/360042455934",
	Steps: []string{
		"Contacts > Exclusion list > Manage contacts.",
		"Upload the file, then 'Add contacts'. By API: csvimport with Method excludemarketing and without ContactsListID (error MJ08).",
	},
}

type mauticRow struct {
	Email string `csv:"email"`
	DNC   string `csv:"donotemail"`
}

// mautic: a value of 0 in the column mapped to 'Do not contact' takes an
// existing mark away (Mautic LeadModel.php); every row here says 1.
var mautic = &Target{
	Name: "mautic", Title: "Mautic",
	Caps: Caps{Words: words("1", wellFormed...), Scope: "instance", CreatesContacts: true, Reversible: true, Async: true,
		Beside: "never import a 0 in that column: it takes the mark away"},
	files: []file{{name: "mautic-do-not-contact", what: "marked 'do not contact' for email", enc: rows(func(e *Entry, word string) []mauticRow {
		return []mauticRow{{e.Address, word}}
	})}},
	Steps: []string{
		"Contacts > Import, choose the file.",
		"Map email to Email and donotemail to 'Do not contact (email)', import in the background.",
	},
}

// phplist: lists/admin/suppressionlist.php reads bare lines (phpList/phplist3).
var phplist = &Target{
	Name: "phplist", Title: "phpList",
	Caps:  Caps{Words: words("suppressed", wellFormed...), Scope: "instance", Reversible: true},
	files: []file{{name: "phplist-suppressions", ext: "txt", what: "a blacklisted subscriber", enc: oneColumn("")}},
	Steps: []string{
		"Subscribers > Suppression list, upload the file.",
		"Tick 'make permanent' to blacklist the addresses for good.",
	},
}

// resend: resend.com/changelog/suppression-list-support (CSV import in the
// dashboard; entries have the origin manual).
var resend = &Target{
	Name: "resend", Title: "Resend",
	Caps:  Caps{Words: words("manual", wellFormed...), Scope: "team", Reversible: true},
	files: []file{{name: "resend-suppressions", what: "an entry with the origin manual", enc: oneColumn("email")}},
	Docs:  "https://resend.com/changelog/suppression-list-support",
	Steps: []string{"Emails > Suppressions > Add > Import CSV, choose the file."},
}

// salesforce: an auto-suppression list is a data extension filled by an import
// activity.
var salesforce = &Target{
	Name: "salesforce", Title: "Salesforce Marketing Cloud",
	Caps: Caps{Words: words("auto-suppressed", wellFormed...), Scope: "business unit", Reversible: true, Async: true,
		Beside: "the list acts only in the send classifications or the business unit that it is assigned to"},
	files: []file{{name: "salesforce-auto-suppression", what: "a row of the suppression list", enc: oneColumn("Email Address")}},
	Steps: []string{
		"Email Studio > Admin > Auto-suppression configuration, create or open the list.",
		"Put the file on the Enhanced SFTP and import it into the list's data extension (Automation Studio > Import file, add and update).",
	},
}
