package validate

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"winnow/validate/lists"
)

// Check judges one address by everything that needs no network. An address that
// is not well-formed may still have a Suggestion.
func (v *Validator) Check(s string) Result {
	a, err := ParseAddress(s)
	if err != nil {
		r := Result{Address: Address{Raw: s}, Syntax: err.(*SyntaxError)}
		r.Suggestion = v.suggest(s)
		return r
	}
	d := v.CheckDomain(a.Domain)
	return v.CheckAddress(a, &d)
}

// CheckDomain judges a domain, as ParseAddress returns it, by the lists. The
// order: special-use names, then the lists, then, for what is on none, typos.
func (v *Validator) CheckDomain(name string) Domain {
	d := Domain{Name: name}
	if name == "" || name[0] == '[' {
		return d
	}
	if d.Code, d.Detail = specialUse(name); d.Code != "" {
		return d
	}
	set := v.lists()
	e, ok := set.Domain(name)
	if !ok {
		d.Typo = set.Typo(name)
		return d
	}
	switch e.Kind {
	case lists.Provider:
		d.Provider, d.Class = e.Name, e.Class
	case lists.Alias:
		d.Alias, d.Class = e.Name, "forwarder"
	case lists.Disposable:
		d.Disposable = Listed
		if e.Class == "confirmed" {
			d.Disposable = Confirmed
		}
	case lists.Free:
		d.Class = "free"
	}
	if e.Kind != lists.Known {
		d.Source = e.List.Name
	}
	return d
}

// CheckAddress judges a parsed address whose domain has been judged already.
func (v *Validator) CheckAddress(a Address, d *Domain) Result {
	r := Result{Address: a, Domain: *d}
	v.checkLocal(&r)
	if d.Typo != "" {
		r.Suggestion = a.Local + "@" + d.Typo
	}
	return r
}

func (v *Validator) lists() *lists.Set {
	if v.Lists != nil {
		return v.Lists
	}
	return lists.Embedded()
}

func (v *Validator) checkLocal(r *Result) {
	a := &r.Address
	if a.Local == "" {
		return
	}
	if a.Local[0] == '"' {
		r.Exotic = "quoted_local_part"
	}
	if a.Domain[0] == '[' {
		r.Exotic = "domain_literal"
	}
	if firstNonASCII(a.Raw) < len(a.Raw) {
		v.noteInternational(r)
	}
	r.Role = v.role(a.Local)
	if r.Domain.Provider != "" {
		r.Risky = providerRule(r.Domain.Provider, a.Local)
	}
}

// noteInternational says what an address that is not ASCII asks of the sender.
func (v *Validator) noteInternational(r *Result) {
	a := &r.Address
	raw := a.Raw[len(a.Local)+1:]
	for _, c := range a.Raw {
		if isFullwidth(c) {
			r.Notes = append(r.Notes, "fullwidth")
			break
		}
	}
	if firstNonASCII(a.Local) < len(a.Local) {
		r.Notes = append(r.Notes, "eai") // RFC 6531: needs SMTPUTF8 all the way
		if !norm.NFC.IsNormalString(a.Local) {
			r.Notes = append(r.Notes, "not_nfc") // RFC 6532 3.1
		}
		if strings.IndexFunc(a.Local, isEmoji) >= 0 && r.Exotic == "" {
			r.Exotic = "emoji_local_part"
		}
	}
	if firstNonASCII(raw) < len(raw) {
		r.Notes = append(r.Notes, "idn")
		if strings.IndexFunc(raw, isEmoji) >= 0 && r.Exotic == "" {
			r.Exotic = "emoji_domain"
		}
	}
}

// role classifies a local part. A tag (RFC 5233) does not hide the role.
func (v *Validator) role(local string) RoleClass {
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	var buf [32]byte
	if len(local) > len(buf) {
		if isNoReply(local) {
			return NoReply
		}
		return Person
	}
	name := local
	for i := 0; i < len(local); i++ {
		c := local[i]
		if class[c]&cUpper != 0 || c >= utf8.RuneSelf {
			name = strings.ToLower(local)
			break
		}
	}
	switch v.lists().Role(name) {
	case "system":
		return System
	case "no-reply":
		return NoReply
	case "shared":
		return Shared
	}
	if isNoReply(name) {
		return NoReply
	}
	return Person
}

// isNoReply reports whether a local part says by its beginning that nobody reads it.
func isNoReply(name string) bool {
	for _, p := range [...]string{"noreply", "no-reply", "no_reply", "no.reply", "donotreply", "do-not-reply", "do_not_reply", "do.not.reply"} {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return true
		}
	}
	return false
}

// specialUse says why no mail can go to a domain whatever the DNS says: names
// that RFC 6761 and its successors take out of it.
func specialUse(d string) (code, detail string) {
	i := strings.LastIndexByte(d, '.')
	sld := d[strings.LastIndexByte(d[:max(i, 0)], '.')+1:]
	switch d[i+1:] {
	case "com", "net", "org":
		if sld == "example.com" || sld == "example.net" || sld == "example.org" {
			return "domain_example", "example.com, example.net and example.org are reserved for documentation (RFC 6761 6.5)"
		}
	case "example":
		return "domain_special_use", ".example is reserved for documentation (RFC 6761 6.5)"
	case "test":
		return "domain_special_use", ".test is reserved for testing (RFC 6761 6.2)"
	case "invalid":
		return "domain_special_use", ".invalid never exists (RFC 6761 6.4)"
	case "localhost":
		return "domain_special_use", ".localhost is the machine itself (RFC 6761 6.3)"
	case "local":
		return "domain_special_use", ".local is for one's own network (RFC 6762)"
	case "onion":
		return "domain_special_use", ".onion is no DNS name (RFC 7686)"
	case "internal":
		return "domain_special_use", ".internal is for private use (ICANN, 2024)"
	case "alt":
		return "domain_special_use", ".alt is outside of the DNS (RFC 9476)"
	case "arpa":
		return "domain_special_use", ".arpa is for the DNS itself (RFC 3172, RFC 8375)"
	}
	return "", ""
}
