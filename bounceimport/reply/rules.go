package reply

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/internal/stanza"
)

// Rules are what replies say, as data: see the head of rules.txt for the form.
// They are immutable once parsed.
type Rules struct {
	name      string
	rules     []rule
	providers []providerMarks
	marks     []mark // phases and follow-up lines
	codes     []codeRule
}

type rule struct {
	id         string
	line       int
	category   *bounceimport.Category
	weight     int
	confidence string
	provider   string
	when       condition
	patterns   []pattern
	not        [][]string // literals; any of them stops the rule
	tests      []stanza.Field
	meaning    string
	fix        string
}

// pattern is one "match:" line: all its terms must be in the reply. A term is a
// sequence of fragments, a fragment a set of literals of which one must be there.
type pattern struct {
	src   string
	line  int
	terms []term
}

type term struct {
	negative  bool
	fragments []fragment
}

type fragment struct {
	literals []string
	adjacent bool // follows the fragment before it at once, not within gap
	optional bool
}

// condition is a "when:" line: every set part must hold.
type condition struct {
	provider []string
	phase    []string
	code     []string      // 550, 5xx
	status   []statusRange // 5.7.1, 5.7.*
}

type providerMarks struct {
	name    string
	line    int
	words   []string // literals
	hosts   []string // host suffixes
	domains []string // recipient domains
}

// mark is a phrase that says something about the reply instead of the mail.
type mark struct {
	phase    string // "" for a follow-up line
	literals []string
}

// codeRule is what a code means when words do not decide.
type codeRule struct {
	provider   string // "" for any
	code       string // 5.1.1, 5.7.606-649, 550, 5xx
	category   *bounceimport.Category
	confidence string
	line       int
}

// gap is how many words ".." spans at most.
const gap = 12

