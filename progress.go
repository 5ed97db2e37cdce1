package winnow

import "sync/atomic"

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
