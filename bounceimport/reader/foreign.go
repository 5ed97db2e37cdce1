package reader

import (
	"slices"
	"strings"
)

// foreignMessage tells why a message with that Message-ID and those senders is none
// of ours, or returns "".
func (d *reading) foreignMessage(id string, from ...string) string {
	if len(d.opt.Senders) > 0 && !slices.ContainsFunc(from, d.ours) {
		return "returned message from another sender"
	}
	if d.opt.MessageID != nil && !d.opt.MessageID(strings.Trim(id, "<> ")) {
		return "returned message with an unknown Message-ID"
	}
	return ""
}

// guarded tells whether what comes by mail must be about a message of ours.
func (d *reading) guarded() bool { return len(d.opt.Senders) > 0 || d.opt.MessageID != nil }

// ours tells whether a header value names an address in one of our domains.
func (d *reading) ours(value string) bool {
	a := cleanRecipient(decodeWords(value))
	at := strings.LastIndexByte(a, '@')
	domain := strings.ToLower(a[at+1:])
	return at > 0 && slices.ContainsFunc(d.opt.Senders, func(s string) bool {
		s = strings.ToLower(strings.TrimPrefix(s, "@"))
		return domain == s || strings.HasSuffix(domain, "."+s)
	})
}
