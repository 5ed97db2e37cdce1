package validate

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestAddresses goes through testdata/addresses.txt.
func TestAddresses(t *testing.T) {
	b, err := os.ReadFile("testdata/addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	var v Validator
	n := 0
	codes := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		addr, _ := strconv.Unquote(quoted)
		want := strings.TrimSpace(line[len(quoted):])
		r := v.Check(addr)
		var got string
		switch {
		case r.Syntax != nil:
			got = r.Syntax.Code + " " + strconv.Itoa(r.Syntax.Pos)
		case r.Domain.Code != "":
			got = r.Domain.Code + " " + strconv.Itoa(strings.LastIndexByte(addr, '@')+1)
		default:
			got = "ok " + r.Address.Key()
			if r.Exotic != "" {
				got += " exotic " + r.Exotic
			}
			if len(r.Notes) > 0 {
				got += " notes " + strings.Join(r.Notes, ",")
			}
		}
		if got != want {
			t.Errorf("line %d: %s: %s, want %s", n, quoted, got, want)
		}
		if f := strings.Fields(got); f[0] != "ok" {
			codes[f[0]] = true
		}
		for _, code := range append(r.Notes, r.Exotic) {
			codes[code] = true
		}
		checkInvariants(t, addr)
	}
	codes["provider_local_part"] = true // TestProviderRules
	delete(codes, "")
	golden, err := os.ReadFile("testdata/codes.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(slices.Sorted(maps.Keys(codes)), "\n") + "\n"; got != string(golden) {
		t.Errorf("the codes are frozen: one may be added to testdata/codes.golden, none taken away or renamed; now they are\n%s", got)
	}
}

// checkInvariants checks what holds for any string at all.
func checkInvariants(t *testing.T, s string) {
	t.Helper()
	a, err := ParseAddress(s)
	if err != nil {
		e := err.(*SyntaxError)
		if e.Code == "" || e.Detail == "" || e.Pos < 0 || e.Pos > len(s) {
			t.Fatalf("%q: bad error %+v", s, e)
		}
		if a != (Address{}) {
			t.Fatalf("%q: an address with an error", s)
		}
		return
	}
	if a.Raw != s || a.Local == "" || a.Domain == "" {
		t.Fatalf("%q: %+v", s, a)
	}
	if len(a.Local) > maxLocal || len(a.String()) > maxAddress {
		t.Fatalf("%q: too long", s)
	}
	if strings.ContainsAny(s, "\r\n\x00") || !utf8.ValidString(s) {
		t.Fatalf("%q: accepted", s)
	}
	if !strings.HasPrefix(s, a.Local+"@") {
		t.Fatalf("%q: the local part is not what was given: %q", s, a.Local)
	}
	if strings.ToLower(a.Domain) != a.Domain && a.Domain[0] != '[' || !isASCII(a.Domain) {
		t.Fatalf("%q: domain %q", s, a.Domain)
	}
	// What is printed parses again, to the same.
	b, err := ParseAddress(a.String())
	if err != nil || b.Local != a.Local || b.Domain != a.Domain {
		t.Fatalf("%q: %q parses to %+v, %v", s, a.String(), b, err)
	}
	// The key is a fixed point, where it is an address at all: lower case may be
	// longer than 64 octets.
	key := a.Key()
	if c, err := ParseAddress(key); err == nil && c.Key() != key {
		t.Fatalf("%q: key %q has key %q", s, key, c.Key())
	}
	if got := string(a.AppendKey([]byte("x"))); got != "x"+key {
		t.Fatalf("%q: AppendKey %q, Key %q", s, got, key)
	}
}

func FuzzParseAddress(f *testing.F) {
	b, err := os.ReadFile("testdata/addresses.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			s, _ := strconv.Unquote(quoted)
			f.Add(s)
		}
	}
	var v Validator
	f.Fuzz(func(t *testing.T, s string) {
		checkInvariants(t, s)
		r := v.Check(s)
		if r.Suggestion != "" {
			if a, err := ParseAddress(r.Suggestion); err != nil || a.Raw == s {
				t.Fatalf("%q: suggestion %q: %v", s, r.Suggestion, err)
			}
		}
		if d := v.CheckDomain(r.Domain.Name); r.Syntax == nil && d != r.Domain {
			t.Fatalf("%q: %+v and %+v", s, d, r.Domain)
		}
		v.Evidence(&r)
	})
}

// The common way must judge as the whole grammar does.
func FuzzParseCommon(f *testing.F) {
	f.Add("jane.doe+x@firm.co.uk")
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := parseCommon(s)
		if !ok {
			return
		}
		if b, e := parseAny(s); e != nil || a != b {
			t.Fatalf("%q: %+v, but %+v, %v", s, a, b, e)
		}
	})
}

// ParseAddress and Check must not allocate for what lists are made of.
func TestNoAllocation(t *testing.T) {
	var v Validator
	dst := make([]byte, 0, 256)
	for _, s := range []string{"jane.doe@gmail.com", "info@acme-widgets.co.uk", "Jane.Doe@acme.de"} {
		if n := testing.AllocsPerRun(100, func() {
			a, err := ParseAddress(s)
			if err != nil {
				t.Fatal(err)
			}
			dst = a.AppendKey(dst[:0])
		}); n != 0 {
			t.Errorf("ParseAddress(%q) allocates %v times", s, n)
		}
	}
	for _, s := range []string{"jane.doe@gmail.com", "info@acme-widgets.co.uk"} {
		if n := testing.AllocsPerRun(100, func() { v.Check(s) }); n != 0 {
			t.Errorf("Check(%q) allocates %v times", s, n)
		}
	}
}
