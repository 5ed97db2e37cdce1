package validate

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Decisions that differ from a suite's label, by code. A suite asks whether an
// address can be written; winnow asks whether mail can be sent to it.
var decided = map[string]string{
	"domain_example":         "example.com, .net and .org are reserved: no mail goes there (RFC 6761 6.5)",
	"domain_numeric_tld":     "an IP address without brackets, or a numeric top-level domain",
	"domain_not_fqdn":        "a top-level domain or a bare host name takes no mail (RFC 7085)",
	"domain_literal_invalid": "an address literal that no mail server would parse",
	"domain_char":            "an underscore in a host name (RFC 1123 2.1)",
	"syntax_comment":         "comments are for headers, not for addresses",
	"syntax_control":         "folding white space and control characters are for headers",
	"syntax_space":           "white space around dots and the @ is obsolete (RFC 5322 4.4)",
	"syntax_display_name":    "a name and an address, not an address",
	"syntax_obsolete":        "an obsolete local part (RFC 5322 4.4)",
	"syntax_local_too_long":  "more than 64 octets, though not more than 64 characters",
	"syntax_local_char":      "a backslash outside of quotes",
}

// suiteCase is an address with what suites of tests say of it.
type suiteCase struct {
	addr, class string // valid, exotic or invalid
	code        string // of what is decided otherwise, "" for the class as it is
}

// TestSuites goes through testdata/suites.txt.
func TestSuites(t *testing.T) {
	b, err := os.ReadFile("testdata/suites.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		class, quoted, ok := strings.Cut(strings.TrimSpace(line), " ")
		if line[0] == '#' || !ok {
			continue
		}
		addr, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		c := suiteCase{addr: addr, class: class}
		if decided[class] != "" {
			c.class, c.code = "valid", class
		}
		c.check(t)
	}
}

// TestConsensus is a second look, at what suites agree on.
func TestConsensus(t *testing.T) {
	f, err := os.Open("../../shared/data/addresses/consensus_dev.jsonl")
	if err != nil {
		t.Skip("skipped: no development data here; testdata/suites.txt is the project's own")
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		var row struct{ Addr, Class string }
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		(suiteCase{addr: row.Addr, class: row.Class, code: "any"}).check(t)
	}
	t.Logf("%d addresses", n)
}

func (c suiteCase) check(t *testing.T) {
	t.Helper()
	r := new(Validator).Check(c.addr)
	code := r.Domain.Code
	if r.Syntax != nil {
		code = r.Syntax.Code
		if r.Syntax.Pos < 0 || r.Syntax.Pos > len(c.addr) {
			t.Errorf("%q: position %d", c.addr, r.Syntax.Pos)
		}
	}
	switch {
	case c.class == "invalid":
		if code == "" {
			t.Errorf("%q: accepted", c.addr)
		}
	case c.class != "valid" && c.class != "exotic": // disputed
	case c.code == "any":
		if code != "" && decided[code] == "" {
			t.Errorf("%q: refused with %s", c.addr, code)
		}
		if code == "" && c.class == "exotic" && r.Exotic == "" {
			t.Errorf("%q: not marked as exotic", c.addr)
		}
	case code != c.code:
		t.Errorf("%q: %q, want %q", c.addr, code, c.code)
	case code == "" && (r.Exotic != "") != (c.class == "exotic"):
		t.Errorf("%q: exotic %q, the suites say %s", c.addr, r.Exotic, c.class)
	}
}

// TestTyposDev is a second look at the suggestion for a mistyped domain: at least
// nine tenths right, and none for a domain that is what it looks like. The
// project's own are package lists' testdata/slips.txt and real.txt.
func TestTyposDev(t *testing.T) {
	f, err := os.Open("../../shared/data/addresses/typos_dev.jsonl")
	if err != nil {
		t.Skip("skipped: no development data here; the project's own are lists/testdata/slips.txt and real.txt")
	}
	defer f.Close()
	var v Validator
	typos, right := 0, 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var row struct {
			Typo   string
			Expect *string
		}
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		got := v.Check("jane@" + row.Typo).Suggestion
		switch {
		case row.Expect == nil:
			if got != "" {
				t.Errorf("%s: corrected to %s", row.Typo, got)
			}
			continue
		case got == "jane@"+*row.Expect:
			right++
		default:
			t.Logf("%s: %q, want %s", row.Typo, got, *row.Expect)
		}
		typos++
	}
	if right*10 < typos*9 {
		t.Errorf("%d of %d typos right, want nine tenths", right, typos)
	}
	t.Logf("%d of %d", right, typos)
}
