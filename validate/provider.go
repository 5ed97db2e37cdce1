package validate

import "strings"

// providerRule returns a code when a provider could not have handed out a local
// part: what its sign-up form refuses, with room for what it once allowed and for
// tags. These rules change, so they never make an address invalid.
func providerRule(provider, local string) string {
	base := local
	switch provider {
	case "gmail":
		// support.google.com/mail/answer/9211434: 6 to 30 letters, digits and dots; dots do not count.
		base, _, _ = strings.Cut(base, "+")
		if n := len(base) - strings.Count(base, "."); n < 6 || n > 30 || !only(base, ".") {
			return "provider_local_part"
		}
	case "yahoo":
		// help.yahoo.com/kb/SLN3533: 4 to 32 letters, digits, one of . or _; "-" parts a disposable address from its base.
		if len(base) < 3 || len(base) > 64 || !only(base, "._-+") {
			return "provider_local_part"
		}
	case "aol":
		// help.aol.com: 3 to 32 letters, digits, . and _; older names had 16 at most and no dot.
		if len(base) < 3 || len(base) > 64 || !only(base, "._-+") {
			return "provider_local_part"
		}
	case "outlook":
		// support.microsoft.com: letters, digits, . _ - and +tags, 64 at most; never a dot at the end.
		base, _, _ = strings.Cut(base, "+")
		if base == "" || !only(base, "._-") {
			return "provider_local_part"
		}
	case "icloud":
		// support.apple.com/guide/icloud/mm6b1a490a: 3 to 20 letters, digits, . and _; Hide My Email adds "-".
		base, _, _ = strings.Cut(base, "+")
		if len(base) < 3 || !only(base, "._-") {
			return "provider_local_part"
		}
	}
	return ""
}

// only reports whether s has nothing but ASCII letters, digits and the characters of more.
func only(s, more string) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&(cLetter|cDigit) == 0 && strings.IndexByte(more, s[i]) < 0 {
			return false
		}
	}
	return true
}
