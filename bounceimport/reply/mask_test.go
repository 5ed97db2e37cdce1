package reply

import (
	"strings"
	"testing"
)

func TestAppendMasked(t *testing.T) {
	for _, tt := range []struct{ in, local, want string }{
		{"550 5.1.1 <jane.doe@example.org>: unknown", "jane.doe", "550 5.1.1 <***@example.org>: unknown"},
		{"550 user Jane.Doe unknown", "jane.doe", "550 user *** unknown"},
		{"550 user unknown", "user", "550 user unknown"},
		{"550 jane.doe2 is not jane.doe", "jane.doe", "550 jane.doe2 is not ***"},
		{"bounce+jane=example.org@verp.example: no", "jane", "***@verp.example: no"},
		{"550-5.1.1 two\r\n550 5.1.1  lines\x1b[0m", "", "550-5.1.1 two 550 5.1.1 lines [0m"},
		{"see https://example.com/?to=jane.doe%40example.org&x=1", "jane.doe", "see https://example.com/?to=***%40example.org&x=1"},
		{"a\xff\u202eb", "", "a\ufffd\ufffdb"},
		{"", "", ""},
	} {
		if got := string(AppendMasked(nil, tt.in, tt.local)); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// An address that the cut parts from its "@" is masked all the same.
func TestMaskAtTheCut(t *testing.T) {
	for _, at := range []string{"@", "%40"} {
		for n := 480; n < 515; n++ {
			s := strings.Repeat("x ", n/2) + strings.Repeat("y", n%2) + " someone.else" + at + "example.org and more"
			if got := string(AppendMasked(nil, s, "jane")); strings.Contains(got, "some") || len(got) > MaxMasked {
				t.Fatalf("%d letters before it: %q", n, got[470:])
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("550 5.1.1 <jane.doe@example.org>: user jane.doe unknown", "jane.doe")
	f.Add("550-5.1.1 a\r\n550 b\x00\x1b[31m \u202e x=y@z.org", "x=y")
	f.Fuzz(func(t *testing.T, s, local string) {
		got := string(AppendMasked([]byte("kept"), s, local))
		if !strings.HasPrefix(got, "kept") {
			t.Fatal("overwrote what was there")
		}
		got = got[4:]
		if len(got) > MaxMasked {
			t.Errorf("%d bytes", len(got))
		}
		if strings.ToValidUTF8(got, "") != got || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("%q", got)
		}
		for i := 1; i+1 < len(got); i++ {
			if got[i] == '@' && domainByte(got[i+1]) && localByte(got[i-1]) && got[i-1] != '*' {
				t.Errorf("an address in %q", got)
			}
		}
		if again := string(AppendMasked(nil, got, local)); again != got {
			t.Errorf("masking %q again gives %q", got, again)
		}
	})
}
