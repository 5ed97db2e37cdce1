package bounceimport

import "testing"

// The least that the classifier must say of 554 (the articles this project began with).
func TestClassify554(t *testing.T) {
	var c Classifier
	for _, tc := range []struct {
		reply, category string
		action          Action
	}{
		{"554 5.7.1 security violation", "policy_block", Report},
		{"554 5.7.1 client host blocked", "ip_reputation", Report},
		{"554 message rejected for policy reasons", "policy_block", Report},
		{"554 relay access denied", "relay_denied", Report},
		{"554 6.6.0", "unknown", Count},
		{"554 mailbox unavailable", "user_unknown", SuppressNow},
		{"554 mailbox disabled", "mailbox_disabled", SuppressNow},
	} {
		if e := c.Explain(tc.reply); e.Category != tc.category || e.Action != tc.action {
			t.Errorf("%q: got %s %s (rule %s), want %s %s", tc.reply, e.Category, e.Action, e.Rule, tc.category, tc.action)
		}
	}
}

func TestTemplate(t *testing.T) {
	for _, tc := range [][2]string{
		{"550 5.1.1 <jane@example.com>: Recipient address rejected", "550 5.1.1 <<email>>: Recipient address rejected"},
		{"421 Service refused [192.0.2.1] mx1.example.org 4f2a99b1c3d0", "421 Service refused [<ip>] <host> <id>"},
		{"550 jane@example.com...User unknown\r\n", "550 <email>...User unknown"},
		{"see https://example.org/x?y=1 (id 12345)", "see https://example.org/<path> (id <n>)"},
	} {
		if got := Template(tc[0]); got != tc[1] {
			t.Errorf("Template(%q) = %q, want %q", tc[0], got, tc[1])
		}
	}
}
