package reply

import (
	"slices"
	"strings"
	"sync"

	"github.com/winnow-email/winnow/bounceimport"
)

// ruleSet is rules compiled: the phrases of all of them in one phraseSet.
type ruleSet struct {
	phrases   *phraseSet
	roles     []roles // node -> what its phrase is part of
	firsts    []first
	members   []int32    // groups
	rows      []groupSet // node -> its groups as a set, where they are many
	shown     [][]string // node -> its phrase, as Class.Matched; nil: a beginning of a word
	groups    int
	patterns  []compiled // every match line of every rule
	rules     []rule
	classes   []bounceimport.Class // rule -> the class it gives, without Matched
	byHost    map[string]int       // provider's host suffix -> provider
	byDomain  map[string]int       // provider's recipient domain -> provider
	names     []string             // provider names
	codes     codeTable
	cues      *ruleSet  // the rules of weight 0, read only behind a lead
	scratches sync.Pool // of *scratch
}

// roles is what a phrase stands for.
type roles struct {
	firsts   uint32 // patterns that begin with it, the heaviest first: firsts[firsts:][:nFirsts]
	members  uint32 // groups of phrases that it is in: members[members:][:nMembers]
	nFirsts  uint16
	nMembers uint16
	provider int16 // -1: none
	phase    int8  // 0: none
	marks    uint8 // what else it marks
}

// What a phrase marks, as flags.
const (
	isFollow    = 1 << iota // a follow-up line
	isLead                  // a server's standing words
	isTemporary             // the refusal will pass
)

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

// groupSet is a set of small numbers.
type groupSet []uint64

func (g *groupSet) reset(n int) {
	if words := (n + 63) / 64; len(*g) != words {
		*g = make(groupSet, words)
	} else {
		clear(*g)
	}
}

func (g groupSet) add(n int32)      { g[n>>6] |= 1 << (n & 63) }
func (g groupSet) has(n int32) bool { return g[n>>6]&(1<<(n&63)) != 0 }

// compile makes one set of rules; those of an earlier source win.
func compile(sources ...*Rules) *ruleSet {
	c, cues := newCompiler(), newCompiler()
	for k, src := range sources {
		for _, r := range src.rules {
			if r.weight == 0 {
				cues.rule(r)
				continue
			}
			if k < len(sources)-1 {
				r.weight += userWords
			}
			c.rule(r)
		}
		c.providers(src.providers)
		for _, m := range src.marks {
			for _, l := range m.literals {
				switch n := c.at(l); m.kind {
				case "phase":
					n.phase = int8(slices.Index(phases[:], m.value))
				case "follow-up":
					n.marks |= isFollow
				case "lead":
					n.marks |= isLead
				case "temporary":
					n.marks |= isTemporary
				}
			}
		}
		for i := range src.codes {
			// Providers that codes.txt names are in rules.txt, which comes first.
			k := &src.codes[i]
			c.codes.add(slices.Index(c.names, k.provider), k)
		}
	}
	c.finish()
	cues.finish()
	c.cues = cues.ruleSet
	return c.ruleSet
}

func newCompiler() *compiler {
	return &compiler{ruleSet: &ruleSet{phrases: newPhraseSet(), byHost: map[string]int{}, byDomain: map[string]int{},
		codes: codeTable{exact: map[codeKey]*bounceimport.Class{}}}, known: map[string]int32{}}
}

// compiler is a ruleSet while it is made.
type compiler struct {
	*ruleSet
	nodes []building
	known map[string]int32 // literals -> their group
}

// at returns the roles of a phrase.
func (c *compiler) at(phrase string) *building {
	node := c.phrases.add(phrase)
	for int(node) >= len(c.nodes) {
		c.nodes = append(c.nodes, building{roles: roles{provider: -1}})
	}
	r := &c.nodes[node]
	if r.text == nil && !strings.HasSuffix(phrase, "*") {
		r.text = []string{readable(phrase)}
	}
	return r
}

// group returns the group that literals are.
func (c *compiler) group(literals []string) int32 {
	key := strings.Join(literals, "|")
	if id, ok := c.known[key]; ok {
		return id
	}
	id := int32(c.groups)
	c.groups++
	c.known[key] = id
	for _, l := range literals {
		r := c.at(l)
		r.members = append(r.members, id)
	}
	return id
}

func (c *compiler) rule(r rule) {
	ri := int32(len(c.rules))
	c.rules = append(c.rules, r)
	c.classes = append(c.classes, r.class())
	var not []int32
	for _, l := range r.not {
		not = append(not, c.group(l))
	}
	for _, p := range r.patterns {
		pi := int32(len(c.patterns))
		k := c.pattern(p)
		k.rule, k.not = ri, not
		f := first{pattern: pi, rule: ri, weight: int16(r.weight), need: -1,
			plain: len(k.terms) == 1 && len(k.terms[0].groups) == 1 && len(not) == 0 && r.when.empty()}
		if n := len(k.need); n > 0 {
			f.need, k.need = k.need[n-1], k.need[:n-1]
		}
		for _, l := range p.terms[0].fragments[0].literals {
			b := c.at(l)
			b.firsts = append(b.firsts, f)
		}
		c.patterns = append(c.patterns, k)
	}
}

func (c *compiler) pattern(p pattern) (k compiled) {
	for ti, t := range p.terms {
		ct := compiledTerm{negative: t.negative}
		for fi, f := range t.fragments {
			g := int32(-1)
			if ti > 0 || fi > 0 {
				if g = c.group(f.literals); !t.negative && !f.optional {
					k.need = append(k.need, g)
				}
			}
			ct.groups = append(ct.groups, g)
			ct.adjacent = append(ct.adjacent, f.adjacent)
			ct.optional = append(ct.optional, f.optional)
		}
		k.terms = append(k.terms, ct)
	}
	return k
}

func (c *compiler) providers(list []providerMarks) {
	for _, p := range list {
		pi := slices.Index(c.names, p.name)
		if pi < 0 {
			pi = len(c.names)
			c.names = append(c.names, p.name)
		}
		for _, w := range p.words {
			c.at(w).provider = int16(pi)
		}
		for _, h := range p.hosts {
			c.byHost[h] = pi
			c.at("^" + h).provider = int16(pi)
		}
		for _, d := range p.domains {
			c.byDomain[d] = pi
		}
	}
}

// finish brings the roles into the form that is fast to read.
func (c *compiler) finish() {
	s := c.ruleSet
	s.phrases.build()
	s.roles, s.shown = make([]roles, len(s.phrases.nodes)), make([][]string, len(s.phrases.nodes))
	s.rows = make([]groupSet, len(s.phrases.nodes))
	for i := range s.roles {
		s.roles[i].provider = -1
		if i >= len(c.nodes) {
			continue
		}
		n := &c.nodes[i]
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
}
