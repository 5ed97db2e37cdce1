package columns

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a piece of a name or a cell: a word or phrase of the lexicon, or a word
// that is not known.
type part struct {
	says speech // 0: not known
	text string // folded, without blanks
}

func (p part) is(s speech) bool { return p.says&s != 0 }

const (
	longestPhrase = 8  // words
	longestToken  = 60 // bytes of a word that is cut into known ones
)

// parse reads words as parts, the longest phrase at each place first.
func (l *lexicon) parse(words []string) []part {
	parts := make([]part, 0, len(words))
next:
	for i := 0; i < len(words); {
		for n := min(longestPhrase, len(words)-i); n > 0; n-- {
			text := words[i]
			if n > 1 {
				text = strings.Join(words[i:i+n], "")
			}
			if says, stem := l.find(text, len(text)-len(words[i+n-1])); says != 0 {
				if n == 1 && len(text)-stem > 4 {
					if whole := l.compound(text); len(whole) > 1 { // email|subscribed, not email…
						parts = append(parts, whole...)
						i++
						continue next
					}
				}
				parts = l.withTail(parts, part{says, text}, stem)
				i += n
				continue next
			}
		}
		parts = l.cut(parts, words[i])
		i++
	}
	return parts
}

// withTail adds a word that was known by its beginning, and what it is a compound
// with: abmelde|grund.
func (l *lexicon) withTail(parts []part, p part, stem int) []part {
	parts = append(parts, p)
	for i := stem; i < len(p.text) && i < stem+4; i++ {
		if !utf8.RuneStart(p.text[i]) {
			continue
		}
		if says := l.exact[p.text[i:]] & (status | reason | date | count | detail | kindOf | channel | thing | consent | newsletter); says != 0 && len(p.text)-i >= 4 {
			return append(parts, part{says, p.text[i:]})
		}
	}
	return parts
}

// find returns what a word or phrase says, and where the stem ends by which it is
// known. A stem must reach beyond the first bytes of it.
func (l *lexicon) find(text string, beyond int) (says speech, stem int) {
	if says, ok := l.exact[text]; ok {
		return says, len(text)
	}
	for i := len(text); i > beyond && i >= 3; i-- {
		if i < len(text) && !utf8.RuneStart(text[i]) {
			continue
		}
		if says, ok := l.stems[text[:i]]; ok {
			return says, i
		}
	}
	return 0, 0
}

// cut reads one word that is not in the lexicon: a number, a word with an article or
// a preposition in front, a compound, or a run of a script without spaces.
func (l *lexicon) cut(parts []part, word string) []part {
	if isNumber(word) {
		return append(parts, part{filler, word})
	}
	if len(word) > longestToken {
		return append(parts, part{0, word})
	}
	if spaceless(word) {
		return l.within(parts, word)
	}
	if r, n := utf8.DecodeRuneInString(word); unicode.In(r, unicode.Arabic, unicode.Hebrew) && utf8.RuneCountInString(word) > 3 {
		rest := word[n:]
		if article, ok := strings.CutPrefix(word, "ال"); ok {
			rest = article
		}
		if says, _ := l.find(rest, 0); says != 0 {
			return append(parts, part{says, word})
		}
	}
	if c, ok := headerWords().word(word); ok {
		switch {
		case c&wordMail != 0:
			return append(parts, part{mail, word})
		case c&wordPost != 0:
			return append(parts, part{channel, word})
		case c&(wordAddr|wordElec|wordWith|wordSecond) != 0:
			return append(parts, part{filler, word})
		}
	}
	if whole := l.compound(word); whole != nil {
		return append(parts, whole...)
	}
	return append(parts, part{0, word})
}

// compound reads a word that is made of known words only, with or without a letter
// that joins them: werbesperre, newsletterabmeldung, hasoptedoutofemail. Of a
// compound that ends in the name of a newsletter or of a no the beginning may be
// anything. It returns nil when it is no such word.
func (l *lexicon) compound(word string) []part {
	if utf8.RuneCountInString(word) < 6 {
		return nil
	}
	type step struct {
		from  int
		part  part
		parts int
	}
	at := make([]step, len(word)+1)
	at[0].parts = 1
	for i := range word {
		if at[i].parts == 0 {
			continue
		}
		for j := len(word); j > i; j-- {
			if i == 0 && j == len(word) || j < len(word) && !utf8.RuneStart(word[j]) || at[j].parts != 0 && at[j].parts <= at[i].parts+1 {
				continue
			}
			piece := word[i:j]
			says := l.piece(piece, j == len(word))
			if says == 0 {
				// Fugen-s and the like, between two words only
				if i == 0 || j == len(word) {
					continue
				}
				if short, ok := cutJoint(piece); !ok {
					continue
				} else if says = l.piece(short, false); says == 0 {
					continue
				}
			}
			at[j] = step{i, part{says, piece}, at[i].parts + 1}
		}
	}
	if at[len(word)].parts > 0 {
		var parts []part
		for i := len(word); i > 0; i = at[i].from {
			parts = append([]part{at[i].part}, parts...)
		}
		return parts
	}
	for i := range word {
		if i < 3 || utf8.RuneCountInString(word[i:]) < 6 {
			continue
		}
		if says := l.exact[word[i:]]; says&(newsletter|unsubscribed|blocklisted) != 0 {
			return []part{{0, word[:i]}, {says, word[i:]}}
		}
	}
	return nil
}

// piece returns what a part of a compound says. Short words would be found
// everywhere, so only those of the commonest names count.
func (l *lexicon) piece(text string, last bool) speech {
	if utf8.RuneCountInString(text) < 4 {
		switch text {
		case "is", "has", "no", "not", "do", "opt", "out", "in", "of", "from", "to", "at", "on", "all", "can", "may":
		default:
			return 0
		}
	}
	if says := l.exact[text]; says != 0 {
		return says
	}
	if last {
		says, _ := l.find(text, 0)
		return says
	}
	if headerWords()[text]&wordMail != 0 {
		return mail
	}
	return 0
}

func cutJoint(s string) (string, bool) {
	for _, j := range []string{"s", "n", "en", "es", "e"} {
		if short, ok := strings.CutSuffix(s, j); ok && len(short) >= 4 {
			return short, true
		}
	}
	return s, false
}

// within collects the known words of a run without spaces, the longest first at
// each place. What is left between them is not known, but for particles.
func (l *lexicon) within(parts []part, word string) []part {
	unknown := 0
	flush := func(end int) {
		if s := word[unknown:end]; s != "" {
			says := speech(0)
			if utf8.RuneCountInString(s) == 1 {
				says = filler
			}
			parts = append(parts, part{says, s})
		}
	}
next:
	for i := 0; i < len(word); {
		for j := len(word); j > i; j-- {
			if j < len(word) && !utf8.RuneStart(word[j]) {
				continue
			}
			if says, ok := l.exact[word[i:j]]; ok {
				flush(i)
				parts = append(parts, part{says, word[i:j]})
				i = j
				unknown = j
				continue next
			}
		}
		_, n := utf8.DecodeRuneInString(word[i:])
		i += n
	}
	flush(len(word))
	return parts
}
