package shown

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for address, want := range map[string]string{
		"secret@example.com":       "s***@example.com",
		"s@example.com":            "s***@example.com",
		"éva@example.com":          "é***@example.com", // cut between characters
		`"a@b secret"@example.com`: `"***@example.com`, // the last @ divides
		"@example.com":             "***",
		"secret":                   "***",
		"":                         "***",
	} {
		if got := Mask(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"plain text, with comma":       "plain text, with comma",
		"=HYPERLINK(\"http://x\")":     "'=HYPERLINK(\"http://x\")",
		"+1":                           "'+1",
		"-1":                           "'-1",
		"@SUM(A1)":                     "'@SUM(A1)",
		"\t=1":                         "'=1",
		"\r\n=1":                       "'=1",
		"\x00=1":                       "'=1",
		"＝1":                           "'＝1",
		"\x1b[31mred\x1b[0m":           "[31mred[0m",
		"two\r\nlines":                 "two lines",
		"a;=1;+2,-3 ;@x":               "a;'=1;'+2,'-3 ;'@x",
		`said;"=cmd"`:                  `said;"'=cmd"`,
		`said,""＝1`:                    `said,""'＝1`,
		"no; -1, =1;":                  "no; -1, =1;",
		"a\u202eb\u200bc":              "abc",
		"bad \xff utf-8":               "bad utf-8",
		"  much   space  ":             "much space",
		"Zo\u00eb":                     "Zo\u00eb",
		strings.Repeat("ä", 300):       strings.Repeat("ä", 254) + "…",
		strings.Repeat("a", 512):       strings.Repeat("a", 512),
		strings.Repeat("a", 513):       strings.Repeat("a", 509) + "…",
		"=" + strings.Repeat("a", 600): "'=" + strings.Repeat("a", 507) + "…",
	} {
		if got := Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzCell(f *testing.F) {
	f.Add("=1+1\x1b")
	f.Fuzz(func(t *testing.T, s string) {
		c := Cell(s)
		if len(c) > maxCell || !utf8.ValidString(c) || Formula(c) || strings.ContainsAny(c, "\r\n\t\x00\x1b") || Cell(c) != c {
			t.Errorf("%q -> %q", s, c)
		}
	})
}

func TestGuard(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"Bob":                            "Bob",
		"O'Neill, Ann; 5-6":              "O'Neill, Ann; 5-6",
		"=1+1":                           "'=1+1",
		"Bob;=cmd|'/c calc'!A1":          "Bob;'=cmd|'/c calc'!A1",
		"Bob\t@SUM(A1)":                  "Bob\t'@SUM(A1)",
		"two\n\nlines":                   "two\n\nlines",
		"two\n=1+1":                      "two\n'=1+1",
		"a;\r\n\"=1":                     "a;\r\n\"'=1",
		"\t=1":                           "'\t'=1",
		";＝1;-2;3":                       ";'＝1;'-2;3",
		"\xff;=1\xff":                    "\xff;'=1\xff",
		strings.Repeat(";=", 1000) + "x": strings.Repeat(";'=", 1000) + "x",
	} {
		if got := Guard(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := Guard(want); got != want {
			t.Errorf("twice: %q became %q", want, got)
		}
	}
}
