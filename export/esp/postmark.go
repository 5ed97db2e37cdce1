package esp

// Postmark keeps suppressions for each message stream of a server; what comes
// from outside is stored as ManualSuppression with the origin Customer
// (postmarkapp.com/developer/api/suppressions-api).

var postmark = &Target{
	Name: "postmark", Title: "Postmark",
	Caps: Caps{
		Words: words("ManualSuppression", wellFormed...), Scope: "message stream", Batch: 50, Reversible: true,
		Beside: "lists are kept for each message stream: repeat for every stream. Whatever the reason, the entry becomes a ManualSuppression",
	},
	files: []file{{name: "postmark-suppressions", ext: "txt", what: "a manual suppression in the stream", enc: oneColumn("")}},
	Steps: []string{
		"Open the server and the message stream > Suppressions > Add suppressions.",
		"Paste the lines of the file. For more than a few hundred use 'winnow push --to postmark'.",
	},
}
