package winnow

import (
	"strconv"

	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/validate"
)

// fate is the list of the run in which a record ends.
type fate uint8

const (
	kept fate = iota
	duplicate
	review
	suppressed
	rejected
	fates
)

var fateNames = [fates]string{export.Cleaned, export.Duplicates, export.Review, export.Suppressed, export.Rejected}

// row is what is found out about one record.
type row struct {
	fate     fate
	verdict  uint8             // in verdicts, 0: none
	wish     bool              // the person complained or unsubscribed, or the user's lists forbid it
	provider uint16            // of dom, beside it because dom may have left the cache
	whole    bool              // as all of its file
	dec      int32             // in decs, -1: none is needed
	count    int32             // addresses in the cell
	firstIn  uint32            // list of the first copy
	first    int64             // and its record number
	reason   string            // why it is where it is
	dom      *known.Domain     // nil: no address
	fix      *validate.Address // accepted, to be written in place of the address
}

var verdicts = [...]string{"", decide.Deliverable, decide.Risky, decide.Undeliverable, decide.Unknown}

// verdictNumber returns the place of a verdict in verdicts.
func verdictNumber(verdict string) uint8 {
	for i := 1; i < len(verdicts); i++ {
		if verdicts[i] == verdict {
			return uint8(i)
		}
	}
	return 0
}

// candidate is an address whose hash occurs more than once.
type candidate struct {
	row      int32
	at       int32 // in the table of what occurs more than once
	from, to int32 // in keys
	seen     bool  // in a record before
}

// foundFix is a suggestion for a mistyped address, and how many rows have it.
type foundFix struct {
	address, suggestion, why string
	domain, typo             string // what is mistyped and what was meant; "": another slip
	rows                     int64
}

// rows are the records of a chunk, on their way from the judge to the files. A
// worker uses one again and again.
type rows struct {
	list    int // index of the list
	all     []row
	decs    []decide.Decision
	cands   []candidate
	keys    []byte // of cands
	fixes   []foundFix
	flags   []string // of all records
	repairs []string // of all records
	onList  int64    // addresses of which earlier mail is known
}

func (rs *rows) reset(list int) {
	rs.list, rs.onList = list, 0
	rs.all, rs.decs, rs.cands, rs.keys, rs.fixes = rs.all[:0], rs.decs[:0], rs.cands[:0], rs.keys[:0], rs.fixes[:0]
	rs.flags, rs.repairs = rs.flags[:0], rs.repairs[:0]
}

// follow sends a further copy where it belongs: a copy of a kept address to the
// duplicates, a copy of one that is not kept where that one went, so that
// nothing in the duplicates can bring it back. What is worse by itself stays.
func (rs *rows) follow(rw *row, first fate) {
	if rw.fate > first || rw.fate == first && rw.fate != kept {
		return
	}
	if first == kept {
		rw.fate, rw.reason = duplicate, decide.ReasonDuplicate
		return
	}
	what := "is suppressed"
	d := decide.Decision{Action: decide.Suppress, Verdict: decide.Risky, Reason: decide.ReasonDuplicate}
	if first == review {
		d.Action, what = decide.Review, "is up for review"
	}
	d.Detail = "A further copy of record " + strconv.FormatInt(rw.first, 10) + ", which " + what + "."
	rw.fate, rw.reason, rw.dec = first, d.Reason, int32(len(rs.decs))
	rs.decs = append(rs.decs, d)
}
