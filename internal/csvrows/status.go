package csvrows

// Status is a column by which an ESP's export says that a contact must not be mailed.
type Status struct {
	Column int
	Name   string // header as given
	Kind   string // "unsubscribe", "complaint", "bounce", "blocked": what a hit means
}
