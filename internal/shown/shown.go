// Package shown makes strangers' words fit for people: what is printed, written into
// a cell that a spreadsheet opens, or masked because it is personal data.
package shown

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCell is how many bytes of a text that winnow writes stand in one cell.
const maxCell = 512

// Cell makes a text that winnow writes beside the user's own columns safe to
// put into a file that people open in a spreadsheet: bounce replies are
// written by strangers. Control and formatting characters become spaces or
// go, a text that a spreadsheet would run as a formula gets an apostrophe in
// front (OWASP, CSV injection), also where it would begin a cell of its own in a
// program that divides at another delimiter, and it is cut at 512 bytes.
// It is not for addresses, which may begin with any of these characters.
func Cell(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	space := true // no space in front
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == ' ' || r == 0x2028 || r == 0x2029:
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case r == utf8.RuneError, unicode.Is(unicode.C, r):
			continue
		}
		b.WriteRune(r)
		space = false
	}
	t := Guard(strings.TrimRight(b.String(), " "))
	if len(t) > maxCell {
		cut := maxCell - len("…")
		for !utf8.RuneStart(t[cut]) {
			cut--
		}
		t = t[:cut] + "…"
	}
	return t
}

// plain reports whether Cell has nothing to do.
func plain(s string) bool {
	if len(s) > maxCell || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || strings.Contains(s, "  ") || nextFormula(s, 0) >= 0 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// Prefix cuts s to at most n bytes, between characters.
func Prefix(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Formula reports whether a spreadsheet could take s for a formula.
func Formula(s string) bool {
	if s == "" {
		return false
	}
	switch r, _ := utf8.DecodeRuneInString(s); r {
	case '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠':
		return true
	}
	return false
}

// Guard makes a cell harmless in a spreadsheet: where a formula could begin it gets
// an apostrophe in front. That is not only at its start: a program that divides at
// another delimiter than the file has, as spreadsheets of many countries do, begins
// a cell behind every semicolon, and one that reads a quote in the middle as itself
// behind every line end. Nothing else of the cell changes.
func Guard(s string) string {
	i := nextFormula(s, 0)
	if i < 0 {
		return s
	}
	var b strings.Builder
	from := 0
	for ; i >= 0; i = nextFormula(s, i+1) {
		b.WriteString(s[from:i])
		b.WriteByte('\'')
		from = i
	}
	b.WriteString(s[from:])
	return b.String()
}

// nextFormula returns where in s, at from or behind, a formula would begin; -1 when
// there is none. Quotes at the start of a cell are taken off there.
func nextFormula(s string, from int) int {
	if from == 0 && Formula(s) {
		return 0
	}
	start := from > 0 && ends(s[from-1])
	for i := from; i < len(s); i++ {
		switch c := s[i]; {
		case ends(c):
			start = true
		case start && c == '"':
		case start && Formula(s[i:]):
			return i
		default:
			start = false
		}
	}
	return -1
}

// ends says whether a byte ends a cell for some program.
func ends(c byte) bool { return c == ';' || c == ',' || c == '\t' || c == '\n' || c == '\r' }

// Mask hides the local part of an address but for its first character, for
// everything that is printed: j***@example.org.
func Mask(address string) string {
	at := strings.LastIndexByte(address, '@') // a quoted local part may hold one too
	if at <= 0 {
		return "***"
	}
	_, n := utf8.DecodeRuneInString(address[:at])
	return address[:n] + "***" + address[at:]
}
