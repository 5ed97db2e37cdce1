package dnsmx

import "testing"

// TestFlaps: how many denials may turn before the rest is not believed either.
func TestFlaps(t *testing.T) {
	for _, tt := range []struct {
		finds, turns int64
		company      bool // another resolver was caught
		want         bool
	}{
		{90, 0, false, false},
		{90, 1, false, true}, // it may well have denied another one twice
		{1000, 1, false, false},
		{1000, 4, false, true},
		{1000, 1, true, true},
		{1000, 0, true, false},
		{100_000, 80, false, false}, // lists have domains whose own servers disagree
		{100_000, 150, false, true},
		{1_000_000, 900, false, false},
		{1_000_000, 1100, false, true},
	} {
		u := &upstream{finds: tt.finds, turns: tt.turns, inBadCompany: tt.company}
		if got := u.flaps(); got != tt.want {
			t.Errorf("%d turned, %d found: %v", tt.turns, tt.finds, got)
		}
	}
}
