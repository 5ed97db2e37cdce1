package columns

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Days before mail was sent in bulk, and days that no one will see, stand for
// "never": the zero times of SQL, .NET, Go, Unix and Excel, and 9999-12-31.
const (
	firstYear = 1971
	lastYear  = 2089
)

// dateOfYear returns meansDate for a year in which somebody can have said no, in the
// common, the Persian, the Islamic or the Buddhist count.
func dateOfYear(year int) meaning {
	if year >= firstYear && year <= lastYear || year >= 1380 && year <= 1460 || year >= 2514 && year <= 2632 {
		return meansDate
	}
	return meansNothing
}

// numberOrDate reads a number, or a date in one of the forms that programs and
// people write. ok is false when s is neither.
func numberOrDate(s string) (m meaning, ok bool) {
	if c := s[0]; c < '0' || c > '9' {
		r, _ := utf8.DecodeRuneInString(s)
		if c != '-' && c != '+' && !unicode.IsLetter(r) {
			return 0, false
		}
		if !strings.ContainsAny(s, "0123456789") {
			return 0, false
		}
	}
	if m, ok := number(s); ok {
		return m, true
	}
	if strings.IndexFunc(s, unicode.IsLetter) >= 0 && !strings.ContainsAny(s, "TZ") {
		return 0, false // words may say more
	}
	return calendar(s)
}

// number reads a whole number, with zeros behind its point, or the serial number of
// a day.
func number(s string) (meaning, bool) {
	digits := strings.TrimLeft(s, "+-")
	whole, fraction := digits, ""
	if i := strings.IndexAny(digits, ".,"); i >= 0 {
		whole, fraction = digits[:i], digits[i+1:]
	}
	if !isNumber(whole) || len(whole) > 19 || fraction != "" && !isNumber(fraction) || len(digits) > len(whole) && fraction == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	switch {
	case err != nil:
		return 0, false
	case s[0] == '-' && n > 1: // seconds before 1970, or before year 1
		return meansNothing, len(whole) > 4
	}
	zeros := strings.Trim(fraction, "0") == ""
	switch {
	case zeros && n == 0 && len(whole) > 1 && fraction == "":
		return meansNothing, true // 00000000
	case zeros && n == 0:
		return meansNo, true
	case zeros && n == 1 && len(whole) == 1:
		return meansYes, true
	case len(whole) == 5: // Excel's count of days since 1900
		switch {
		case n >= 25567 && n <= 25570:
			return meansNothing, true // 1970
		case n > 25570 && n < 69400:
			return meansDate, true
		}
		return meansCode, true
	case fraction != "" && !zeros:
		return 0, false
	case len(whole) == 7 && n == 2958465:
		return meansNothing, true // 9999-12-31
	case len(whole) == 8 || len(whole) == 12 || len(whole) == 14: // 20240102…
		year, _ := strconv.Atoi(whole[:4])
		month, _ := strconv.Atoi(whole[4:6])
		if month > 12 {
			return meansCode, true
		}
		return dateOfYear(year), true
	case len(whole) == 10, len(whole) == 13, len(whole) == 16: // Unix time
		for range (len(whole) - 10) / 3 {
			n /= 1000
		}
		return dateOfYear(1970 + int(n/31556952)), true
	}
	return meansCode, true
}

// calendar reads a date: 2024-01-02T10:00:00Z, 02.01.24, 1/2/2024 3:04 PM, 2 Jan 2024,
// 2024年1月2日.
func calendar(s string) (meaning, bool) {
	if len(s) > 40 {
		return 0, false
	}
	var groups []string // of digits, before the time of day
	words, zero, digits, clock := 0, true, 0, false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= '0' && r <= '9':
			j := i
			for j < len(s) && s[j] >= '0' && s[j] <= '9' {
				zero = zero && s[j] == '0'
				digits++
				j++
			}
			if j < len(s) && s[j] == ':' {
				clock = true
			}
			if !clock {
				groups = append(groups, s[i:j])
			}
			i = j
		case unicode.IsLetter(r):
			j := i
			for j < len(s) {
				r, n := utf8.DecodeRuneInString(s[j:])
				if !unicode.IsLetter(r) && !unicode.IsMark(r) {
					break
				}
				j += n
			}
			if w := s[i:j]; !clock && w != "T" && w != "Z" && utf8.RuneCountInString(w) > 1 {
				words++
			}
			i = j
		case strings.ContainsRune(" -/.:,+()'’\u00a0_", r):
			i += n
		default:
			return 0, false
		}
	}
	switch {
	case digits == 0:
		return 0, false
	case zero && words == 0:
		return meansNothing, digits > 1 // 0000-00-00 00:00:00
	case words > 2 || len(groups) == 0 || len(groups) > 3 && words == 0 && !clock && !strings.Contains(s, "T"):
		return 0, false
	}
	return dateOfGroups(s, groups, words)
}

// dateOfGroups finds the year among groups of digits.
func dateOfGroups(s string, groups []string, words int) (meaning, bool) {
	for i, g := range groups {
		if len(g) == 4 {
			if i >= 3 || len(groups) == 1 && words == 0 {
				break
			}
			if words > 0 && len(groups) < 2 && words > 1 {
				return 0, false
			}
			year, _ := strconv.Atoi(g)
			if strings.Contains(s, "-"+g) && (strings.HasPrefix(s, "-") || strings.Contains(s, ".-") || strings.Contains(s, " -")) {
				return meansNothing, true // PHP writes -0001-11-30 for a zero date
			}
			return dateOfYear(year), true
		}
		if len(g) == 8 && (words == 0 || strings.Contains(s, "T")) {
			year, _ := strconv.Atoi(g[:4])
			return dateOfYear(year), true
		}
	}
	if len(groups) == 1 && len(groups[0]) == 4 {
		return meansCode, true // a year
	}
	if len(groups) < 3 || words > 1 {
		return 0, false
	}
	a, b, c := atoi(groups[0]), atoi(groups[1]), atoi(groups[2])
	switch {
	case len(groups[0]) == 3: // the count of Taiwan
		return meansDate, true
	case len(groups[0]) > 2 || len(groups[1]) > 2 || len(groups[2]) > 2:
		return 0, false
	case a > 31 && b <= 12: // 24-… is not seen, 99-12-31 is
		c = a
	}
	switch {
	case c == 0 && a <= 1 && b <= 1: // Excel's day 0
		return meansNothing, true
	case c == 69 && a+b >= 43, c == 70 && a+b <= 2: // midnight of 1970 in some zone
		return meansNothing, true
	case c == 99 && a+b == 43: // 31.12.99
		return meansNothing, true
	}
	return meansDate, true
}

// isYear reports whether a cell is a year in which somebody can have said no.
func isYear(cell string) bool {
	cell = strings.TrimSpace(cell)
	return len(cell) == 4 && isNumber(cell) && dateOfYear(atoi(cell)) == meansDate
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
