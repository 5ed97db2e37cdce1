package reply

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

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

// gap is how many words ".." spans at most.
const gap = 12

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
	parts, err := splitAlternatives(s)
	if err != nil {
		return nil, err
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

// splitAlternatives splits a phrase into plain parts, of one text each, and
// parentheses, of several.
func splitAlternatives(s string) (parts [][]string, err error) {
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
	return parts, nil
}

// literal brings one phrase into the normal form of replies.
func literal(p string) ([]string, error) {
	if host, ok := strings.CutPrefix(p, "host:"); ok {
		host = strings.ToLower(strings.TrimSpace(host))
		if rest, ok := strings.CutPrefix(host, "any "); ok { // any host, before words
			l, err := literal(rest)
			if err != nil {
				return nil, err
			}
			return []string{anyHost + " " + l[0]}, nil
		}
		if host == "" || host == "any" || strings.ContainsAny(host, " ^*") {
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
		if last := l[strings.LastIndexByte(l, ' ')+1:]; len(last) > maxOpen {
			return nil, fmt.Errorf("%q: the word before * is longer than %d letters, or %d outside the Latin script", p, maxOpen, maxOpen/5)
		}
		l += "*"
	}
	return []string{l}, nil
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
