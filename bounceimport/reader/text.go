package reader

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/anytime"
	"golang.org/x/text/encoding/charmap"
)

// utf8Text returns s trimmed and as UTF-8.
func utf8Text(s string) string {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) {
		if t, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
			return t
		}
	}
	return s
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cutLine returns the first line of b without its end, and what follows.
func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

// indexFold is strings.Index without regard to ASCII case; sub is lower case.
func indexFold(s, sub string) int {
	if sub == "" {
		return 0
	}
	lo, up := sub[0], sub[0]
	if lo >= 'a' && lo <= 'z' {
		up = lo - 32
	}
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i] != lo && s[i] != up {
			continue
		}
		j := 1
		for ; j < len(sub); j++ {
			c := s[i+j]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != sub[j] {
				break
			}
		}
		if j == len(sub) {
			return i
		}
	}
	return -1
}

func firstWord(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t["); i >= 0 {
		s = s[:i]
	}
	return s
}

// between returns what stands between two marks, and whether the first is there.
func between(s, from, to string) (string, bool) {
	i := strings.Index(s, from)
	if i < 0 {
		return "", false
	}
	s = s[i+len(from):]
	if j := strings.Index(s, to); j >= 0 {
		return s[:j], true
	}
	return s, true
}

// foldWord lower-cases s and turns every run of blanks and ASCII punctuation
// into one underline, so that "Hard bounce", "hard-bounce" and "HARD_BOUNCE" are one.
func foldWord(dst []byte, s string) []byte {
	gap := false
	for i := 0; i < len(s) && len(dst) < 64; i++ {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case isDigit(c) || c >= 'a' && c <= 'z' || c >= 0x80:
		default:
			gap = true
			continue
		}
		if gap && len(dst) > 0 {
			dst = append(dst, '_')
		}
		gap = false
		dst = append(dst, c)
	}
	return dst
}

func isShortNumber(s string) bool { n, ok := anytime.Digits(s); return ok && n < 1000 }

// isTrue reads the yes of a spreadsheet.
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "y", "x", "ja", "oui", "si", "sí", "sim", "да", "はい", "是", "wahr", "vrai":
		return true
	}
	return false
}
