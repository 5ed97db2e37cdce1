package reply

import (
	"bytes"
	_ "embed"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/winnow-email/winnow/bounceimport"
)

//go:embed rules.txt
var rulesText string

//go:embed codes.txt
var codesText string

// Classifier says what replies mean. The zero value and a nil pointer use the
// embedded rules, which are compiled at the first use; it is safe for concurrent use and must
// not be copied after the first.
//
// The order is: innermost reply; a provider's own tokens and words by weight
// (see rules.txt); (provider, enhanced code); enhanced code (IANA); basic code.
// The same event gives the same class on every run.
type Classifier struct {
	// User holds rules of the user, which win over the embedded ones; nil: none.
	User *Rules

	once sync.Once
	set  *ruleSet
}

// builtin returns the embedded rules.
var builtin = sync.OnceValue(func() *Rules {
	r, err := ParseRules("rules.txt", rulesText)
	if err == nil {
		err = r.parseCodes("codes.txt", codesText)
	}
	if err != nil {
		panic(err) // embedded, and tested
	}
	return r
})

var builtinSet = sync.OnceValue(func() *ruleSet { return compile(builtin()) })

func (c *Classifier) rules() *ruleSet {
	if c == nil {
		return builtinSet()
	}
	c.once.Do(func() {
		if c.User == nil {
			c.set = builtinSet()
		} else {
			c.set = compile(c.User, builtin())
		}
	})
	return c.set
}

// ruleSet is rules compiled: the phrases of all of them in one phraseSet.
type ruleSet struct {
	phrases  *phraseSet
	roles    []roles // node -> what its phrase is part of
	firsts   []first
	members  []int32    // groups
	rows     []groupSet // node -> its groups as a set, where they are many
	shown    [][]string // node -> its phrase, as Class.Matched; nil: a beginning of a word
	groups   int
	patterns []compiled // every match line of every rule
	rules    []rule
	classes  []bounceimport.Class // rule -> the class it gives, without Matched
	byHost   map[string]int       // provider's host suffix -> provider
	byDomain map[string]int       // provider's recipient domain -> provider
	names    []string             // provider names
	exact    map[codeKey]*bounceimport.Class
	ranges   []codeRange
	texts    sync.Pool // of *text
}

// roles is what a phrase stands for.
type roles struct {
	firsts   uint32 // patterns that begin with it, the heaviest first: firsts[firsts:][:nFirsts]
	members  uint32 // groups of phrases that it is in: members[members:][:nMembers]
	nFirsts  uint16
	nMembers uint16
	provider int16 // -1: none
	phase    int8  // 0: none
	follow   bool  // it marks a follow-up line
}

// building is a phrase's roles while they are collected.
type building struct {
	roles
	firsts  []first
	members []int32
	text    []string // the phrase itself, as Class.Matched
}

// first is a pattern that begins with a phrase, with what tells most of them
// apart from the text at once.
type first struct {
	pattern int32
	rule    int32
	weight  int16
	plain   bool  // one fragment, no conditions
	need    int32 // a group that must have been seen too; -1: none
}

// manyMembers is from where on a phrase's groups are or-ed as a set.
const manyMembers = 8

var phases = [...]string{"", "connect", "ehlo", "mail", "rcpt", "data"}

// compiled is a pattern with its fragments as group numbers.
type compiled struct {
	rule  int32
	need  []int32 // further groups that must have been seen
	terms []compiledTerm
	not   []int32
}

type compiledTerm struct {
	negative bool
	groups   []int32
	adjacent []bool
	optional []bool
}

