package shown

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Name writes what a terminal would obey, and what would make a name look like
// another (controls, line ends, bidirectional and invisible characters, octets that
// are no UTF-8), as escapes of Go: names of files, addresses and messages that hold
// them stay on one line and can still be told apart.
func Name(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return escaped(s)
		}
	}
	return s
}

func escaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r):
			b.WriteString(s[i : i+n])
		default:
			q := strconv.QuoteRuneToGraphic(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// Line makes a stranger's text fit for one line of a terminal: control characters
// and runs of white space become one space, what is invisible goes.
func Line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return strings.Join(strings.Fields(s), " ")
}

// Fprintf is fmt.Fprintf with the texts among the arguments (strings, errors, what
// has a String method, slices of strings) as Name writes them: the one way in
// which the command prints. Line ends and colours stand in the format.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	plain := make([]any, len(args))
	for i, a := range args {
		plain[i] = argument{a}
	}
	return fmt.Fprintf(w, format, plain...)
}

// argument is one of Fprintf.
type argument struct{ is any }

// Format implements fmt.Formatter.
func (a argument) Format(f fmt.State, verb rune) {
	is := a.is
	if verb == 's' || verb == 'v' {
		switch v := is.(type) {
		case nil:
		case string:
			is = Name(v)
		case []byte:
			if verb == 's' {
				is = Name(string(v))
			}
		case error:
			is = Name(v.Error())
		case fmt.Stringer:
			is = Name(v.String())
		case []string:
			all := make([]string, len(v))
			for i := range v {
				all[i] = Name(v[i])
			}
			is = all
		default:
			if r := reflect.ValueOf(is); r.Kind() == reflect.String {
				is = Name(r.String())
			}
		}
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), is)
}

// Wrap prints text behind a label, in lines of at most 80 columns; words that are
// longer stay whole, so that commands can be copied. The text is made fit by Name.
func Wrap(w io.Writer, label, text string) error {
	var b strings.Builder
	indent := strings.Repeat(" ", utf8.RuneCountInString(label))
	b.WriteString(label)
	at, empty := len(indent), true
	for word := range strings.FieldsSeq(text) {
		word = Name(word)
		n := utf8.RuneCountInString(word)
		if !empty && at+1+n > 80 {
			b.WriteString("\n" + indent)
			at, empty = len(indent), true
		}
		if !empty {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at, empty = at+n, false
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// Fit shortens s to n columns of a terminal; end, like "…", stands for what was cut.
func Fit(s string, n int, end string) string {
	if columns(s) <= n {
		return s
	}
	n = max(0, n-columns(end))
	cols := 0
	for i, r := range s {
		if cols += runeColumns(r); cols > n {
			return s[:i] + end
		}
	}
	return s
}

// columns returns how wide s is on a terminal.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// Plural counts things: "1 row", "2 rows".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
