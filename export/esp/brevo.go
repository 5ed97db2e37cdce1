package esp

// Brevo blocklists contacts (POST /v3/contacts/import with emailBlacklist;
// getbrevo/brevo-node requestContactImport).

var brevo = &Target{
	Name: "brevo", Title: "Brevo",
	Caps: Caps{
		Words: words("blocklisted", wellFormed...), Scope: "account (campaigns)", MaxBytes: 8_000_000,
		Batch: 20_000, BatchBytes: 8_000_000, CreatesContacts: true, Reversible: true, Async: true,
		Beside: "stops campaigns; transactional mail has a blocklist of its own. Unblocking goes one contact at a time",
	},
	files: []file{{name: "brevo-blocklist", what: "a blocklisted contact", enc: oneColumn("EMAIL")}},
	Steps: []string{
		"Contacts > Import contacts > Import from a file, and choose the file.",
		"Map EMAIL, choose or make a list for blocklisted contacts.",
		"On the last step turn on 'Blocklist the imported email contacts', then confirm the import.",
	},
}
