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

// ReasonColumns are the columns that winnow adds to what it suppresses or holds.
func ReasonColumns() []string {
	return []string{"winnow_reason", "winnow_detail", "winnow_suggestion", "winnow_evidence", "winnow_date"}
}

// DuplicateColumns are the columns that winnow adds to duplicates.
func DuplicateColumns() []string { return []string{"winnow_first_record"} }
