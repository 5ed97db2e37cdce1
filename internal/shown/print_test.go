package shown

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"list.csv":              "list.csv",
		"Zoë 山田.csv":            "Zoë 山田.csv",
		`a\b "c".csv`:           `a\b "c".csv`,
		"red\x1b[31m.csv":       `red\x1b[31m.csv`,
		"two\nlines\r\n":        `two\nlines\r\n`,
		"tab\tnul\x00del\x7f":   `tab\tnul\x00del\x7f`,
		"c1 \u009b31m":          `c1 \u009b31m`, // CSI in one character
		"csv.\u202eexe":         `csv.\u202eexe`,
		"a\u2066b\u200bc\ufeff": `a\u2066b\u200bc\ufeff`,
		"bad \xff\xc3":          `bad \xff\xc3`,
		"p\u2028q\u2029":        `p\u2028q\u2029`,
		"\U000e0041tag":         `\U000e0041tag`,
		"\ufffd":                "\ufffd",
	} {
		if got := Name(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{Name(s), Line(s)} {
			if !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return !unicode.IsGraphic(r) }) {
				t.Errorf("%q -> %q", s, out)
			}
		}
		if Name(Name(s)) != Name(s) || Line(Line(s)) != Line(s) {
			t.Errorf("%q: twice is not once", s)
		}
	})
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"550 5.1.1 user unknown":      "550 5.1.1 user unknown",
		"  550-a\r\n550 b\t\x1b[31mc": "550-a 550 b [31mc",
		"a\u202eb\u200bc\xff":         "abc?",
		"\x00\n ":                     "",
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

type word string

// Every text among the arguments is plain, in every verb that prints text; numbers
// and the format are untouched.
func TestFprintf(t *testing.T) {
	bad := "a\x1b\nb"
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, c := range []struct {
		format string
		args   []any
		want   string
	}{
		{"%s\n", []any{bad}, `a\x1b\nb` + "\n"},
		{"%v|%-9s|%9s", []any{bad, "x\x07", "y"}, `a\x1b\nb|x\a      |        y`},
		{"%q", []any{bad}, `"a\x1b\nb"`},
		{"%v", []any{errors.New(bad)}, `a\x1b\nb`},
		{"%v", []any{fmt.Errorf("file %s: %w", bad, errors.New("gone\x1b"))}, `file a\x1b\nb: gone\x1b`},
		{"%s %v", []any{word(bad), []string{bad, "c"}}, `a\x1b\nb [a\x1b\nb c]`},
		{"%s", []any{[]byte(bad)}, `a\x1b\nb`},
		{"%d %4.1f%% %v %x", []any{int64(7), 1.25, true, 255}, "7  1.2% true ff"},
		{"%v %s", []any{when.Sub(when.Add(-time.Minute)), when.Format(time.DateOnly)}, "1m0s 2026-03-04"},
		{"\x1b[1m%s\x1b[0m", []any{"bold"}, "\x1b[1mbold\x1b[0m"},
		{"%v", []any{nil}, "<nil>"},
	} {
		var b strings.Builder
		n, err := Fprintf(&b, c.format, c.args...)
		if b.String() != c.want || n != len(c.want) || err != nil {
			t.Errorf("%q: %q, want %q", c.format, b.String(), c.want)
		}
	}
}

func TestWrap(t *testing.T) {
	var b strings.Builder
	if err := Wrap(&b, "  label  ", strings.Repeat("wörd ", 20)+"\x1b[31m "+strings.Repeat("x", 90)); err != nil {
		t.Fatal(err)
	}
	want := "  label  " + strings.TrimSpace(strings.Repeat("wörd ", 14)) + "\n" +
		"         " + strings.Repeat("wörd ", 6) + `\x1b[31m` + "\n" +
		"         " + strings.Repeat("x", 90) + "\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		end  string
		want string
	}{
		{"abcdef", 6, "…", "abcdef"},
		{"abcdefg", 6, "…", "abcde…"},
		{"abcdefg", 6, "...", "abc..."},
		{"山田太郎", 8, "…", "山田太郎"},
		{"山田太郎", 7, "…", "山田太…"},
		{"山田太郎", 6, "…", "山田…"},
		{"abc", 0, "…", "…"},
		{"", 0, "…", ""},
	} {
		if got := Fit(c.s, c.n, c.end); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Plural(1, "row", "rows"): "1 row", Plural(0, "row", "rows"): "0 rows", Plural(2, "entry", "entries"): "2 entries",
		Number(0): "0", Number(999): "999", Number(1000): "1,000", Number(-1234567): "-1,234,567",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
