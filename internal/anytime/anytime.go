// Package anytime reads the times that other programs write.
package anytime

import (
	"strings"
	"time"
)

// Parse reads the times that exports, webhooks, logs and mails use: epoch
// seconds, milliseconds, microseconds or fractions, RFC 3339 and its relatives
// with a blank, RFC 5322, dd.mm.yyyy, and the forms of US programs. loc is the
// zone of times that name none. The zero time means that s is none of these.
func Parse(s string, loc *time.Location) time.Time {
	s = strings.TrimSpace(s)
	if len(s) < 6 {
		return time.Time{}
	}
	if s[0] == '"' || s[0] == '\'' {
		s = strings.Trim(s, `"' `)
		if len(s) < 6 {
			return time.Time{}
		}
	}
	if isDigit(s[0]) {
		if t, ok := epoch(s); ok {
			return t
		}
		if t, ok := ISO(s, loc); ok {
			return t
		}
		if t, ok := shortDate(s, loc); ok {
			return t
		}
	}
	return mailDate(s, loc)
}

// epoch reads a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970, told apart by their size: all of 1973 to 2100 is unambiguous.
func epoch(s string) (time.Time, bool) {
	var whole, frac, scale int64 = 0, 0, 1
	dot := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.' && !dot && i > 0:
			dot = true
		case !isDigit(c):
			return time.Time{}, false
		case dot:
			if scale < 1e9 {
				frac, scale = frac*10+int64(c-'0'), scale*10
			}
		default:
			if i >= 19 {
				return time.Time{}, false
			}
			whole = whole*10 + int64(c-'0')
		}
	}
	switch {
	case whole < 1e8: // not a time: an id, or a date without separators
		return time.Time{}, false
	case whole < 5e9:
		return time.Unix(whole, frac*(1e9/scale)).UTC(), true
	case whole < 5e12:
		return time.UnixMilli(whole).UTC(), true
	case whole < 5e15:
		return time.UnixMicro(whole).UTC(), true
	}
	return time.Unix(0, whole).UTC(), true
}

// ISO reads yyyy-mm-dd or yyyy/mm/dd, with or without a time of day after
// "T" or blanks, a fraction, and a zone ("Z", "UTC", "+0200", "+02:00", " +02").
func ISO(s string, loc *time.Location) (time.Time, bool) {
	if len(s) < 10 || s[4] != '-' && s[4] != '/' || s[7] != s[4] {
		return time.Time{}, false
	}
	y, ok1 := Digits(s[0:4])
	mo, ok2 := Digits(s[5:7])
	d, ok3 := Digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || mo < 1 || mo > 12 || d < 1 || d > 31 {
		return time.Time{}, false
	}
	h, mi, se, ns, rest, ok := Clock(s[10:])
	if !ok {
		return time.Time{}, false
	}
	z, ok := Zone(rest, loc)
	if !ok {
		return time.Time{}, false
	}
	return time.Date(y, time.Month(mo), d, h, mi, se, ns, z).UTC(), true
}

// Clock reads " hh:mm[:ss[.fraction]][ AM]" and returns what follows it. Nothing
// at all is midnight.
func Clock(s string) (h, m, sec, ns int, rest string, ok bool) {
	s = strings.TrimLeft(s, " Tt,")
	if s == "" {
		return 0, 0, 0, 0, "", true
	}
	i := strings.IndexByte(s, ':')
	if i < 1 || i > 2 {
		return 0, 0, 0, 0, s, !isDigit(s[0])
	}
	var ok1, ok2 bool
	if h, ok1 = Digits(s[:i]); !ok1 || len(s) < i+3 {
		return
	}
	if m, ok2 = Digits(s[i+1 : i+3]); !ok2 {
		return
	}
	s = s[i+3:]
	if len(s) >= 3 && s[0] == ':' {
		var ok3 bool
		if sec, ok3 = Digits(s[1:3]); !ok3 {
			return
		}
		s = s[3:]
		if len(s) > 1 && (s[0] == '.' || s[0] == ',') && isDigit(s[1]) {
			scale := 100_000_000
			for s = s[1:]; len(s) > 0 && isDigit(s[0]); s = s[1:] {
				ns += int(s[0]-'0') * scale
				scale /= 10
			}
		}
	}
	t := strings.TrimLeft(s, " ")
	if len(t) >= 2 && (t[1] == 'M' || t[1] == 'm') && (len(t) == 2 || t[2] == ' ') {
		switch {
		case (t[0] == 'P' || t[0] == 'p') && h < 12:
			h += 12
		case (t[0] == 'A' || t[0] == 'a') && h == 12:
			h = 0
		}
		s = t[2:]
	}
	if h > 23 || m > 59 || sec > 60 {
		return
	}
	return h, m, sec, ns, s, true
}

