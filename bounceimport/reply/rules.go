package reply

import (
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
	marks     []mark
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

type providerMarks struct {
	name    string
	line    int
	words   []string // literals
	hosts   []string // host suffixes
	domains []string // recipient domains
}

// mark is a phrase that says something about the reply instead of the mail: of
// which phase it is, that it only follows from another, that its words are a
// standing lead, that it will pass.
type mark struct {
	kind, value string
	literals    []string
}

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
	switch head := s.Fields[0]; head.Key {
	case "id":
		return r.rule(s, seen)
	case "provider":
		return r.provider(s)
	case "phase", "follow-up", "lead", "temporary":
		return r.mark(s)
	default:
		return r.fail(head, "a stanza begins with id, provider, phase, follow-up, lead or temporary, not %q", head.Key)
	}
}

func (r *Rules) fail(f stanza.Field, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.name, f.Line, fmt.Sprintf(format, args...))
}

func (r *Rules) provider(s stanza.Stanza) error {
	p := providerMarks{name: s.Fields[0].Value, line: s.Fields[0].Line}
	for _, f := range s.Fields[1:] {
		switch f.Key {
		case "words":
			lits, err := expand(f.Value)
			if err != nil {
				return r.fail(f, "%v", err)
			}
			p.words = append(p.words, lits...)
		case "hosts":
			p.hosts = append(p.hosts, strings.Fields(strings.ToLower(f.Value))...)
		case "domains":
			p.domains = append(p.domains, strings.Fields(strings.ToLower(f.Value))...)
		default:
			return r.fail(f, "a provider has words, hosts and domains, not %q", f.Key)
		}
	}
	r.providers = append(r.providers, p)
	return nil
}

func (r *Rules) mark(s stanza.Stanza) error {
	head := s.Fields[0]
	m := mark{kind: head.Key, value: head.Value}
	for _, f := range s.Fields[1:] {
		if f.Key != "match" {
			return r.fail(f, "a %s has only match lines, not %q", head.Key, f.Key)
		}
		lits, err := expand(f.Value)
		if err != nil {
			return r.fail(f, "%v", err)
		}
		m.literals = append(m.literals, lits...)
	}
	r.marks = append(r.marks, m)
	return nil
}

func (r *Rules) rule(s stanza.Stanza, seen map[string]int) error {
	ru := rule{line: s.Line, weight: -1}
	for _, f := range s.Fields {
		if f.Key == "id" {
			if f.Value == "" || strings.ContainsAny(f.Value, " \t") {
				return r.fail(f, "an id is one word, got %q", f.Value)
			}
			if l := seen[f.Value]; l > 0 {
				return r.fail(f, "id %q is already used in line %d", f.Value, l)
			}
			seen[f.Value] = f.Line
			ru.id = f.Value
		} else if err := ru.field(f); err != nil {
			return r.fail(f, "%v", err)
		}
	}
	head := s.Fields[0]
	switch {
	case ru.category == nil:
		return r.fail(head, "rule %s has no category", ru.id)
	case len(ru.patterns) == 0:
		return r.fail(head, "rule %s has no match line", ru.id)
	}
	if ru.weight < 0 {
		ru.weight = ru.category.Weight
	}
	if ru.weight == 0 && (ru.category.Side != bounceimport.Sender || !ru.plain()) {
		return r.fail(head, "rule %s: weight 0 counts against a lead, so its category is about the sender and its match lines are words, without &, .., not and when", ru.id)
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

// plain says whether a rule's words decide alone, each match line by one phrase.
func (r *rule) plain() bool {
	return len(r.not) == 0 && r.when.empty() && !slices.ContainsFunc(r.patterns, func(p pattern) bool {
		return len(p.terms) > 1 || len(p.terms[0].fragments) > 1
	})
}

// field takes a line of a rule's stanza.
func (r *rule) field(f stanza.Field) error {
	switch f.Key {
	case "category":
		if r.category = category(f.Value); r.category == nil {
			return fmt.Errorf("unknown category %q%s", f.Value, didYouMean(f.Value))
		}
	case "weight":
		n, err := strconv.Atoi(f.Value)
		if err != nil || n < 0 || n > 999 {
			return fmt.Errorf("weight is a number from 0 to 999, got %q", f.Value)
		}
		r.weight = n
	case "confidence":
		if f.Value != "high" && f.Value != "medium" && f.Value != "low" {
			return fmt.Errorf("confidence is high, medium or low, got %q", f.Value)
		}
		r.confidence = f.Value
	case "provider":
		r.provider = f.Value
	case "when":
		return r.when.parse(f.Value)
	case "match":
		p, err := parsePattern(f.Value)
		if err != nil {
			return err
		}
		p.line = f.Line
		r.patterns = append(r.patterns, p)
	case "not":
		lits, err := expand(f.Value)
		if err != nil {
			return err
		}
		r.not = append(r.not, lits)
	case "test":
		r.tests = append(r.tests, f)
	case "meaning":
		r.meaning = f.Value
	case "fix":
		r.fix = f.Value
	case "source":
		// for people
	default:
		return fmt.Errorf("unknown field %q; a rule has id, category, match, not, when, weight, confidence, provider, meaning, fix, source, test", f.Key)
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
