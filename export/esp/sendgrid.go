package esp

// SendGrid's bounces, blocks, invalid addresses and spam reports can be read
// and deleted by API and not written: the specification has GET and DELETE
// only (twilio/sendgrid-oai tsg_suppressions_v3). What can be written are the
// global unsubscribes and the unsubscribe groups.

var sendgrid = &Target{
	Name: "sendgrid", Title: "SendGrid, global unsubscribes",
	Caps: Caps{
		Words: words("global unsubscribe", wellFormed...), Scope: "account or subuser", Batch: 1000, Reversible: true,
		Beside: "SendGrid takes no bounces from outside: whatever the reason, the entry becomes a global unsubscribe",
	},
	files: []file{{name: "sendgrid-global-unsubscribes", what: "a global unsubscribe", enc: oneColumn("email")}},
	Steps: []string{
		"Suppressions > Global unsubscribes > Add global unsubscribes.",
		"Choose 'Upload a CSV' and the file.",
	},
}

var sendgridGroup = &Target{
	Name: "sendgrid-group", Title: "SendGrid, one unsubscribe group",
	Caps: Caps{
		Words: words("group unsubscribe", Unsubscribe, Manual), Scope: "unsubscribe group", Batch: 1000, Reversible: true,
		Beside: "a write to a group that does not exist goes to the global list without a word: winnow asks for the group first. Bounces and complaints belong on the global list (--to sendgrid)",
	},
	files: []file{{name: "sendgrid-group-unsubscribes", what: "an unsubscribe from the group", enc: oneColumn("email")}},
	Steps: []string{
		"Suppressions > Unsubscribe groups, open the group's menu, 'Upload a CSV'.",
		"Choose the file.",
	},
}
