package reply

import "github.com/winnow-email/winnow/bounceimport"

// RFC 5321 4.2.3 itself words 550 "mailbox unavailable (e.g., mailbox not found, no
// access, or command rejected for policy reasons)": a server says its standing
// words, and 5.1.1 or 5.2.1, before it says anything. This file decides what such
// a generic lead is worth: a dead mailbox when nothing else is said, and nothing
// when the rest speaks of the sender, policy, content, protocol or relaying.

// generic says whether a finding rests on nothing but standing words.
func (s *ruleSet) generic(t *reading, f *finding) bool {
	for _, hi := range f.hits[:f.n] {
		if !s.led(t, &t.hits[hi]) {
			return false
		}
	}
	return true
}

// led says whether a hit is a part of a lead.
func (s *ruleSet) led(t *reading, h *hit) bool {
	for i := range t.hits {
		if l := &t.hits[i]; s.roles[l.node].marks&isLead != 0 && l.start <= h.start && l.end >= h.end {
			return true
		}
	}
	return false
}

// borrowed says whether a pattern with a gap took its first word from a lead:
// "mailbox unavailable; your message is blocked" blocks no mailbox.
func (s *ruleSet) borrowed(t *reading, p *compiled, f *finding) bool {
	if s.classes[p.rule].Action != bounceimport.SuppressNow || f.n < 2 {
		return false
	}
	first := &t.hits[f.hits[0]]
	return t.hits[f.hits[1]].start > first.end && s.led(t, first)
}

// against returns what the rest of a reply says against its lead: the strongest
// rule about the sender, else a rule of weight 0. Without one, ok is false.
func (s *ruleSet) against(t *reading, q *question) (k bounceimport.Class, ok bool) {
	if f := s.find(t, 0, int32(len(t.words)), q, true); f.rule >= 0 {
		k = s.classes[f.rule]
		k.Matched = s.matched(t, &f)
		return k, true
	}
	t.cueWords = s.cues.phrases.split(t.norm, t.cueWords[:0])
	t.cues = s.cues.phrases.find(t.cueWords, t.cues[:0])
	var best *hit
	for i := range t.cues {
		if h := &t.cues[i]; !s.led(t, h) && (best == nil || t.length(h) > t.length(best)) {
			best = h
		}
	}
	if best == nil {
		return k, false
	}
	k = s.cues.classes[s.cues.firsts[s.cues.roles[best.node].firsts].rule]
	k.Matched = []string{t.readable(best.start, best.end)}
	return k, true
}
