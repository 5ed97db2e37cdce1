package reply

import (
	"bytes"
	_ "embed"
	"hash/maphash"
	"strings"
	"sync"
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
		r.codes, err = parseCodes("codes.txt", codesText)
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

// scratch is what one classification needs, and what it remembers.
type scratch struct {
	reading
	memos []memo
	key   []byte
}

// scratch returns a scratch, which goes back to s.scratches.
func (s *ruleSet) scratch() *scratch {
	if t, ok := s.scratches.Get().(*scratch); ok {
		return t
	}
	return &scratch{memos: make([]memo, memos), reading: reading{words: make([]word, 0, 128), hits: make([]hit, 0, 128),
		text: text{norm: make([]byte, 0, 1024), segs: make([]segment, 0, 8)}}}
}

// Classify says what the evidence means.
func (c *Classifier) Classify(e Evidence) Verdict {
	s := c.rules()
	t := s.scratch()
	t.normalise(e.Reply)
	t.outer = s.outerProvider(&t.reading, &e)
	var v Verdict
	if m := t.memo(&e); m == nil {
		v = s.classify(&t.reading, &e)
	} else if m.known {
		v = m.verdict
	} else {
		v = s.classify(&t.reading, &e)
		m.keep(t.key, &v)
	}
	s.scratches.Put(t)
	return v
}

// memo is a reply that was classified before. Servers repeat themselves: once
// addresses are masked, a feed of millions of bounces has some hundred texts.
type memo struct {
	key     []byte // everything that the verdict depends on
	known   bool   // it is for the text at hand
	verdict Verdict
}

// A scratch remembers so many replies, with keys up to so many bytes.
const (
	memos   = 1 << 12
	memoKey = 400
)

// memo returns the place for the text and the evidence, known when it is the same
// as last time; nil when it is too long to remember.
func (t *scratch) memo(e *Evidence) *memo {
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