func compile(sources ...*Rules) *ruleSet {
	s := &ruleSet{phrases: newPhraseSet(), byHost: map[string]int{}, byDomain: map[string]int{}, exact: map[codeKey]*bounceimport.Class{}}
	var nodes []building
	at := func(phrase string) *building {
		node := s.phrases.add(phrase)
		for int(node) >= len(nodes) {
			nodes = append(nodes, building{roles: roles{provider: -1}})
		}
		r := &nodes[node]
		if r.text == nil && !strings.HasSuffix(phrase, "*") {
			r.text = []string{readable(phrase)}
		}
		return r
	}
	known := map[string]int32{}
	group := func(literals []string) int32 {
		key := strings.Join(literals, "|")
		if id, ok := known[key]; ok {
			return id
		}
		id := int32(s.groups)
		s.groups++
		known[key] = id
		for _, l := range literals {
			r := at(l)
			r.members = append(r.members, id)
		}
		return id
	}
	for k, src := range sources {
		for _, r := range src.rules {
			if k < len(sources)-1 {
				r.weight += 1000 // the user's rules win
			}
			ri := int32(len(s.rules))
			s.rules = append(s.rules, r)
			s.classes = append(s.classes, r.class())
			var not []int32
			for _, l := range r.not {
				not = append(not, group(l))
			}
			for _, p := range r.patterns {
				pi := int32(len(s.patterns))
				c := compiled{rule: ri, not: not}
				for ti, t := range p.terms {
					ct := compiledTerm{negative: t.negative}
					for fi, f := range t.fragments {
						g := int32(-1)
						if ti > 0 || fi > 0 {
							if g = group(f.literals); !t.negative && !f.optional {
								c.need = append(c.need, g)
							}
						}
						ct.groups = append(ct.groups, g)
						ct.adjacent = append(ct.adjacent, f.adjacent)
						ct.optional = append(ct.optional, f.optional)
					}
					c.terms = append(c.terms, ct)
				}
				f := first{pattern: pi, rule: ri, weight: int16(r.weight), need: -1,
					plain: len(c.terms) == 1 && len(c.terms[0].groups) == 1 && len(not) == 0 && r.when.empty()}
				if n := len(c.need); n > 0 {
					f.need, c.need = c.need[n-1], c.need[:n-1]
				}
				for _, l := range p.terms[0].fragments[0].literals {
					r := at(l)
					r.firsts = append(r.firsts, f)
				}
				s.patterns = append(s.patterns, c)
			}
		}
		for _, p := range src.providers {
			pi := slices.Index(s.names, p.name)
			if pi < 0 {
				pi = len(s.names)
				s.names = append(s.names, p.name)
			}
			for _, w := range p.words {
				at(w).provider = int16(pi)
			}
			for _, h := range p.hosts {
				s.byHost[h] = pi
				at("^" + h).provider = int16(pi)
			}
			for _, d := range p.domains {
				s.byDomain[d] = pi
			}
		}
		for _, m := range src.marks {
			for _, l := range m.literals {
				if m.phase == "" {
					at(l).follow = true
				} else {
					at(l).phase = int8(slices.Index(phases[:], m.phase))
				}
			}
		}
		for _, c := range src.codes {
			// Providers that codes.txt names are in rules.txt, which comes first.
			provider := slices.Index(s.names, c.provider)
			if k := c.class(); strings.ContainsAny(c.code, "*-x") {
				s.ranges = append(s.ranges, codeRange{provider, parseStatusRange(c.code), c.code, k})
			} else if key := (codeKey{provider, packCode(c.code)}); s.exact[key] == nil {
				s.exact[key] = &k
			}
		}
	}
	s.phrases.build()
	s.roles, s.shown = make([]roles, len(s.phrases.nodes)), make([][]string, len(s.phrases.nodes))
	s.rows = make([]groupSet, len(s.phrases.nodes))
	for i := range s.roles {
		s.roles[i].provider = -1
		if i >= len(nodes) {
			continue
		}
		n := &nodes[i]
		slices.SortStableFunc(n.firsts, func(a, b first) int { return int(b.weight) - int(a.weight) })
		n.roles.firsts, n.roles.nFirsts = uint32(len(s.firsts)), uint16(len(n.firsts))
		n.roles.members, n.roles.nMembers = uint32(len(s.members)), uint16(len(n.members))
		s.firsts = append(s.firsts, n.firsts...)
		s.members = append(s.members, n.members...)
		s.roles[i], s.shown[i] = n.roles, n.text
		if len(n.members) > manyMembers {
			s.rows[i].reset(s.groups)
			for _, g := range n.members {
				s.rows[i].add(g)
			}
		}
	}
	return s
}

// class makes what a rule gives.
func (r *rule) class() bounceimport.Class {
	c := r.category
	k := bounceimport.Class{Category: c.Name, Bucket: c.Bucket, Side: c.Side, Action: c.Action, Confidence: r.confidence,
		Rule: r.id, Provider: r.provider, Meaning: c.Meaning, Fix: c.Fix}
	if r.meaning != "" {
		k.Meaning = r.meaning
	}
	if r.fix != "" {
		k.Fix = r.fix
	}
	return k
}

