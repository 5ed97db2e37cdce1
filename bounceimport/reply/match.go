package reply

import (
	"slices"

	"github.com/winnow-email/winnow/bounceimport"
)

// reading is a reply with the phrases found in it.
type reading struct {
	text
	words []word
	hits  []hit
	seen  groupSet // groups of which a phrase was found
	outer int      // the provider by what stands outside the reply

	cueWords []word // the words for the rules of weight 0
	cues     []hit
}

// finding is the rule that words chose, and the hits that did it.
type finding struct {
	rule   int32
	weight int16
	length int32    // letters of the phrases
	n      int32    // hits
	hits   [6]int32 // the first of them, as indexes into text.hits
}

// words returns the strongest rule whose words stand in t.words[start:end].
func (s *ruleSet) words(t *reading, start, end int32, q *question) finding {
	return s.find(t, start, end, q, false)
}

// find is words, or only the rules about the sender whose words are not a lead's.
func (s *ruleSet) find(t *reading, start, end int32, q *question, sender bool) finding {
	best, f := finding{rule: -1}, finding{}
	for hi := range t.hits {
		h := &t.hits[hi]
		if h.start < start || h.end > end || sender && s.led(t, h) {
			continue
		}
		r := &s.roles[h.node]
	patterns:
		for fi := range s.firsts[r.firsts : r.firsts+uint32(r.nFirsts)] {
			fi := &s.firsts[r.firsts+uint32(fi)]
			if fi.weight < best.weight {
				break
			}
			if fi.rule == best.rule || sender && s.classes[fi.rule].Side != bounceimport.Sender { // one match line is enough
				continue
			}
			if fi.need >= 0 && !t.seen.has(fi.need) {
				continue
			}
			p := &s.patterns[fi.pattern]
			f.rule, f.weight, f.length, f.n, f.hits[0] = fi.rule, fi.weight, t.length(h), 1, int32(hi)
			if !fi.plain {
				for _, g := range p.need {
					if !t.seen.has(g) {
						continue patterns
					}
				}
				if !s.rules[p.rule].when.holds(q) || !s.complete(t, p, hi, start, end, &f) || s.borrowed(t, p, &f) {
					continue
				}
			}
			if f.weight > best.weight || f.length > best.length || f.length == best.length && f.rule < best.rule {
				best = f
			}
		}
	}
	return best
}

// length is how many letters a hit covers.
func (t *reading) length(h *hit) int32 { return t.words[h.end-1].end - t.words[h.start].start }

// complete checks the rest of a pattern whose first fragment is hit hi.
func (s *ruleSet) complete(t *reading, p *compiled, hi int, start, end int32, f *finding) bool {
	for _, g := range p.not {
		if t.seen.has(g) && s.hitOf(t, g, start, end) >= 0 {
			return false
		}
	}
	if len(p.terms) == 1 && len(p.terms[0].groups) == 1 {
		return true
	}
	m := match{s: s, t: t, start: start, end: end, f: f}
	for ti := range p.terms {
		term := &p.terms[ti]
		ok := false
		if m.quiet = term.negative; ti == 0 {
			m.n = 1
			ok = m.rest(term, 1, hi)
		} else if t.seen.has(term.groups[0]) {
			for k := 0; k < len(t.hits) && !ok; k++ {
				if s.isOf(t, k, term.groups[0], start, end) {
					n := m.n
					m.add(k)
					if ok = m.rest(term, 1, k); !ok {
						m.n = n
					}
				}
			}
		}
		if ok == term.negative {
			return false
		}
	}
	for _, h := range f.hits[1:min(m.n, len(f.hits))] {
		f.length += t.length(&t.hits[h])
	}
	f.n = int32(min(m.n, len(f.hits)))
	return true
}

// match is the search for one pattern.
type match struct {
	s          *ruleSet
	t          *reading
	start, end int32
	f          *finding
	n          int  // hits found, of which the first few are in f.hits
	quiet      bool // do not note them
}

func (m *match) add(k int) {
	if m.quiet {
		return
	}
	if m.n < len(m.f.hits) {
		m.f.hits[m.n] = int32(k)
	}
	m.n++
}

// rest says whether the fragments from gi on follow hit at.
func (m *match) rest(term *compiledTerm, gi, at int) bool {
	if gi == len(term.groups) {
		return true
	}
	from := m.t.hits[at].end
	to := from
	if !term.adjacent[gi] {
		to += gap
	}
	if m.t.seen.has(term.groups[gi]) {
		for k := at + 1; k < len(m.t.hits) && m.t.hits[k].start <= to; k++ {
			if m.t.hits[k].start < from || !m.s.isOf(m.t, k, term.groups[gi], m.start, m.end) {
				continue
			}
			n := m.n
			m.add(k)
			if m.rest(term, gi+1, k) {
				return true
			}
			m.n = n
		}
	}
	return term.optional[gi] && m.rest(term, gi+1, at)
}

func (s *ruleSet) hitOf(t *reading, group int32, start, end int32) int {
	for k := range t.hits {
		if s.isOf(t, k, group, start, end) {
			return k
		}
	}
	return -1
}

func (s *ruleSet) isOf(t *reading, k int, group int32, start, end int32) bool {
	h := &t.hits[k]
	if h.start < start || h.end > end {
		return false
	}
	r := &s.roles[h.node]
	if r.nMembers > manyMembers {
		return s.rows[h.node].has(group)
	}
	return slices.Contains(s.members[r.members:r.members+uint32(r.nMembers)], group)
}

// matched returns the words that a finding rests on. The slice may be shared.
func (s *ruleSet) matched(t *reading, f *finding) []string {
	if f.n == 1 {
		if text := s.shown[t.hits[f.hits[0]].node]; text != nil {
			return text
		}
	}
	list := make([]string, 0, 2)
	from, to := int32(-1), int32(-1)
	for _, hi := range f.hits[:f.n] {
		h := &t.hits[hi]
		if h.start >= from && h.start <= to { // adjacent fragments are one phrase
			to = max(to, h.end)
			continue
		}
		if from >= 0 {
			list = append(list, t.readable(from, to))
		}
		from, to = h.start, h.end
	}
	return append(list, t.readable(from, to))
}

// readable returns words as text.
func (t *reading) readable(from, to int32) string {
	return readable(string(t.norm[t.words[from].start:t.words[to-1].end]))
}
