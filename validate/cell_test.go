package validate

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// show writes what ParseCell found: address(repairs) address …
func show(found []CellAddress) string {
	var out []string
	for _, f := range found {
		s := f.Address
		if f.Repairs != nil {
			s += "(" + strings.Join(f.Repairs, " ") + ")"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestParseCell(t *testing.T) {
	for _, tc := range []struct{ cell, want string }{
		{"ann@example.org", "ann@example.org"},
		{"Ann.O'Neil+x@Example.ORG", "Ann.O'Neil+x@Example.ORG"},
		{"=sum@example.org", "=sum@example.org"},
		{"", ""},
		{" \u00a0\t", ""},
		{" ann@example.org\t", "ann@example.org(space)"},
		{"ann@example.org\u00a0", "ann@example.org(invisible)"},
		{"\u200bann@exam\u200bple.org", "ann@example.org(invisible)"},
		{"\ufeffann@example.org", "ann@example.org(invisible)"},
		{"\u202aann@example.org\u202c", "ann@example.org(invisible)"},
		{"نامه\u200cای@example.org", "نامه\u200cای@example.org"},
		{"Ann Lee <ann@example.org>", "ann@example.org(display_name)"},
		{`"Lee, Ann" <ann@example.org>`, "ann@example.org(display_name)"},
		{"Lee, Ann <ann@example.org>", "ann@example.org(display_name)"},
		{"ann@example.org <ann@example.org>", "ann@example.org(display_name)"},
		{"<ann@example.org> Ann", "ann@example.org(display_name)"},
		{"Ann [ann@example.org]", "ann@example.org(display_name)"},
		{"<ann@example.org>", "ann@example.org(brackets)"},
		{"ann@example.org>", "ann@example.org(brackets)"},
		{"[ann@example.org]", "ann@example.org(brackets)"},
		{"(ann@example.org)", "ann@example.org(brackets)"},
		{"<mailto:ann@example.org>", "ann@example.org(brackets mailto)"},
		{"mailto:ann@example.org?subject=Hi", "ann@example.org(mailto)"},
		{"MAILTO:ann@example.org", "ann@example.org(mailto)"},
		{"Email: ann@example.org", "ann@example.org(mailto space)"},
		{"SMTP:ann@example.org;smtp:bob@example.org", "ann@example.org(several mailto) bob@example.org(several mailto)"},
		{"'ann@example.org", "ann@example.org(apostrophe)"},
		{"'ann@example.org'", "ann@example.org(quotes)"},
		{`"ann@example.org"`, "ann@example.org(quotes)"},
		{"“ann@example.org”", "ann@example.org(quotes)"},
		{`="ann@example.org"`, "ann@example.org(formula)"},
		{`=HYPERLINK("mailto:ann@example.org","Ann")`, "ann@example.org(formula mailto)"},
		{`=hyperlink("mailto:ann@example.org";"ann@example.org")`, "ann@example.org(formula mailto)"},
		{`"ann lee"@example.org`, `"ann lee"@example.org`},
		{"ann@example.org (work)", "ann@example.org(comment space)"},
		{"(work) ann@example.org", "ann@example.org(comment space)"},
		{"ann@example.org.", "ann@example.org(trailing_dot)"},
		{"ann@example.org,", "ann@example.org(punctuation)"},
		{"ann@example.org; ", "ann@example.org(space punctuation)"},
		{";ann@example.org", "ann@example.org(punctuation)"},
		{"ann@example.org!", "ann@example.org(punctuation)"},
		{"ann&#64;example.org", "ann@example.org(entity)"},
		{"ann&#x40;example&period;org", "ann@example.org(entity)"},
		{"&lt;ann@example.org&gt;", "ann@example.org(entity brackets)"},
		{"a&b@example.org", "a&b@example.org"},
		{"ann＠example.org", "ann@example.org(fullwidth)"},
		{"ａｎｎ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ann@example.org(fullwidth)"},
		{"ann@example.org，bob@example.org", "ann@example.org(fullwidth several) bob@example.org(fullwidth several)"},
		{"ann@example.org;bob@example.org", "ann@example.org(several) bob@example.org(several)"},
		{"ann@example.org, bob@example.org,", "ann@example.org(several) bob@example.org(several space)"},
		{"ann@example.org / bob@example.org", "ann@example.org(several space) bob@example.org(several space)"},
		{"ann@example.org ::: bob@example.org", "ann@example.org(several space) bob@example.org(several space)"},
		{"ann@example.org bob@example.org", "ann@example.org(several) bob@example.org(several)"},
		{"ann@example.org\nbob@example.org", "ann@example.org(several) bob@example.org(several)"},
		{"Ann <ann@example.org>; \"Lee, Bob\" <bob@example.org>", "ann@example.org(several display_name) bob@example.org(several space display_name)"},
		{"ann@example.org; ann@example.org", "ann@example.org(several)"},
		{"ann@example.org, Ann Lee", "ann@example.org(text)"},
		{"ann/lee@example.org", "ann/lee@example.org"},
		// Nothing is guessed.
		{"ann lee@example.org", "ann lee@example.org"},
		{"ann @example.org", "ann @example.org"},
		{"ann at example dot org", "ann at example dot org"},
		{"ann@@example.org", "ann@@example.org"},
		{"n/a", "n/a"},
		{"-", "-"},
	} {
		got := show(ParseCell(nil, tc.cell))
		if got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.cell, got, tc.want)
		}
	}
}

func TestParseCellAppends(t *testing.T) {
	dst := ParseCell(nil, "ann@example.org")
	dst = ParseCell(dst, "ann@example.org; bob@example.org")
	if len(dst) != 3 {
		t.Errorf("%d addresses, want 3: %v", len(dst), dst)
	}
}

func TestPlainCellDoesNotAllocate(t *testing.T) {
	dst := make([]CellAddress, 0, 4)
	for _, cell := range []string{"ann@example.org", "Ann@Example.ORG", "jörg@example.org", ""} {
		if n := testing.AllocsPerRun(100, func() { dst = ParseCell(dst[:0], cell) }); n != 0 && cell != "jörg@example.org" {
			t.Errorf("%q: %v allocations", cell, n)
		}
	}
}

// FuzzParseCell: an address that is one comes back as it is; what comes back
// parsed is in the cell; nothing is repaired twice.
func FuzzParseCell(f *testing.F) {
	for _, s := range []string{
		"ann@example.org", `"Lee, Ann" <ann@example.org>; bob@example.org`, "mailto:a@b.example?x", "'a@b.example", "a&#64;b.example.",
		"a@b.example ::: c@d.example", "<a@b.example", "ａ＠ｂ．example", "(x) a@b.example (y)", "a@b.example/c@d.example", "\u200b\ufeff", `"a\"b"@c.example`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		found := ParseCell(nil, cell)
		if _, err := ParseAddress(cell); err == nil && cell[0] != '\'' {
			if len(found) != 1 || found[0].Address != cell || found[0].Repairs != nil {
				t.Fatalf("%q is an address, but became %s", cell, show(found))
			}
			return
		}
		seen := map[string]bool{}
		for _, a := range found {
			if a.Address == "" || seen[a.Address] {
				t.Fatalf("%q: an empty or a second %q", cell, a.Address)
			}
			seen[a.Address] = true
			codes := map[string]bool{}
			for _, r := range a.Repairs {
				if codes[r] {
					t.Fatalf("%q: repair %s twice", cell, r)
				}
				codes[r] = true
			}
			if !codes[repairEntity] && !codes[repairFullwidth] && !codes[repairInvisible] && !strings.Contains(cell, a.Address) {
				t.Fatalf("%q: %q is not in the cell", cell, a.Address)
			}
			if utf8.ValidString(cell) && !utf8.ValidString(a.Address) {
				t.Fatalf("%q: %q is not valid UTF-8", cell, a.Address)
			}
			if p, err := ParseAddress(a.Address); err == nil {
				// What has been repaired needs no further repair.
				if again := ParseCell(nil, a.Address); len(again) != 1 || again[0].Address != a.Address && p.Local[0] != '\'' {
					t.Fatalf("%q: %q becomes %s", cell, a.Address, show(again))
				}
			}
		}
	})
}

func BenchmarkParseCell(b *testing.B) {
	for name, cell := range map[string]string{"plain": "ann.lee@example.org", "name": "Ann Lee <ann.lee@example.org>", "spaces": " ann.lee@example.org ", "bad": "ann.lee"} {
		b.Run(name, func(b *testing.B) {
			dst := make([]CellAddress, 0, 4)
			b.ReportAllocs()
			for b.Loop() {
				dst = ParseCell(dst[:0], cell)
			}
		})
	}
}

func ExampleParseCell() {
	for _, a := range ParseCell(nil, `"Lee, Ann" <ann@example.org>; mailto:bob@example.net`) {
		fmt.Println(a.Address, a.Repairs)
	}
	// Output:
	// ann@example.org [several display_name]
	// bob@example.net [several space mailto]
}
