package columns

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Role says what the name of a column promises about it.
type Role uint8

// The roles of columns. Unnamed is a name that says nothing of addresses.
const (
	Unnamed    Role = iota
	Primary         // the contact's address
	Likely          // probably the contact's address: it has words that are not known
	Secondary       // a further address of the contact
	Other           // something else about e-mail, or somebody else's address
	StatusLike      // may carry the suppressions of an exporting service
)

// class is a set of what a word can say in the name of a column (headers.txt).
type class uint16

const (
	wordMail class = 1 << iota
	wordPost
	wordElec
	wordAddr
	wordWith
	wordSecond
	wordNot
	wordThem
	wordTo
)

//go:embed headers.txt
var headersTxt string

// vocabulary knows the words of headers.txt.
type vocabulary map[string]class

var headerWords = sync.OnceValue(newVocabulary)

func newVocabulary() vocabulary {
	v := make(vocabulary, 2500)
	for line := range strings.Lines(headersTxt) {
		name, words, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var c class
		switch name {
		case "mail":
			c = wordMail
		case "post":
			c = wordPost
		case "elec":
			c = wordElec
		case "addr":
			c = wordAddr
		case "with":
			c = wordWith
		case "second":
			c = wordSecond
		case "not":
			c = wordNot
		case "them":
			c = wordThem
		case "to":
			c = wordTo
		default:
			continue
		}
		_, words, _ = strings.Cut(words, " ") // the language
		for word := range strings.FieldsSeq(words) {
			v[word] |= c
		}
	}
	return v
}

// RoleOf classifies the name of a column by itself, in any of some forty languages.
// What a column is used for also depends on its values.
func RoleOf(name string) Role {
	if len(name) > 200 {
		return Unnamed
	}
	best := Unnamed
	for _, text := range readings(name) {
		r := headerWords().addressRole(Words(text))
		if s := theLexicon().nameSense(text); s.does != saysNothing && (r != Primary || s.does != saysHeld && s.does != saysYes) {
			r = StatusLike
		}
		if r == Primary {
			return r
		}
		if best == Unnamed || best == Likely {
			best = r
		}
	}
	return best
}

// Bare reports whether a name has no words but those for e-mail and address.
func Bare(name string) bool {
	for _, word := range Words(name) {
		if c, ok := headerWords().word(word); word != "e" && (!ok || c&(wordMail|wordAddr|wordPost|wordElec) == 0) {
			return false
		}
	}
	return true
}

// Named reports whether a cell of a first row is the name of a column of addresses.
func Named(cell string) bool {
	return len(cell) > 2 && len(cell) < 100 && strings.IndexByte(cell, '@') < 0 && RoleOf(cell) == Primary
}

// addressRole returns what the words of a name say of a column of addresses.
func (v vocabulary) addressRole(words []string) Role {
	if len(words) == 0 {
		return Unnamed
	}
	if v[strings.Join(words, "")]&wordTo != 0 {
		return Primary
	}
	var all class
	unknown := false
	for i := 0; i < len(words); i++ {
		word := words[i]
		if isNumber(word) {
			if word != "1" && word != "0" && len(word) < 3 {
				all |= wordSecond
			}
			continue
		}
		if utf8.RuneCountInString(word) == 1 && i+1 < len(words) {
			// e-mail, е-пошта: one word, cut in two by its hyphen
			if c := v[word+words[i+1]]; c&wordMail != 0 {
				all |= wordMail
				i++
				continue
			}
			if c, ok := v.parts("e" + words[i+1]); word == "e" && ok && c&wordMail != 0 {
				all |= c
				i++
				continue
			}
		}
		c, ok := v.word(word)
		all |= c
		unknown = unknown || !ok
	}
	mail := all&wordMail != 0 || all&wordElec != 0 && all&(wordPost|wordAddr) != 0
	switch {
	case all&wordThem != 0:
		return Other
	case !mail && all&wordTo != 0 && all&^(wordTo|wordAddr|wordWith) == 0 && !unknown:
		return Primary
	case !mail:
		return Unnamed
	case all&wordNot != 0:
		return Other
	case all&wordSecond != 0:
		return Secondary
	case unknown:
		return Likely
	}
	return Primary
}

// word returns what one word says; false when a part of it is not known.
func (v vocabulary) word(word string) (class, bool) {
	if c, ok := v[word]; ok {
		return prefer(c), true
	}
	if c, ok := v.parts(word); ok {
		return c, true
	}
	// Compounds and inflections with a part that is not known.
	if spaceless(word) {
		return v.within(word), false
	}
	for i := range word {
		if i == 0 {
			continue
		}
		head, tail := word[:i], word[i:]
		if v[tail]&wordMail != 0 && utf8.RuneCountInString(tail) >= 4 ||
			v[head]&wordMail != 0 && utf8.RuneCountInString(head) >= 5 {
			return wordMail, false
		}
	}
	return 0, false
}

// prefer settles words that say different things in different languages: what
// belongs to an address wins over what speaks against it.
func prefer(c class) class {
	if c&(wordMail|wordAddr|wordWith|wordSecond|wordPost|wordElec) != 0 {
		c &^= wordNot | wordThem
	}
	if c&(wordWith|wordMail) != 0 {
		c &^= wordSecond
	}
	return c
}

// parts reads a word that is made of known words only: emailaddress, kundenmail.
func (v vocabulary) parts(word string) (class, bool) {
	short := 3
	if spaceless(word) {
		short = 1
	}
	type step struct {
		c  class
		ok bool
	}
	at := make([]step, len(word)+1)
	at[0].ok = true
	for i := range word {
		if !at[i].ok {
			continue
		}
		for j := len(word); j > i; j-- {
			if at[j].ok || j < len(word) && !utf8.RuneStart(word[j]) {
				continue
			}
			if c, ok := v[word[i:j]]; ok && utf8.RuneCountInString(word[i:j]) >= short {
				at[j] = step{at[i].c | prefer(c), true}
			}
		}
	}
	return at[len(word)].c, at[len(word)].ok
}

// within collects the known words in a word of a script without spaces, the
// longest first at each place.
func (v vocabulary) within(word string) (all class) {
next:
	for i := 0; i < len(word); {
		for j := len(word); j > i; j-- {
			if c, ok := v[word[i:j]]; ok {
				all |= prefer(c)
				i = j
				continue next
			}
		}
		_, n := utf8.DecodeRuneInString(word[i:])
		i += n
	}
	return all
}

// spaceless reports whether word is of a script that is written without spaces
// between words, or whose words take endings freely.
func spaceless(word string) bool {
	for _, r := range word {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			return true
		}
	}
	return false
}

func isNumber(word string) bool {
	for _, r := range word {
		if r < '0' || r > '9' {
			return false
		}
	}
	return word != ""
}
