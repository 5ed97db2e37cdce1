package esp

// listmonk blocklists subscribers through its import (knadh/listmonk
// internal/subimporter). The header must be the lower-case word email; an
// invalid or ragged row is left out with a line in the log only.

var listmonk = &Target{
	Name: "listmonk", Title: "listmonk",
	Caps: Caps{
		Words: words("blocklisted", wellFormed...), Scope: "instance", Batch: 10_000,
		CreatesContacts: true, Reversible: true, Async: true,
		Beside: "one import runs at a time; its log, not its status, tells which rows were left out",
	},
	files: []file{{name: "listmonk-blocklist", what: "a blocklisted subscriber, unsubscribed from all lists", enc: oneColumn("email")}},
	Steps: []string{
		"Subscribers > Import, mode 'Blocklist', delimiter ','.",
		"Choose the file, and compare 'imported' with the number of rows printed above.",
	},
}
