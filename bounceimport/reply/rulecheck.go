package reply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/bounceimport"
)

// RuleCheck is what CheckRules found in a file of rules.
type RuleCheck struct {
	Rules    int          // in the file
	Phrases  int          // match lines in it
	Tests    int          // test lines in it
	Failed   []RuleResult // tests that another rule decides, or none
	Shadowed []RuleResult // match lines whose own words another rule decides
	Untested []RuleResult // rules without a test line
	Changed  []RuleResult // replies that the embedded rules read otherwise
}

// RuleResult is one finding of a check.
type RuleResult struct {
	Place string             // file:line
	Rule  string             // the rule that is checked
	Reply string             // or the words
	Was   bounceimport.Class // by the embedded rules
	Is    bounceimport.Class // with the rules of the file on top
}

// CheckRules checks rules against their own test lines, against each other, and
// against the embedded rules: their test replies and the words of their match
// lines are read with and without r, and so are the given replies.
func CheckRules(r *Rules, replies []string) RuleCheck {
	before, after := &Classifier{}, &Classifier{User: r}
	c := RuleCheck{Rules: len(r.rules)}
	result := func(line int, ru *rule, e Evidence) RuleResult {
		return RuleResult{fmt.Sprintf("%s:%d", r.name, line), ru.id, e.Reply, before.Classify(e).Class, after.Classify(e).Class}
	}
	for i := range r.rules {
		ru := &r.rules[i]
		for _, f := range ru.tests {
			c.Tests++
			res := result(f.Line, ru, Evidence{Reply: f.Value})
			if res.Is.Rule != ru.id {
				c.Failed = append(c.Failed, res)
			} else if res.Was.Category != res.Is.Category {
				c.Changed = append(c.Changed, res)
			}
		}
		if len(ru.tests) == 0 {
			c.Untested = append(c.Untested, RuleResult{Place: fmt.Sprintf("%s:%d", r.name, ru.line), Rule: ru.id})
		}
		for k := range ru.patterns {
			c.Phrases++
			e := ru.sample(&ru.patterns[k], r, builtin())
			if res := result(ru.patterns[k].line, ru, e); res.Is.Rule != ru.id {
				c.Shadowed = append(c.Shadowed, res)
			}
		}
	}
	for i := range builtin().rules {
		ru := &builtin().rules[i]
		for k := range ru.patterns {
			e := ru.sample(&ru.patterns[k], builtin())
			if res := result(ru.patterns[k].line, ru, e); res.Was.Category != res.Is.Category {
				res.Place = fmt.Sprintf("%s:%d", builtin().name, ru.patterns[k].line)
				c.Changed = append(c.Changed, res)
			}
		}
	}
	for i, reply := range replies {
		if res := result(0, &rule{}, Evidence{Reply: reply}); res.Was.Category != res.Is.Category {
			res.Place = fmt.Sprintf("reply %d", i+1)
			c.Changed = append(c.Changed, res)
		}
	}
	return c
}

// sample makes evidence that a match line is meant for: the first of each of
// its alternatives, under the conditions of its rule.
func (r *rule) sample(p *pattern, sources ...*Rules) Evidence {
	e := Evidence{Code: 550}
	var words []string
	for part := range strings.SplitSeq(p.src, " & ") {
		if !strings.HasPrefix(strings.TrimSpace(part), "!") {
			words = append(words, firstAlternatives(part))
		}
	}
	if r.weight == 0 { // it counts only behind a lead
		words = slices.Insert(words, 0, "Mailbox unavailable")
	}
	e.Reply = strings.Join(words, " . ")
	if r.when.code != nil {
		fmt.Sscan(strings.NewReplacer("x", "5", "X", "5").Replace(r.when.code[0]), &e.Code)
	}
	if r.when.status != nil {
		s := r.when.status[0]
		class := max(s[0][0], uint16(e.Code/100))
		e.Status = fmt.Sprintf("%d.%d.%d", min(class, s[0][1]), max(s[1][0], min(1, s[1][1])), max(s[2][0], min(1, s[2][1])))
	}
	if r.when.phase != nil {
		e.Phase = r.when.phase[0]
	}
	if r.when.provider != nil {
		for _, src := range sources {
			for _, pr := range src.providers {
				if pr.name == r.when.provider[0] && len(pr.hosts) > 0 {
					e.Remote = "mx." + pr.hosts[0]
				}
			}
		}
	}
	return e
}

// firstAlternatives writes a phrase as a reply would have it.
func firstAlternatives(s string) string {
	var b strings.Builder
	for s != "" {
		text, rest, ok := strings.Cut(s, "(")
		b.WriteString(text)
		if !ok {
			break
		}
		alts, after, _ := strings.Cut(rest, ")")
		for alt := range strings.SplitSeq(alts, "|") {
			if strings.TrimSpace(alt) != "" {
				b.WriteString(alt)
				break
			}
		}
		s = after
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		switch {
		case w == "@":
			words[i] = "jane@example.org"
		case w == "%":
			words[i] = "192.0.2.1"
		case w == "..":
			words[i] = "-"
		default:
			words[i] = strings.TrimSuffix(strings.TrimPrefix(w, "host:"), "*")
		}
	}
	return strings.Join(words, " ")
}
