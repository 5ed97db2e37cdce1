package validate

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/winnow-email/winnow/validate/lists"
)

// Check judges one address by everything that needs no network. An address that
// is not well-formed may still have a Suggestion.
func (v *Validator) Check(s string) (r Result) {
	var ok bool
	if r.Address, ok = parseCommon(s); !ok {
		a, e := parseAny(s)
		if e != nil {
			r.Address.Raw, r.Syntax, r.Suggestion = s, e, v.suggest(s, e.Code)
			return r
		}
		r.Address = a
	}
	v.checkDomain(&r.Domain, r.Address.Domain)
	v.checkLocal(&r)
	return r
}

// CheckDomain judges a domain, as ParseAddress returns it, by the lists. The
// order: special-use names, then the lists, then, for what is on none, typos.
func (v *Validator) CheckDomain(name string) (d Domain) {
	v.checkDomain(&d, name)
	return d
}

// CheckAddress judges a parsed address whose domain has been judged already.
func (v *Validator) CheckAddress(a Address, d *Domain) (r Result) {
	r.Address, r.Domain = a, *d
	v.checkLocal(&r)
	return r
}

func (v *Validator) checkDomain(d *Domain, name string) {
	d.Name = name
	if name == "" || name[0] == '[' {
		return
	}
	if d.Code, d.Detail = specialUse(name); d.Code != "" {
		return
	}
	set := v.lists()
	e, ok := set.Domain(name)
	if !ok {
		d.Typo = set.Typo(name)
		return
	}
	d.Source = e.List.Label()
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
		d.Source += ": " + e.Name
	case lists.Free:
		d.Class = "free"
	}
}

// Evidence returns what the lists say of a result, one observation each. Its
// verdict needs none of them: they are what the verdict rests on.
func (v *Validator) Evidence(r *Result) []Evidence {
	var ev []Evidence
	d := &r.Domain
	say := func(what, from string) { ev = append(ev, Evidence{What: what, From: from}) }
	if r.Syntax != nil {
		say(r.Syntax.Code+" at octet "+strconv.Itoa(r.Syntax.Pos), "syntax")
		return ev
	}
	if d.Code != "" {
		say(d.Code, d.Detail)
	}
	switch d.Disposable {
	case Confirmed:
		say("disposable domain, confirmed", d.Source)
	case Listed:
		say("disposable domain, on one list", d.Source)
	}
	if d.Alias != "" {
		say("privacy alias of "+d.Alias, d.Source)
	}
	if d.Provider != "" {
		say("provider "+d.Provider+" ("+d.Class+")", d.Source)
	} else if d.Class == "free" {
		say("free mailbox domain", d.Source)
	}
	if d.Typo != "" {
		say("one slip away from "+d.Typo, "typo rule")
	}
	if r.Role != Person {
		class, l := v.roleOf(roleName(r.Address.Local))
		if l != nil {
			say(class+" mailbox", l.Label())
		} else {
			say("no-reply mailbox", "its beginning")
		}
	}
	if r.Risky != "" {
		say(r.Risky, "sign-up rules of "+d.Provider)
	}
	if r.Exotic != "" {
		say(r.Exotic, "syntax")
	}
	return ev
}

// checkLocal adds to r what is to be said of its local part, given its domain.
func (v *Validator) checkLocal(r *Result) {
	a, d := &r.Address, &r.Domain
	if a.Local == "" {
		return
	}
	if a.Local[0] == '"' {
		r.Exotic = "quoted_local_part"
	}
	if a.Domain[0] == '[' {
		r.Exotic = "domain_literal"
	}
	if n := len(a.Domain); n > 2 && a.Domain[n-2] == '.' {
		r.Exotic = "one_letter_tld" // none exists, and none is planned (ICANN, Applicant Guidebook 2.2.1.3.2)
	}
	if !isASCII(a.Raw) {
		v.noteInternational(r)
	}
	r.Role = v.role(a.Local)
	if d.Provider != "" {
		r.Risky = providerRule(d.Provider, a.Local)
	}
	if d.Typo != "" {
		r.Suggestion = a.Local + "@" + d.Typo
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

// role classifies a local part.
func (v *Validator) role(local string) RoleClass {
	name := roleName(local)
	class, _ := v.roleOf(name)
	switch class {
	case "system":
		return System
	case "no-reply":
		return NoReply
	case "shared":
		return Shared
	case "":
		if isNoReply(name) {
			return NoReply
		}
	}
	return Person
}

// roleOf looks a name up, and what of it stands before a country or a number:
// sales-uk, info.2. The word must be long enough to be no initials.
func (v *Validator) roleOf(name string) (class string, from *lists.List) {
	if len(name) > maxRole {
		return "", nil
	}
	if class, from = v.lists().Role(name); from != nil {
		return class, from
	}
	for i := len(name) - 2; i >= max(4, len(name)-3); i-- {
		if c := name[i]; c == '-' || c == '.' || c == '_' {
			return v.lists().Role(name[:i])
		}
	}
	return "", nil
}

const maxRole = 32 // no name on the list of roles is longer

// roleName returns what of a local part may name a role: in lower case and
// without a tag (RFC 5233), which does not hide it.
func roleName(local string) string {
	for i := 0; i < len(local); i++ {
		c := local[i]
		if c == '+' && i > 0 {
			return local[:i]
		}
		if class[c]&cUpper != 0 || c >= utf8.RuneSelf {
			name, _, _ := strings.Cut(local[1:], "+")
			return strings.ToLower(local[:1] + name)
		}
	}
	return local
}

// isNoReply reports whether a name says by its beginning that nobody reads it.
func isNoReply(name string) bool {
	switch name[0] {
	case 'n':
		return hasPrefix(name, "noreply", "no-reply", "no_reply", "no.reply")
	case 'd':
		return hasPrefix(name, "donotreply", "do-not-reply", "do_not_reply", "do.not.reply")
	}
	return false
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