func (r *codeRule) class() bounceimport.Class {
	c := r.category
	id := "code:" + r.code
	if r.provider != "" {
		id = "code:" + r.provider + ":" + r.code
	}
	return bounceimport.Class{Category: c.Name, Bucket: c.Bucket, Side: c.Side, Action: c.Action, Confidence: r.confidence,
		Rule: id, Provider: r.provider, Meaning: c.Meaning, Fix: c.Fix}
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

// text returns a scratch text; it goes back to s.texts.
func (s *ruleSet) text() *text {
	if t, ok := s.texts.Get().(*text); ok {
		return t
	}
	return &text{norm: make([]byte, 0, 1024), words: make([]word, 0, 128), hits: make([]hit, 0, 128),
		segs: make([]segment, 0, 8), memos: make([]memo, memos)}
}

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

// Classify says what the evidence means.
func (c *Classifier) Classify(e Evidence) Verdict {
	s := c.rules()
	t := s.text()
	t.normalise(e.Reply)
	t.outer = s.outerProvider(t, &e)
	var v Verdict
	if m := t.memo(&e); m == nil {
		v = s.classify(t, &e)
	} else if m.known {
		v = m.verdict
	} else {
		v = s.classify(t, &e)
		m.keep(t.key, &v)
	}
	s.texts.Put(t)
	return v
}

// memo is a reply that was classified before. Servers repeat themselves: once
// addresses are masked, a feed of millions of bounces has some hundred texts.
type memo struct {
	key     []byte // everything that the verdict depends on
	known   bool   // it is for the text at hand
	verdict Verdict
}

// A text remembers so many replies, with keys up to so many bytes.
const (
	memos   = 1 << 12
	memoKey = 400
)

// memo returns the place for the text and the evidence, known when it is the same
// as last time; nil when it is too long to remember.
func (t *text) memo(e *Evidence) *memo {
	k := append(t.key[:0], t.norm...)
	for i := range t.segs {
		g := &t.segs[i]
		k = append(k, 0, byte(g.start), byte(g.start>>8), byte(g.code), byte(g.code>>8))
		k = append(k, g.status...)
	}
	k = append(k, 1, byte(e.Code), byte(e.Code>>8), byte(t.outer))
	k = append(k, e.Status...)
	k = append(append(k, 0), e.Phase...)
	k = append(append(k, 0), e.Hint...)
	if t.key = k; len(k) > memoKey || e.Code > 999 || e.Code < 0 {
		return nil
	}
	m := &t.memos[maphash.Bytes(memoSeed, k)%memos]
	m.known = bytes.Equal(m.key, k)
	return m
}

var memoSeed = maphash.MakeSeed()

func (m *memo) keep(key []byte, v *Verdict) {
	m.key, m.verdict = append(m.key[:0], key...), *v
	// The status may be a part of the reply, which must not be held for it; the
	// phase may be one of the source's.
	m.verdict.Status, m.verdict.Phase = strings.Clone(v.Status), strings.Clone(v.Phase)
}

// outerProvider tells the provider by the host that replied or the recipient's
// domain, for replies that do not tell it themselves; -1 when neither does.
func (s *ruleSet) outerProvider(t *text, e *Evidence) int {
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

func (s *ruleSet) classify(t *text, e *Evidence) Verdict {
	v := Verdict{Code: e.Code, Status: e.Status, Phase: e.Phase}
	t.words = s.phrases.split(t.norm, t.words)
	t.hits = s.phrases.find(t.words, t.hits)
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
func (s *ruleSet) decide(t *text, start, end int32, q *question, hint string) bounceimport.Class {
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
	coded := s.byCode(q.index, code, status)
	var k bounceimport.Class
	switch {
	case best.rule >= 0 && !codeDecides(&s.classes[best.rule], best.weight, coded):
		k = s.classes[best.rule]
		k.Matched = s.matched(t, &best)
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
	if k.Action == bounceimport.SuppressNow && k.Confidence == "low" {
		k.Action = bounceimport.Count
	}
	return k
}

// Weights of phrases against codes and against each other.
const (
	weakWords    = 40 // below it a phrase says less than most enhanced codes do
	generalWords = 50 // below it, less than a code of one clear meaning does
	senderWords  = 70 // from here on it is about the sender
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
func (s *ruleSet) innermost(t *text) (seg int, start, end int32) {
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
			if h := &t.hits[i]; h.start >= start && h.end <= end && s.roles[h.node].follow {
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

// question is what the conditions of rules ask for.
type question struct {
	provider string
	index    int // of the provider, -1: not known
	phase    string
	code     int
	status   string
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
func (s *ruleSet) words(t *text, start, end int32, q *question) finding {
	best, f := finding{rule: -1}, finding{}
	for hi := range t.hits {
		h := &t.hits[hi]
		if h.start < start || h.end > end {
			continue
		}
		r := &s.roles[h.node]
	patterns:
		for fi := range s.firsts[r.firsts : r.firsts+uint32(r.nFirsts)] {
			fi := &s.firsts[r.firsts+uint32(fi)]
			if fi.weight < best.weight {
				break
			}
			if fi.rule == best.rule { // one match line is enough
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
				if !s.rules[p.rule].when.holds(q) || !s.complete(t, p, hi, start, end, &f) {
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
func (t *text) length(h *hit) int32 { return t.words[h.end-1].end - t.words[h.start].start }

// complete checks the rest of a pattern whose first fragment is hit hi.
func (s *ruleSet) complete(t *text, p *compiled, hi int, start, end int32, f *finding) bool {
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
	t          *text
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

func (s *ruleSet) hitOf(t *text, group int32, start, end int32) int {
	for k := range t.hits {
		if s.isOf(t, k, group, start, end) {
			return k
		}
	}
	return -1
}

func (s *ruleSet) isOf(t *text, k int, group int32, start, end int32) bool {
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
func (s *ruleSet) matched(t *text, f *finding) []string {
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
func (t *text) readable(from, to int32) string {
	return readable(string(t.norm[t.words[from].start:t.words[to-1].end]))
}

// readable turns normal form into what a person reads.
func readable(norm string) string {
	norm = strings.Trim(norm, "^")
	if !strings.Contains(norm, "~") {
		return norm
	}
	var b strings.Builder
	wide := false // the last letter was Chinese or Japanese, which takes no spaces
	for i := 0; i < len(norm); i++ {
		switch {
		case norm[i] == '~' && i+4 < len(norm):
			r := rune(0)
			for _, c := range []byte(norm[i+1 : i+5]) {
				r = r*36 + rune(strings.IndexByte(base36, c))
			}
			b.WriteRune(r)
			wide = r >= 0x2E80
			i += 4
		case norm[i] == ' ' && wide && i+1 < len(norm) && norm[i+1] == '~':
		default:
			b.WriteByte(norm[i])
			wide = false
		}
	}
	return b.String()
}

// codeKey is a provider, -1 for any, and a code.
type codeKey struct {
	provider int
	code     uint32
}

// packCode makes a number of a status code (5.7.1) or a basic code (550).
func packCode(c string) uint32 {
	code, part := uint32(0), uint32(0)
	for i := 0; i < len(c); i++ {
		if c[i] == '.' {
			code, part = code<<10|part, 0
		} else {
			part = part*10 + uint32(c[i]-'0')
		}
	}
	return code<<10 | part
}

// codeRange is a line of codes.txt that stands for several codes.
type codeRange struct {
	provider int
	status   statusRange
	code     string
	class    bounceimport.Class
}

// byCode returns the class of the codes alone, nil when they say nothing.
func (s *ruleSet) byCode(provider, basic int, status string) *bounceimport.Class {
	for _, p := range [...]int{provider, -1} {
		if k := s.exact[codeKey{p, packCode(status)}]; status != "" && k != nil {
			return k
		}
		for i := range s.ranges {
			if r := &s.ranges[i]; r.provider == p && status != "" && r.status.matches(status) {
				return &r.class
			}
		}
		if provider < 0 {
			break
		}
	}
	if basic == 0 {
		return nil
	}
	if k := s.exact[codeKey{provider, uint32(basic)}]; k != nil {
		return k
	}
	if k := s.exact[codeKey{-1, uint32(basic)}]; k != nil {
		return k
	}
	for i := range s.ranges {
		if r := &s.ranges[i]; r.provider == -1 && codeMatches(r.code, basic) {
			return &r.class
		}
	}
	return nil
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