// Zone reads the zone that ends a time; loc is that of a time that names none.
func Zone(s string, loc *time.Location) (*time.Location, bool) {
	s = strings.TrimSpace(s)
	switch s {
	case "":
		return loc, true
	case "Z", "z", "UTC", "GMT", "UT", "utc", "(UTC)", "+00:00", "+0000", "-0000":
		return time.UTC, true
	}
	if s[0] == '+' || s[0] == '-' {
		if i := strings.IndexByte(s, ' '); i > 0 {
			s = s[:i] // a comment, "+0900 (JST)"
		}
		d := strings.Replace(s[1:], ":", "", 1)
		if len(d) == 2 {
			d += "00"
		}
		n, ok := Digits(d)
		if !ok || len(d) != 4 || n/100 > 15 || n%100 > 59 {
			return nil, false
		}
		off := (n/100*60 + n%100) * 60
		if s[0] == '-' {
			off = -off
		}
		return time.FixedZone("", off), true
	}
	if len(s) > 3 && (strings.HasPrefix(s, "UTC") || strings.HasPrefix(s, "GMT")) {
		return Zone(s[3:], loc)
	}
	switch strings.ToUpper(s) { // RFC 5322 4.3, and the zones that Japanese and European mailers write
	case "EST", "CDT":
		return time.FixedZone(s, -5*3600), true
	case "EDT":
		return time.FixedZone(s, -4*3600), true
	case "CST", "MDT":
		return time.FixedZone(s, -6*3600), true
	case "MST", "PDT":
		return time.FixedZone(s, -7*3600), true
	case "PST":
		return time.FixedZone(s, -8*3600), true
	case "JST":
		return time.FixedZone(s, 9*3600), true
	case "CET", "BST":
		return time.FixedZone(s, 3600), true
	case "CEST", "EET":
		return time.FixedZone(s, 2*3600), true
	case "MSK":
		return time.FixedZone(s, 3*3600), true
	}
	return loc, true // a name nobody can look up safely: the day will be right to within one
}

// shortDate reads dd.mm.yyyy (Europe), m/d/yyyy (US, the usual meaning of
// slashes in exports) or d/m/yyyy where only that makes sense, and dd-mm-yyyy.
func shortDate(s string, loc *time.Location) (time.Time, bool) {
	end := strings.IndexAny(s, " T,")
	date, rest := s, ""
	if end > 0 {
		date, rest = s[:end], s[end:]
	}
	var sep byte
	for _, c := range []byte{'.', '/', '-'} {
		if strings.Count(date, string(c)) == 2 {
			sep = c
		}
	}
	if sep == 0 {
		return time.Time{}, false
	}
	p := strings.Split(date, string(sep))
	a, ok1 := Digits(p[0])
	b, ok2 := Digits(p[1])
	y, ok3 := Digits(p[2])
	if !ok1 || !ok2 || !ok3 || len(p[0]) > 2 {
		return time.Time{}, false
	}
	if len(p[2]) == 2 {
		y += 2000
	}
	d, m := a, b
	if sep == '/' && b <= 31 && a <= 12 {
		d, m = b, a
	}
	if d < 1 || d > 31 || m < 1 || m > 12 || y < 1980 {
		return time.Time{}, false
	}
	h, mi, se, ns, tail, ok := Clock(rest)
	if !ok {
		return time.Time{}, false
	}
	z, ok := Zone(tail, loc)
	if !ok {
		return time.Time{}, false
	}
	return time.Date(y, time.Month(m), d, h, mi, se, ns, z).UTC(), true
}

// mailDate reads "[Fri, ]21 Oct 2011 11:02:55 +0900 (JST)" (RFC 5322 3.3, with
// the liberties of 4.3), "Oct 21[,] 2011 …", and asctime's "Fri Oct 21 11:02:55 2011".
func mailDate(s string, loc *time.Location) time.Time {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' })
	var d, m, y int
	var tod string
	var tail []string
	for i := 0; i < len(f); i++ {
		w := f[i]
		switch {
		case m == 0 && Month(w) > 0:
			m = Month(w)
		case strings.Count(w, "-") == 2 && m == 0 && isDigit(w[0]): // 21-Oct-2011
			p := strings.Split(w, "-")
			d, _ = Digits(p[0])
			m = Month(p[1])
			y, _ = Digits(p[2])
		case tod == "" && strings.Count(w, ":") >= 1 && isDigit(w[0]):
			tod = w
			if i+1 < len(f) && (strings.EqualFold(f[i+1], "AM") || strings.EqualFold(f[i+1], "PM")) {
				tod += " " + f[i+1]
				i++
			}
		case isDigit(w[0]) && len(w) <= 2 && d == 0:
			d, _ = Digits(w)
		case isDigit(w[0]) && len(w) == 4 && y == 0:
			y, _ = Digits(w)
		case isDigit(w[0]) && len(w) == 2 && y == 0 && d != 0 && m != 0:
			if y, _ = Digits(w); y < 70 { // RFC 5322 4.3
				y += 2000
			} else {
				y += 1900
			}
		case tod != "" || y != 0:
			tail = append(tail, w)
		}
	}
	if m == 0 || d < 1 || d > 31 || y < 1970 {
		return time.Time{}
	}
	h, mi, se, ns, rest, ok := Clock(tod)
	if !ok {
		return time.Time{}
	}
	z := loc
	if rest == "" && len(tail) > 0 {
		rest = tail[0]
	}
	if zz, ok := Zone(rest, loc); ok {
		z = zz
	}
	return time.Date(y, time.Month(m), d, h, mi, se, ns, z).UTC()
}

// Month returns the number of the English month that w begins with, or 0.
func Month(w string) int {
	if len(w) < 3 {
		return 0
	}
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	a, b, c := w[0]|0x20, w[1]|0x20, w[2]|0x20
	for i := 0; i < len(names); i += 3 {
		if names[i] == a && names[i+1] == b && names[i+2] == c {
			return i/3 + 1
		}
	}
	return 0
}

// Digits reads a number of decimal digits and nothing else.
func Digits(s string) (int, bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
