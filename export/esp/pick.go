package esp

import (
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export/summary"
)

// Report is the account of an export: what was written, and where the rest is.
// It is also the manifest of the directory.
type Report struct {
	SchemaVersion int    `json:"schema_version"`
	Kind          string `json:"kind"` // "winnow-export"
	Version       string `json:"winnow_version,omitempty"`
	Target        string `json:"target"`
	Scope         string `json:"scope"`
	Source        string `json:"source"`

	// Every entry of the source is in exactly one of these.
	Entries    int64            `json:"entries"`
	Written    int64            `json:"written"`
	Repeated   int64            `json:"repeated,omitempty"`        // further rows of an address
	Held       map[Reason]int64 `json:"held,omitempty"`            // leave only with --include
	CannotHold map[string]int64 `json:"not_expressible,omitempty"` // the target has no place for them, by reason
	NoGround   map[string]int64 `json:"no_ground,omitempty"`       // winnow reasons that say nothing to a provider
	There      int64            `json:"already_there,omitempty"`   // --against
	Unchanged  int64            `json:"unchanged,omitempty"`       // --since

	Released  int64 `json:"released,omitempty"`  // --since: suppressed then, not now
	Gone      int64 `json:"gone,omitempty"`      // --since: suppressed then, no longer on the list, or forgotten on request
	Conflicts int64 `json:"conflicts,omitempty"` // --against: suppressed there, delivered here
	Formulas  int64 `json:"formulas,omitempty"`  // written addresses that a spreadsheet would take for a formula

	Reasons map[Reason]int64 `json:"written_by_reason,omitempty"`
	Files   []FileInfo       `json:"outputs"`
}

// FileInfo is one file of an export. Its records are lines, the header not counted.
type FileInfo struct {
	summary.OutputFile
	What      string `json:"what,omitempty"` // what an entry becomes; "" for the files beside the provider's own
	Addresses int64  `json:"addresses"`
}

// balance adds up where the entries went.
func (r *Report) balance() int64 {
	return r.Written + r.Repeated + total(r.Held) + total(r.CannotHold) + total(r.NoGround) + r.There + r.Unchanged
}

func total[K comparable](m map[K]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func count[K comparable](m *map[K]int64, k K) {
	if *m == nil {
		*m = map[K]int64{}
	}
	(*m)[k]++
}

// picker decides which entries leave for a target, each address once.
type picker struct {
	t    *Target
	in   map[Reason]bool
	key  []byte // of HMAC digests
	seen set
	rep  *Report
}

func newPicker(t *Target, include []Reason, key []byte, rep *Report) *picker {
	p := &picker{t: t, in: map[Reason]bool{}, key: key, seen: set{}, rep: rep}
	for _, r := range reasons {
		p.in[r] = !slices.Contains(optional, r) || slices.Contains(include, r)
	}
	return p
}

// fresh returns a picker that picks alike and has seen nothing.
func (p *picker) fresh() *picker {
	return &picker{t: p.t, in: p.in, key: p.key, seen: set{}, rep: &Report{}}
}

// id returns what stands for an address at this target: its key, or its digest.
func (p *picker) id(key string) (string, error) {
	if p.t.hash == "" {
		return key, nil
	}
	return p.t.digest(key, p.key)
}

// pick counts e and says whether it leaves, as which word and under which id.
// When it does not because the target cannot hold it, left says why.
func (p *picker) pick(e *Entry) (word, id, left string, err error) {
	p.rep.Entries++
	if e.Reason == "" {
		count(&p.rep.NoGround, e.Word)
		return "", "", "", nil
	}
	id, err = p.id(e.key())
	if err != nil {
		return "", "", "", err
	}
	if !p.seen.add(id) {
		p.rep.Repeated++
		return "", "", "", nil
	}
	if !p.in[e.Reason] {
		count(&p.rep.Held, e.Reason)
		return "", "", "", nil
	}
	word, ok := p.t.Words[e.Reason]
	switch {
	case !ok:
		count(&p.rep.CannotHold, string(e.Reason))
		return "", "", "the target " + p.t.Name + " has no place for the reason " + string(e.Reason), nil
	case strings.HasPrefix(e.Address, "@") && e.Reason != Invalid && (!p.t.anyAddress || p.t.hash != ""):
		count(&p.rep.CannotHold, "whole domain")
		return "", "", "the entry is a whole domain; its addresses on a list leave with that list's run", nil
	case !p.t.anyAddress && !plain(e.Address):
		count(&p.rep.CannotHold, "unusual address")
		return "", "", "an address of this form is refused by most providers (quoted, not ASCII, or a domain literal)", nil
	}
	return word, id, "", nil
}
