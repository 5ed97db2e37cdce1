// Package winnow separates a mailing list into what may be sent and what must
// not, and says why for every row. A Job names the list, the evidence and the
// policy; Run does the work.
package winnow

import (
	"winnow/bounceimport"
	"winnow/export"
	"winnow/validate"
)

// Job is one cleaning of one or several lists. The zero values of its fields
// are useful: no DNS, no history, the default policy.
type Job struct {
	Lists     []string // paths; "-" is standard input
	Column    string   // address column by name or number; "": detect
	Out       string   // the run directory
	Validator validate.Validator
	Resolver  validate.Resolver // nil: the DNS is not asked
	Evidence  []bounceimport.Source
	Policy    Policy
	Suppress  []string // files of addresses, @domains or hashes never to mail
	Allow     []string // files of addresses or @domains that no list may condemn
	HMACKey   []byte   // for keyed hashes in Suppress
	Dedupe    string   // exact, key (default), provider, off
	Memory    int64    // bytes that may be held; 0: a quarter of the machine
}

// Summary is what a run says of itself.
type Summary = export.Summary
