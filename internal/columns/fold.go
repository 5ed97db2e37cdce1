package columns

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/unicode/norm"
)

// readings returns what a name can say: itself, or, when it is not UTF-8, what it
// is in the codepages that exports still come in. The wrong ones give words that
// nobody knows.
func readings(name string) []string {
	if utf8.ValidString(name) {
		return []string{name}
	}
	var all []string
	for _, page := range []encoding.Encoding{
		charmap.Windows1252, charmap.Windows1250, charmap.Windows1251, charmap.Windows1253, charmap.Windows1254, charmap.Windows1255, charmap.Windows1256, charmap.KOI8R, charmap.Macintosh,
		japanese.ShiftJIS, japanese.EUCJP, simplifiedchinese.GBK, traditionalchinese.Big5, korean.EUCKR,
	} {
		if text, err := page.NewDecoder().String(name); err == nil {
			all = append(all, text)
		}
	}
	return all
}

// Words returns the words of a name or a cell as the lexicon compares them:
// compatibility forms resolved, lower case, cut at punctuation, at digits and where
// a capital follows a small letter. Marks are dropped after Latin and Greek letters
// and where a script writes them at will (Arabic, Hebrew); elsewhere they are letters
// of their own.
func Words(name string) []string {
	if plain(name) {
		return strings.Fields(name)
	}
	folded := make([]rune, 0, len(name)+8)
	latin, lower := false, false // of the last letter
	for _, r := range norm.NFKD.String(name) {
		switch {
		case r >= 0x0591 && r <= 0x05c7 && r != 0x05be, r >= 0x064b && r <= 0x0655, r == 0x0670, r == 0x0640:
			continue // points, vowel signs, hamza on its carrier, kashida
		case unicode.Is(unicode.Mn, r):
			if n := len(folded); !latin && !(r == 0x0308 && n > 0 && folded[n-1] == 'е') {
				folded = append(folded, r)
			}
			continue
		case r == 0x02bb || r == 0x02bc: // letters that stand for an apostrophe
			folded = append(folded, ' ')
		case unicode.IsLetter(r), unicode.Is(unicode.M, r):
			if lower && unicode.IsUpper(r) && !onlyOneLetter(folded) {
				folded = append(folded, ' ')
			}
			latin = r < 0x250 || unicode.In(r, unicode.Latin, unicode.Greek)
			lower = unicode.IsLower(r)
			if n := len(folded); n > 0 && folded[n-1] >= '0' && folded[n-1] <= '9' {
				folded = append(folded, ' ')
			}
			r = unicode.ToLower(r)
			if r >= utf8.RuneSelf {
				if two, ok := spelled[r]; ok {
					folded = append(folded, two[0])
					if r = two[1]; r == 0 {
						continue
					}
				}
			}
			folded = append(folded, r)
			continue
		case r >= '0' && r <= '9':
			if n := len(folded); n > 0 && unicode.IsLetter(folded[n-1]) {
				folded = append(folded, ' ')
			}
			folded = append(folded, r)
		case r == '\'' || r == '’':
			folded = append(folded, ' ') // d'email
		case r == '"' || r == '״' || r == '\u200c' || r == '\u200b' || r == '\ufeff' || r == '·':
			// within a word: דוא"ל, cancel·lat
		default:
			folded = append(folded, ' ')
		}
		latin, lower = false, false
	}
	return strings.Fields(norm.NFKC.String(string(folded)))
}

// spelled are the letters that are written as others where they are missing.
var spelled = map[rune][2]rune{
	'ł': {'l'}, 'đ': {'d'}, 'ð': {'d'}, 'ø': {'o'}, 'ı': {'i'}, 'ħ': {'h'}, 'ς': {'σ'}, 'æ': {'a', 'e'}, 'œ': {'o', 'e'}, 'ß': {'s', 's'}, 'þ': {'t', 'h'},
	'ى': {'ي'}, 'ی': {'ي'}, 'ک': {'ك'},
}

// onlyOneLetter reports whether the current word is one letter: eMail is one word.
func onlyOneLetter(folded []rune) bool {
	n := len(folded)
	return n == 1 || n > 1 && folded[n-2] == ' '
}

// plain reports whether a text is made of small letters of ASCII and blanks.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != ' ' {
			return false
		}
	}
	return true
}
