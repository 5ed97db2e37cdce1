package reply

import (
	"fmt"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// codeRule is what a code means when words do not decide.
type codeRule struct {
	provider   string // "" for any
	code       string // 5.1.1, 5.7.606-649, 550, 5xx
	category   *bounceimport.Category
	confidence string
	line       int
}

// category returns the category of a name, nil when there is none.
func category(name string) *bounceimport.Category {
	if c, ok := bounceimport.LookupCategory(name); ok {
		return &c
	}
	return nil
}

// parseCodes parses codes.txt: provider (or *), code, category, confidence.
func parseCodes(name, src string) (codes []codeRule, err error) {
	line := 0
	for l := range strings.Lines(src) {
		line++
		l, _, _ = strings.Cut(l, "#")
		f := strings.Fields(l)
		if len(f) == 0 {
			continue
		}
		c := codeRule{line: line}
		if len(f) >= 4 {
			c.provider, c.code, c.category, c.confidence = strings.TrimPrefix(f[0], "*"), f[1], category(f[2]), f[3]
		}
		if c.category == nil {
			return nil, fmt.Errorf("%s:%d: want provider, code, category, confidence, got %q", name, line, strings.TrimSpace(l))
		}
		codes = append(codes, c)
	}
	return codes, nil
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

// codeTable is what codes mean, by provider.
type codeTable struct {
	exact  map[codeKey]*bounceimport.Class
	ranges []codeRange
}

// add adds a line of codes.txt; the first for a provider and a code counts.
func (s *codeTable) add(provider int, c *codeRule) {
	if k := c.class(); strings.ContainsAny(c.code, "*-x") {
		s.ranges = append(s.ranges, codeRange{provider, parseStatusRange(c.code), c.code, k})
	} else if key := (codeKey{provider, packCode(c.code)}); s.exact[key] == nil {
		s.exact[key] = &k
	}
}

// class returns the class of the codes alone, nil when they say nothing.
func (s *codeTable) class(provider, basic int, status string) *bounceimport.Class {
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
