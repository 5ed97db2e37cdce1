package reply

import (
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// Evidence is what a source recorded of one refusal. Any field may be empty.
type Evidence struct {
	Reply     string // what the remote server said, as received
	Code      int    // basic reply code (RFC 5321 4.2); 0: the reply's
	Status    string // enhanced status code (RFC 3463); "": the reply's
	Phase     string // connect, ehlo, mail, rcpt, data; "": what the reply says of it
	Remote    string // the host that replied: it tells the provider where the reply does not
	Recipient string // the address: its domain tells the provider where neither does
	// Hint is the category that the source states. It counts when the reply says
	// nothing, and always when it is final (see Final).
	Hint string
}

// Verdict is what evidence means: its class, with the codes and the phase, which
// are the reply's where the evidence had none.
type Verdict struct {
	bounceimport.Class
	Code   int
	Status string
	Phase  string
}

// Final tells the categories that a source states and no reply can change: what
// happened was not a refusal of the mail.
func Final(category string) bool {
	switch category {
	case "complaint", "unsubscribe", "not_spam", "delivered", "delayed", "auto_reply":
		return true
	}
	return false
}

// outerProvider tells the provider by the host that replied or the recipient's
// domain, for replies that do not tell it themselves; -1 when neither does.
func (s *ruleSet) outerProvider(t *reading, e *Evidence) int {
	if e.Remote != "" {
		if p := lookupSuffix(s.byHost, e.Remote); p >= 0 {
			return p
		}
	}
	domain := t.addr
	if at := strings.LastIndexByte(e.Recipient, '@'); at >= 0 {
		domain = e.Recipient[at+1:]
	}
	if p, ok := s.byDomain[domain]; ok {
		return p
	}
	return -1
}

func (s *ruleSet) classify(t *reading, e *Evidence) Verdict {
	v := Verdict{Code: e.Code, Status: e.Status, Phase: e.Phase}
	t.words = s.phrases.split(t.norm, t.words[:0])
	t.hits = s.phrases.find(t.words, t.hits[:0])
	inner, start, end := s.innermost(t)
	seg := &t.segs[inner]
	if seg.code == 0 || seg.status == "" {
		// An outer reply's codes are better than none, the columns' better still.
		for k := range t.segs {
			o := &t.segs[k]
			if k == inner || seg.code != 0 && o.code != 0 && o.code != seg.code {
				continue
			}
			if seg.code == 0 {
				seg.code = o.code
			}
			if seg.status == "" {
				seg.status = o.status
			}
		}
	}
	if v.Code == 0 {
		v.Code = seg.code
	}
	if v.Status == "" {
		v.Status = seg.status
	}
	code, status := seg.code, seg.status
	if code == 0 {
		code = v.Code
	}
	if status == "" && (seg.code == 0 || v.Code == seg.code) {
		status = v.Status
	}

	t.seen.reset(s.groups)
	provider, phase := -1, 0
	for i := range t.hits {
		h := &t.hits[i]
		r := &s.roles[h.node]
		if r.nMembers > manyMembers {
			row := s.rows[h.node]
			for k, bits := range row[:len(t.seen)] {
				t.seen[k] |= bits
			}
		} else {
			for _, g := range s.members[r.members : r.members+uint32(r.nMembers)] {
				t.seen.add(g)
			}
		}
		if r.provider >= 0 && (provider < 0 || h.start >= start && h.end <= end) {
			provider = int(r.provider)
		}
		if r.phase > 0 {
			phase = int(r.phase)
		}
	}
	if provider < 0 {
		provider = t.outer
	}
	name := ""
	if provider >= 0 {
		name = s.names[provider]
	}
	if v.Phase == "" {
		v.Phase = phases[phase]
	}

	v.Class = s.decide(t, start, end, &question{name, provider, v.Phase, code, status}, e.Hint)
	if v.Provider == "" {
		v.Provider = name
	}
	if Final(e.Hint) && v.Category != e.Hint {
		v.Class = hinted(e.Hint, name)
	}
	return v
}

// decide finds the class: words in the innermost reply, then words anywhere,
// then codes, then what the source said.
func (s *ruleSet) decide(t *reading, start, end int32, q *question, hint string) bounceimport.Class {
	provider, phase, code, status := q.provider, q.phase, q.code, q.status
	if code/100 == 2 && (status == "" || status[0] == '2') {
		k := hinted("delivered", provider)
		k.Rule = "code:2xx"
		return k
	}
	best := s.words(t, start, end, q)
	if len(t.segs) > 1 && (best.rule < 0 || best.weight < weakWords) {
		if b := s.words(t, 0, int32(len(t.words)), q); b.rule >= 0 && (best.rule < 0 || b.weight > best.weight) {
			best = b
		}
	}
	coded := s.codes.class(q.index, code, status)
	lead := true // the class rests on standing words or a code
	var k bounceimport.Class
	switch {
	case best.rule >= 0 && !codeDecides(&s.classes[best.rule], best.weight, coded):
		k = s.classes[best.rule]
		k.Matched = s.matched(t, &best)
		lead = k.Action == bounceimport.SuppressNow && s.generic(t, &best)
		if k.Action == bounceimport.SuppressNow && len(t.segs) > 1 {
			// A quoted reply may be about the sender: "Sender address rejected:
			// undeliverable address: host x said: 550 user unknown".
			if b := s.words(t, 0, start, q); b.rule >= 0 && b.weight >= senderWords && s.classes[b.rule].Side == bounceimport.Sender {
				k = s.classes[b.rule]
				k.Matched = s.matched(t, &b)
			}
		}
	case coded != nil && !(coded.Category == "unknown" && hint != ""):
		k = *coded
	case hint != "":
		k = hinted(hint, provider)
	default:
		k = hinted("unknown", provider)
		k.Rule, k.Confidence = "none", "low"
	}
	if k.Action != bounceimport.SuppressNow || k.Rule == "hint" {
		return k
	}

	// What follows only ever takes a suppression back.
	if lead {
		if a, ok := s.against(t, q); ok {
			return a
		}
	}
	switch {
	case phase == "connect" || phase == "ehlo" || phase == "mail":
		// Before RCPT no server can mean the recipient.
		if k.Bucket == "recipient" && k.Category != "esp_suppressed" {
			c, _ := bounceimport.LookupCategory("sender_rejected")
			k.Category, k.Bucket, k.Side, k.Action = c.Name, c.Bucket, c.Side, c.Action
			k.Meaning, k.Fix = c.Meaning, c.Fix
			k.Confidence = "medium"
		}
	case phase == "data" && k.Category == "user_unknown" && k.Confidence == "high":
		// A server that took RCPT and refuses the data may mean a filter.
		k.Confidence = "medium"
	}
	if k.Action == bounceimport.SuppressNow && (k.Confidence == "low" || best.weight < userWords && s.temporary(t, &best, start, end, q)) {
		k.Action = bounceimport.Count
	}
	return k
}

// temporary says whether a refusal says of itself that it will pass (RFC 5321
// 4.2.1: 4yz): it is counted, whatever it says of the mailbox. The words may
// stand in another reply than the innermost: then that one's code counts.
func (s *ruleSet) temporary(t *reading, f *finding, start, end int32, q *question) bool {
	code, status := q.code, q.status
	if f.rule >= 0 && t.hits[f.hits[0]].start < start {
		at := int(t.words[t.hits[f.hits[0]].start].start)
		for k := range t.segs {
			if g := &t.segs[k]; g.start <= at && g.code > 0 {
				code, status = g.code, g.status
			}
		}
		start, end = 0, start
	}
	// Google says Status: 4.0.0 of a domain that does not exist, after it gave up.
	if code/100 == 4 || code == 0 && status != "" && status[0] == '4' && status != "4.0.0" {
		return true
	}
	for i := range t.hits {
		if h := &t.hits[i]; s.roles[h.node].marks&isTemporary != 0 && h.start >= start && h.end <= end {
			return true
		}
	}
	return false
}

// Weights of phrases against codes and against each other.
const (
	weakWords    = 40   // below it a phrase says less than most enhanced codes do
	generalWords = 50   // below it, less than a code of one clear meaning does
	senderWords  = 70   // from here on it is about the sender
	userWords    = 1000 // from here on a rule is the user's, who knows better
)

// codeDecides says whether a code tells more than the words do.
func codeDecides(words *bounceimport.Class, weight int16, coded *bounceimport.Class) bool {
	switch {
	case coded == nil || coded.Category == "unknown":
		return false
	case coded.Confidence == "high":
		// 5.1.8 and its like veto a suppression, whatever the words are.
		return weight < generalWords || coded.Side == bounceimport.Sender && words.Action == bounceimport.SuppressNow && weight < 100
	case coded.Confidence == "medium":
		return weight < weakWords && words.Confidence != "high"
	}
	return false
}

func hinted(category, provider string) bounceimport.Class {
	c, ok := bounceimport.LookupCategory(category)
	if !ok {
		c, _ = bounceimport.LookupCategory("unknown")
	}
	return bounceimport.Class{Category: c.Name, Bucket: c.Bucket, Side: c.Side, Action: c.Action, Confidence: "medium",
		Rule: "hint", Provider: provider, Meaning: c.Meaning, Fix: c.Fix}
}

// innermost picks the reply that decides: the last one that is not only a
// consequence of another (503 after a refused RCPT). It returns its first word
// and the word after it.
func (s *ruleSet) innermost(t *reading) (seg int, start, end int32) {
	end = int32(len(t.words))
	if len(t.segs) == 1 {
		return 0, 0, end
	}
	for k := len(t.segs) - 1; k >= 0; k-- {
		g := &t.segs[k]
		start = end
		for start > 0 && int(t.words[start-1].start) >= g.start {
			start--
		}
		follows := g.code == 503
		for i := range t.hits {
			if h := &t.hits[i]; h.start >= start && h.end <= end && s.roles[h.node].marks&isFollow != 0 {
				follows = true
			}
		}
		if !follows && (g.code >= 400 || g.status != "" && g.status[0] != '2') {
			return k, start, end
		}
		end = start
	}
	// All of them are: the last one then.
	end = int32(len(t.words))
	start = end
	for k := len(t.segs) - 1; start > 0 && int(t.words[start-1].start) >= t.segs[k].start; {
		start--
	}
	return len(t.segs) - 1, start, end
}

// lookupSuffix finds the longest suffix of host, at label edges, in m.
func lookupSuffix(m map[string]int, host string) int {
	host = strings.TrimSuffix(host, ".")
	for {
		if p, ok := m[host]; ok {
			return p
		}
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return -1
		}
		host = rest
	}
}
