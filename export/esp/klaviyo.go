package esp

// Klaviyo suppresses profiles (bulk suppress jobs; klaviyo/openapi stable).
// A bulk unsubscribe with a list is not used: it unsubscribes globally whoever
// is not in that list.

var klaviyo = &Target{
	Name: "klaviyo", Title: "Klaviyo",
	Caps: Caps{
		Words: words("USER_SUPPRESSED", wellFormed...), Scope: "account", MaxBytes: 50_000_000, Batch: 100,
		CreatesContacts: true, Reversible: true, Async: true,
		Beside: "an address without a profile gets one, suppressed; suppressed profiles are not billed",
	},
	files: []file{{name: "klaviyo-suppress", what: "a suppressed profile", enc: oneColumn("Email")}},
	Steps: []string{
		"Audience > Profiles > Suppressed profiles (top right) > Upload file.",
		"Choose the file: it has the one column Email, as Klaviyo asks.",
	},
}
