package validate

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// suggest proposes the address that was probably meant by one that is not
// well-formed, or "". It undoes what a slip of the hand does around the @ and in
// the domain; the local part is never guessed.
// code says what is wrong with it: within the local part there is nothing to undo.
func (v *Validator) suggest(s, code string) string {
	t := strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	t, isLink := strings.CutPrefix(t, "mailto:")
	switch code {
	case "syntax_local_char":
		if !isLink {
			return ""
		}
	case "syntax_local_dot", "syntax_local_too_long", "syntax_quote", "syntax_obsolete", "syntax_comment", "syntax_utf8":
		return ""
	}
	if len(s) > 2*maxAddress {
		return ""
	}
	if i := strings.LastIndexByte(t, '<'); i >= 0 && strings.HasSuffix(t, ">") {
		t = t[i+1 : len(t)-1]
	}
	if strings.IndexByte(t, '@') < 0 {
		t = strings.Replace(t, "＠", "@", 1)
	}
	at := strings.LastIndexByte(t, '@')
	if at <= 0 || at == len(t)-1 {
		return ""
	}
	local := strings.TrimRight(t[:at], "@ ")
	dom := strings.ToLower(norm.NFKC.String(t[at+1:]))
	dom = strings.Map(func(r rune) rune {
		switch {
		case r == ',' || r == ';':
			return '.'
		case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Cc, r):
			return -1
		}
		return r
	}, dom)
	for strings.Contains(dom, "..") {
		dom = strings.ReplaceAll(dom, "..", ".")
	}
	dom = strings.Trim(dom, `.-_/\?!*#'"()[]<>:&=+`)
	if _, known := v.lists().Domain(dom); !known {
		if d := v.lists().Typo(dom); d != "" {
			dom = d
		}
	}
	a, err := ParseAddress(local + "@" + dom)
	if err != nil || a.Raw == s {
		return ""
	}
	if code, _ := specialUse(a.Domain); code != "" {
		return ""
	}
	return local + "@" + dom
}
