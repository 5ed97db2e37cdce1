package csvrows

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// role says what the name of a column promises.
type role uint8

const (
	unnamed   role = iota
	primary        // the contact's address
	secondary      // a further address of the contact
)

func headerRole(name string) role {
	switch fold(name) {
	case "email", "emailaddress", "mail", "mailaddress", "emailadresse", "mailadresse", "address", "recipient", "emailadres", "email1value":
		return primary
	}
	return unnamed
}

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// looksLikeAddress reports whether a cell holds an address and little else. It
// is a glance for detection, not a judgement.
func looksLikeAddress(cell string) bool {
	cell = strings.TrimSpace(cell)
	if strings.HasSuffix(cell, ">") {
		cell = strings.TrimSuffix(cell[strings.LastIndexByte(cell, '<')+1:], ">")
	}
	cell = strings.TrimPrefix(cell, "mailto:")
	at := strings.LastIndexByte(cell, '@')
	if at <= 0 || len(cell) > 320 {
		return false
	}
	dot := strings.LastIndexByte(cell, '.')
	return dot > at+1 && dot < len(cell)-2 && !strings.ContainsAny(cell, " \t\r\n,;:/|\\\"<>()[]")
}

func (l *List) chooseColumn(d *dialect, opt Options) error {
	if opt.Column != "" {
		for i, h := range l.Header {
			if strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(opt.Column)) {
				l.Column, l.Why = i, "named by the user"
				return nil
			}
		}
		if n, err := strconv.Atoi(opt.Column); err == nil && n >= 1 && n <= l.width {
			l.Column, l.Why = n-1, "named by the user"
			return nil
		}
		return &Error{Name: l.Name, Line: l.lines, What: fmt.Sprintf("there is no column %q; the columns are: %s", opt.Column, strings.Join(l.Header, ", "))}
	}
	best, column := 0, -1
	for i := range l.width {
		n := 0
		for _, row := range d.rows {
			if i < len(row) && looksLikeAddress(row[i]) {
				n++
			}
		}
		if i < len(l.Header) && headerRole(l.Header[i]) == primary {
			n = n*2 + 1
		}
		if n > best {
			best, column = n, i
		}
	}
	if column < 0 {
		return &Error{Name: l.Name, Line: l.lines, What: "no column holds e-mail addresses; the columns are: " + strings.Join(l.Header, ", "), Next: "name the column with --column NAME or --column NUMBER"}
	}
	l.Column, l.Why = column, "it holds addresses"
	return nil
}
