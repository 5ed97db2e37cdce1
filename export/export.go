// Package export writes where rows go: the lists of a run, which appear
// together or not at all.
package export

// The lists of a run. Every input record is in exactly one of them.
const (
	Cleaned    = "cleaned"
	Suppressed = "suppressed"
	Review     = "review"
	Duplicates = "duplicates"
	Rejected   = "rejected"
	Fixes      = "fixes" // typo suggestions for a person; holds no records
)