// ParseRules parses a file of rules. Errors name file and line; all errors of
// the file come together.
func ParseRules(name, src string) (*Rules, error) {
	r := &Rules{name: name}
	var errs []error
	seen := map[string]int{}
	err := stanza.Each(name, src, func(s stanza.Stanza) error {
		if err := r.stanza(s, seen); err != nil {
			errs = append(errs, err)
		}
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r, nil
}

func (r *Rules) stanza(s stanza.Stanza, seen map[string]int) error {
	fail := func(f stanza.Field, format string, args ...any) error {
		return fmt.Errorf("%s:%d: %s", r.name, f.Line, fmt.Sprintf(format, args...))
	}
	switch head := s.Fields[0]; head.Key {
	case "id":
	case "provider":
		p := providerMarks{name: head.Value, line: head.Line}
		for _, f := range s.Fields[1:] {
			switch f.Key {
			case "words":
				lits, err := expand(f.Value)
				if err != nil {
					return fail(f, "%v", err)
				}
				p.words = append(p.words, lits...)
			case "hosts":
				p.hosts = append(p.hosts, strings.Fields(strings.ToLower(f.Value))...)
			case "domains":
				p.domains = append(p.domains, strings.Fields(strings.ToLower(f.Value))...)
			default:
				return fail(f, "a provider has words, hosts and domains, not %q", f.Key)
			}
		}
		r.providers = append(r.providers, p)
		return nil
	case "phase", "follow-up":
		m := mark{}
		if head.Key == "phase" {
			m.phase = head.Value
		}
		for _, f := range s.Fields[1:] {
			if f.Key != "match" {
				return fail(f, "a %s has only match lines, not %q", head.Key, f.Key)
			}
			lits, err := expand(f.Value)
			if err != nil {
				return fail(f, "%v", err)
			}
			m.literals = append(m.literals, lits...)
		}
		r.marks = append(r.marks, m)
		return nil
	default:
		return fail(head, "a stanza begins with id, provider, phase or follow-up, not %q", head.Key)
	}

	ru := rule{line: s.Line, weight: -1}
	for _, f := range s.Fields {
		switch f.Key {
		case "id":
			if f.Value == "" || strings.ContainsAny(f.Value, " \t") {
				return fail(f, "an id is one word, got %q", f.Value)
			}
			if l := seen[f.Value]; l > 0 {
				return fail(f, "id %q is already used in line %d", f.Value, l)
			}
			seen[f.Value] = f.Line
			ru.id = f.Value
		case "category":
			if ru.category = category(f.Value); ru.category == nil {
				return fail(f, "unknown category %q%s", f.Value, didYouMean(f.Value))
			}
		case "weight":
			n, err := strconv.Atoi(f.Value)
			if err != nil || n < 1 || n > 999 {
				return fail(f, "weight is a number from 1 to 999, got %q", f.Value)
			}
			ru.weight = n
		case "confidence":
			if f.Value != "high" && f.Value != "medium" && f.Value != "low" {
				return fail(f, "confidence is high, medium or low, got %q", f.Value)
			}
			ru.confidence = f.Value
		case "provider":
			ru.provider = f.Value
		case "when":
			if err := ru.when.parse(f.Value); err != nil {
				return fail(f, "%v", err)
			}
		case "match":
			p, err := parsePattern(f.Value)
			if err != nil {
				return fail(f, "%v", err)
			}
			p.line = f.Line
			ru.patterns = append(ru.patterns, p)
		case "not":
			lits, err := expand(f.Value)
			if err != nil {
				return fail(f, "%v", err)
			}
			ru.not = append(ru.not, lits)
		case "test":
			ru.tests = append(ru.tests, f)
		case "meaning":
			ru.meaning = f.Value
		case "fix":
			ru.fix = f.Value
		case "source":
			// for people
		default:
			return fail(f, "unknown field %q; a rule has id, category, match, not, when, weight, confidence, provider, meaning, fix, source, test", f.Key)
		}
	}
	head := s.Fields[0]
	switch {
	case ru.category == nil:
		return fail(head, "rule %s has no category", ru.id)
	case len(ru.patterns) == 0:
		return fail(head, "rule %s has no match line", ru.id)
	}
	if ru.weight < 0 {
		ru.weight = ru.category.Weight
	}
	if ru.confidence == "" {
		ru.confidence = "high"
		if ru.weight < 40 {
			ru.confidence = "medium"
		}
	}
	r.rules = append(r.rules, ru)
	return nil
}

// category returns the category of a name, nil when there is none.
func category(name string) *bounceimport.Category {
	if c, ok := bounceimport.LookupCategory(name); ok {
		return &c
	}
	return nil
}

func didYouMean(name string) string {
	for _, c := range bounceimport.Categories() {
		if strings.Contains(c.Name, name) || strings.Contains(name, c.Name) || strings.ReplaceAll(c.Name, "_", "") == strings.ReplaceAll(strings.ReplaceAll(name, "_", ""), "-", "") {
			return fmt.Sprintf(" (did you mean %s?)", c.Name)
		}
	}
	var names []string
	for _, c := range bounceimport.Categories() {
		names = append(names, c.Name)
	}
	return "; there are " + strings.Join(names, ", ")
}

func (c *condition) parse(s string) error {
	for _, w := range strings.Fields(s) {
		key, list, ok := strings.Cut(w, "=")
		values := strings.Split(list, ",")
		if !ok || slices.Contains(values, "") {
			return fmt.Errorf("when: want key=value[,value], got %q", w)
		}
		switch key {
		case "provider":
			c.provider = values
		case "phase":
			c.phase = values
		case "code":
			c.code = values
		case "status":
			for _, v := range values {
				r := parseStatusRange(v)
				if r == (statusRange{}) {
					return fmt.Errorf("when: status is 5.7.1, 5.7.* or 5.7.606-649, got %q", v)
				}
				c.status = append(c.status, r)
			}
		default:
			return fmt.Errorf("when: unknown condition %q; there are provider, phase, code and status", key)
		}
	}
	return nil
}

func (c *condition) empty() bool {
	return c.provider == nil && c.phase == nil && c.code == nil && c.status == nil
}

func (c *condition) holds(q *question) bool {
	if c.empty() {
		return true
	}
	if c.provider != nil && !slices.Contains(c.provider, q.provider) || c.phase != nil && !slices.Contains(c.phase, q.phase) {
		return false
	}
	if c.code != nil && !slices.ContainsFunc(c.code, func(want string) bool { return codeMatches(want, q.code) }) {
		return false
	}
	return c.status == nil || slices.ContainsFunc(c.status, func(want statusRange) bool { return want.matches(q.status) })
}

// codeMatches compares with 550, 55x or 5xx.
func codeMatches(want string, code int) bool {
	if len(want) != 3 {
		return false
	}
	for i, unit := range [...]int{100, 10, 1} {
		if want[i]|0x20 != 'x' && int(want[i]-'0') != code/unit%10 {
			return false
		}
	}
	return code > 0
}

// statusRange is a set of enhanced status codes: the first and the last value of
// each of the three numbers.
type statusRange [3][2]uint16

// parseStatusRange parses 5.7.1, 5.7.*, *.7.1 or 5.7.606-649; the zero value is
// the answer to anything else.
func parseStatusRange(s string) (r statusRange) {
	part := 0
	for p := range strings.SplitSeq(s, ".") {
		if part == 3 {
			return statusRange{}
		}
		lo, hi, ok := strings.Cut(p, "-")
		switch {
		case p == "*":
			lo, hi = "0", "999"
		case !ok:
			hi = lo
		}
		l, err1 := strconv.ParseUint(lo, 10, 16)
		h, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil {
			return statusRange{}
		}
		r[part] = [2]uint16{uint16(l), uint16(h)}
		part++
	}
	if part != 3 {
		return statusRange{}
	}
	return r
}

func (r *statusRange) matches(status string) bool {
	part, n := 0, uint16(0)
	for i := 0; i <= len(status); i++ {
		if i < len(status) && status[i] != '.' {
			n = n*10 + uint16(status[i]-'0')
			continue
		}
		if part == 3 || n < r[part][0] || n > r[part][1] {
			return false
		}
		part, n = part+1, 0
	}
	return part == 3
}

// parsePattern parses a match line: terms with " & " between them, "!" before a
// term that must not be there, ".." for a gap, (a|b) for either, "*" at the end
// of a word for any ending, host:example.org for a host of that domain.
func parsePattern(s string) (pattern, error) {
	p := pattern{src: s}
	for part := range strings.SplitSeq(s, " & ") {
		part = strings.TrimSpace(part)
		var t term
		if rest, ok := strings.CutPrefix(part, "!"); ok {
			t.negative, part = true, strings.TrimSpace(rest)
		}
		for frag := range strings.SplitSeq(part, " .. ") {
			fragments, err := parsePhrase(frag, maxProduct)
			if err != nil {
				return p, err
			}
			t.fragments = append(t.fragments, fragments...)
		}
		p.terms = append(p.terms, t)
	}
	// The first term is the one that is looked for.
	slices.SortStableFunc(p.terms, func(a, b term) int {
		return cmp.Compare(btoi(a.negative), btoi(b.negative))
	})
	if p.terms[0].negative {
		return p, fmt.Errorf("match needs something that must be there, got only %q", s)
	}
	return p, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// expand turns a phrase with alternatives into literals in normal form.
func expand(s string) ([]string, error) {
	f, err := parsePhrase(s, 1024)
	if err == nil && len(f) != 1 {
		err = fmt.Errorf("%q has too many alternatives for one phrase; use several lines", s)
	}
	if err != nil {
		return nil, err
	}
	return f[0].literals, nil
}

// maxProduct is how many literals a phrase is multiplied out to. What is more
// becomes adjacent fragments, which cost more time in a text and less memory.
const maxProduct = 32

// parsePhrase parses a phrase without gaps: words, and alternatives in
// parentheses, of which one may be empty. A fragment has at most most literals
// where it can be cut.
func parsePhrase(s string, most int) ([]fragment, error) {
	var parts [][]string
	for rest := s; rest != ""; {
		open := strings.IndexByte(rest, '(')
		if open < 0 {
			open = len(rest)
		}
		if open > 0 {
			parts = append(parts, []string{rest[:open]})
		}
		if rest = rest[open:]; rest == "" {
			break
		}
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return nil, fmt.Errorf("( without ) in %q", s)
		}
		parts = append(parts, strings.Split(rest[1:end], "|"))
		rest = rest[end+1:]
	}
	blank := func(p string) bool { return strings.Trim(p, " *") == "" }
	open := func(p string) bool { return strings.HasSuffix(strings.TrimSpace(p), "*") }
	var list []fragment
	cur := []string{""}
	flush := func() error {
		f := fragment{adjacent: len(list) > 0}
		for _, p := range cur {
			if blank(p) {
				f.optional = true
				continue
			}
			l, err := literal(strings.TrimSpace(p))
			if err != nil {
				return err
			}
			f.literals = append(f.literals, l...)
		}
		// What may be missing at the beginning need not be looked for.
		if len(f.literals) == 0 || f.optional && len(list) == 0 {
			return nil
		}
		slices.Sort(f.literals)
		f.literals = slices.Compact(f.literals)
		list = append(list, f)
		return nil
	}
	for _, alts := range parts {
		edge := !slices.ContainsFunc(cur, func(p string) bool { return p != "" && !strings.HasSuffix(p, " ") }) ||
			!slices.ContainsFunc(alts, func(p string) bool { return p != "" && !strings.HasPrefix(p, " ") })
		space := len(alts) == 1 && alts[0] == " " // between two groups
		if edge && !space && (slices.ContainsFunc(cur, open) || len(cur)*len(alts) > most) {
			if err := flush(); err != nil {
				return nil, err
			}
			cur = alts
			continue
		}
		more := make([]string, 0, len(cur)*len(alts))
		for _, p := range cur {
			for _, alt := range alts {
				if alt == "*" && open(p) {
					alt = ""
				}
				more = append(more, p+alt)
			}
		}
		if cur = more; len(cur) > 4096 {
			return nil, fmt.Errorf("%q has too many alternatives", s)
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	for len(list) > 1 && list[len(list)-1].optional {
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q has no word to look for", s)
	}
	return list, nil
}

// literal brings one phrase into the normal form of replies.
func literal(p string) ([]string, error) {
	if host, ok := strings.CutPrefix(p, "host:"); ok {
		host = strings.ToLower(strings.TrimSpace(host))
		if host == "" || strings.ContainsAny(host, " ^*") {
			return nil, fmt.Errorf("host: needs one domain, got %q", p)
		}
		return []string{"^" + host}, nil
	}
	open := strings.HasSuffix(p, "*")
	if open {
		p = strings.TrimSuffix(p, "*")
	}
	if strings.ContainsAny(p, "*^|)") {
		return nil, fmt.Errorf("%q: * stands at the end of a phrase, | only between ( and )", p)
	}
	var t text
	t.norm = append(t.norm, ' ')
	for w := range strings.FieldsSeq(p) {
		if w == "@" || w == "%" {
			t.norm = append(t.norm, w[0], ' ')
			continue
		}
		if n := statusAt(w, 0); n > 0 && n == len(w) {
			return nil, fmt.Errorf("%q: reply codes are not among the words; use when: status=%s", p, w)
		}
		t.addWords(w)
	}
	l := string(t.norm)
	if strings.TrimSpace(l) == "" {
		return nil, fmt.Errorf("%q has no word to look for", p)
	}
	l = strings.TrimSpace(l)
	if open {
		l += "*"
	}
	return []string{l}, nil
}

// parseCodes parses codes.txt: provider (or *), code, category, confidence.
func (r *Rules) parseCodes(name, src string) error {
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
			return fmt.Errorf("%s:%d: want provider, code, category, confidence, got %q", name, line, strings.TrimSpace(l))
		}
		r.codes = append(r.codes, c)
	}
	return nil
}
