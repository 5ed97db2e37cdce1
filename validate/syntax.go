package validate

import "strings"

// ParseAddress takes a bare address apart. The error is a *SyntaxError.
func ParseAddress(s string) (Address, error) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 {
		return Address{}, &SyntaxError{Code: "syntax_no_at", Pos: 0, Detail: "no @ in the address"}
	}
	return Address{Local: s[:at], Domain: strings.ToLower(s[at+1:]), Raw: s}, nil
}

// Key returns the form under which an address is compared: the local part
// lower-cased, and the domain as lower-case A-labels.
func (a Address) Key() string { return string(a.AppendKey(nil)) }

// AppendKey appends Key to dst.
func (a Address) AppendKey(dst []byte) []byte {
	dst = append(dst, strings.ToLower(a.Local)...)
	dst = append(dst, '@')
	return append(dst, a.Domain...)
}

// Check judges one address by everything that needs no network.
func (v *Validator) Check(s string) Result {
	a, err := ParseAddress(s)
	if err != nil {
		return Result{Address: Address{Raw: s}, Syntax: err.(*SyntaxError)}
	}
	d := v.CheckDomain(a.Domain)
	return v.CheckAddress(a, &d)
}

// CheckDomain judges a domain (lower-case A-labels) by the lists.
func (v *Validator) CheckDomain(name string) Domain { return Domain{Name: name} }

// CheckAddress judges a parsed address whose domain has been judged already.
func (v *Validator) CheckAddress(a Address, d *Domain) Result { return Result{Address: a, Domain: *d} }
