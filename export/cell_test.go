package export

import "testing"

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
