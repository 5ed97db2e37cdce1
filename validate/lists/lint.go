package lists

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// refuse says why a domain must not be on a list of disposable domains, or "".
// Other people's lists hold public suffixes, universities, big providers and
// their misspellings; each of those would condemn ordinary people.
func refuse(s *Set, domain string) string {
	if !isDomain(domain) {
		return "not a domain name"
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		return "a public suffix, under which anybody registers"
	}
	if isAcademic(domain) {
		return "a university or school"
	}
	for d := domain; ; {
		if l, _ := s.domains.find(d); l != nil && (l.kind == Provider || l.kind == Alias || l.kind == known) {
			return "on the list of " + l.Name
		}
		i := strings.IndexByte(d, '.')
		if i < 0 {
			break
		}
		d = d[i+1:]
	}
	if t := s.Typo(domain); t != "" && !strings.HasPrefix(domain, "xn--") { // what only looks like a provider's name was made to
		return "looks like a slip for " + t
	}
	return ""
}

func isDomain(d string) bool {
	if len(d) > 253 || strings.IndexByte(d, '.') < 0 {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// isAcademic reports whether a domain is under .edu, or .edu or .ac of a country.
func isAcademic(d string) bool {
	labels := strings.Split(d, ".")
	n := len(labels)
	return labels[n-1] == "edu" || n >= 3 && len(labels[n-1]) == 2 && (labels[n-2] == "edu" || labels[n-2] == "ac")
}
