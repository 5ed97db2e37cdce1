package winnow

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/validate"
)

// Job is one cleaning of one or several lists. The zero values of its fields
// are useful: no DNS, no history, the default policy.
//
// One list is written to Out/cleaned.csv, Out/suppressed.csv and so on. Of
// several lists each keeps its own header and dialect and gets a folder of its
// own, named after the file: a.csv is written to Out/a/cleaned.csv. They are
// one run all the same: one summary.json, one fixes.csv, and an address of a
// later list that stood in an earlier one is its duplicate.
type Job struct {
	Lists     []string // paths; "-" is standard input
	Column    string   // address column by name or number; "": detect
	By        string   // column, by name or number, by whose values the summary counts; "": none
	Out       string   // the run directory
	Validator validate.Validator
	Resolver  validate.Resolver // nil: the DNS is not asked
	Evidence  []bounceimport.Source
	Policy    decide.Policy
	Suppress  []string // files of addresses, @domains or hashes never to mail
	Allow     []string // files of addresses or @domains that no list may condemn
	HMACKey   []byte   // for keyed hashes in Suppress
	Dedupe    Dedupe   // "": ByKey
	Memory    int64    // bytes that may be held; 0: a quarter of the machine

	// ApplyFixes is a fixes.csv of an earlier run in which a person has put "yes"
	// into the column accept. Of the rows whose address is accepted there, the
	// address is replaced by the suggestion, in cleaned.csv too; it is the only
	// way in which winnow changes an address, and every change is listed in
	// fixed.csv.
	ApplyFixes string

	// SpreadsheetSafe writes a copy beside every list, cleaned.spreadsheet.csv and
	// so on, in which cells that a spreadsheet would run as a formula have an
	// apostrophe in front. The copies are for looking at, not for importing.
	SpreadsheetSafe bool

	Bounces  *summary.BounceSummary // what Evidence holds, for the summary; nil: not known
	Gates    *report.Limits         // of the gates; nil: none is judged
	Previous *Summary               // the run to compare with; nil: the one that is replaced
	Page     bool                   // write report.html

	// Behind are the files that Evidence and Resolver were made from, by Name and
	// Role: the output must not hold them, and the summary says what they were. The
	// SHA-256 of those that have none yet is taken, except of a history: the database
	// is in use.
	Behind []summary.InputFile

	Stdin     io.Reader          // what "-" is; nil: os.Stdin
	Now       time.Time          // the time at which Evidence and Gates are asked; zero: the present
	Began     time.Time          // when the work began of which Run is the last part; zero: now
	Progress  *Progress          // nil: nobody looks
	Version   string             // of the program, for the summary
	Command   []string           // the command line, for the summary
	FactLists []summary.FactList // nil: those of Validator
}

// Dedupe says what makes two addresses the same.
type Dedupe string

// The ways of finding duplicates.
const (
	ByKey      Dedupe = "key"      // upper and lower case are the same
	ByBytes    Dedupe = "exact"    // they are not, in the local part
	ByProvider Dedupe = "provider" // also what the provider delivers to one mailbox
	NoDedupe   Dedupe = "off"      // no two addresses are
)

// Summary is what a run says of itself.
type Summary = summary.Summary

func (j *Job) now() time.Time {
	if j.Now.IsZero() {
		return time.Now()
	}
	return j.Now
}

// Progress is how far a run is. All of it may be read while Run works.
type Progress struct {
	Bytes    atomic.Int64 // read, in both passes and of the suppression lists
	Total    atomic.Int64 // to be read; grows as files are opened
	Rows     atomic.Int64 // records read in the present pass
	Domains  atomic.Int64 // distinct domains to ask the DNS for
	Answered atomic.Int64 // of them
	Unknown  atomic.Int64 // of those: without proof either way
	phase    atomic.Int32
}

// Phase says what is being done: "reading", "asking the DNS", "reading
// suppression lists", "reading bounces", "writing", "done".
func (p *Progress) Phase() string { return phases[p.phase.Load()] }

var phases = [...]string{"starting", "reading", "reading suppression lists", "reading bounces", "asking the DNS", "writing", "finishing", "done"}

const (
	phaseReading = iota + 1
	phaseLists
	phaseBounces
	phaseDNS
	phaseWriting
	phaseFinishing
	phaseDone
)

func (p *Progress) enter(phase int32) { p.phase.Store(phase) }

// read counts what was read of a list.
func (p *Progress) read(bytes, records int64) {
	p.Bytes.Add(bytes)
	p.Rows.Add(records)
}
