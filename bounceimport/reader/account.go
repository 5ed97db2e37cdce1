package reader

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/internal/shown"
)

// Account says what became of the records of a source: every record that was
// read is used, ignored, unmapped or malformed.
type Account struct {
	Name      string           `json:"name"`
	Format    string           `json:"format"`             // name of the reader, "mixed" when there were several
	Read      int64            `json:"read"`               // records: rows, mails, log lines, JSON objects
	Used      int64            `json:"used"`               // gave at least one event
	Ignored   int64            `json:"ignored"`            // understood, and says nothing of an address
	Unmapped  int64            `json:"unmapped"`           // readable, but not understood
	Malformed int64            `json:"malformed"`          // not readable
	Events    int64            `json:"events"`             // one record may give several
	Why       map[string]int64 `json:"why,omitempty"`      // counts by reason for the records that were not used
	Problems  []string         `json:"problems,omitempty"` // the first malformed and unmapped records, as "file:line: why"
}

// What an account remembers is bounded: reasons may quote the source.
const (
	maxProblems = 20
	maxWhys     = 40
)

// Add adds the figures of b to a.
func (a *Account) Add(b *Account) {
	switch {
	case a.Format == "" || a.Read == 0 && b.Read > 0:
		a.Format = b.Format
	case b.Read > 0 && a.Format != b.Format:
		a.Format = "mixed"
	}
	a.Read += b.Read
	a.Used += b.Used
	a.Ignored += b.Ignored
	a.Unmapped += b.Unmapped
	a.Malformed += b.Malformed
	a.Events += b.Events
	for k, n := range b.Why {
		a.count(k, n)
	}
	a.Problems = append(a.Problems, b.Problems[:min(len(b.Problems), maxProblems-min(len(a.Problems), maxProblems))]...)
}

func (a *Account) count(why string, n int64) {
	if a.Why == nil {
		a.Why = make(map[string]int64)
	}
	if why = shown.Prefix(shown.Line(why), 80); a.Why[why] == 0 && len(a.Why) >= maxWhys {
		why = "other reasons"
	}
	a.Why[why] += n
}

// pass counts a file of a directory that is none of ours.
func (a *Account) pass(why string) {
	a.Read++
	a.Ignored++
	a.count(why, 1)
}

// skip counts a file of a directory, or a member of an archive, that is nothing
// we know.
func (a *Account) skip(e *formError) {
	a.Read++
	if e.damaged {
		a.Malformed++
	} else {
		a.Unmapped++
	}
	a.count(e.why, 1)
	if len(a.Problems) < maxProblems {
		a.Problems = append(a.Problems, e.Error())
	}
}

// formError is about a file whose content is nothing we know, or damaged.
type formError struct {
	name, why string
	damaged   bool // it cannot be read to its end
}

func (e *formError) Error() string { return shown.Name(e.name) + ": " + shown.Line(e.why) }

func unknownForm(name string) error {
	return &formError{name, "not a form of bounces that winnow knows", false}
}

// String returns the account in one line.
func (a *Account) String() string {
	var b strings.Builder
	format := a.Format
	if format == "" {
		format = "no files"
	}
	fmt.Fprintf(&b, "%s: %s, %d read, %d used (%d events)", shown.Name(a.Name), format, a.Read, a.Used, a.Events)
	for _, n := range []struct {
		n    int64
		what string
	}{{a.Ignored, "ignored"}, {a.Unmapped, "unmapped"}, {a.Malformed, "malformed"}} {
		if n.n > 0 {
			fmt.Fprintf(&b, ", %d %s", n.n, n.what)
		}
	}
	if len(a.Why) > 0 {
		whys := slices.Sorted(maps.Keys(a.Why))
		slices.SortStableFunc(whys, func(x, y string) int { return int(a.Why[y] - a.Why[x]) })
		for i, w := range whys {
			sep := "; "
			if i == 0 {
				sep = " ("
			}
			fmt.Fprintf(&b, "%s%s: %d", sep, w, a.Why[w])
		}
		b.WriteByte(')')
	}
	return b.String()
}
