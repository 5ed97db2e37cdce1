package main

import (
	"strings"
	"testing"

	"github.com/winnow-email/winnow/bounceimport/reply"
)

// A reply is a stranger's text: it must not reach the terminal as it is.
func TestExplainText(t *testing.T) {
	var c reply.Classifier
	var b strings.Builder
	explainText(&b, &c, "550 \x1b[31m user\u202e unknown\x07\r\n"+strings.Repeat("long ", 100))
	out := b.String()
	if strings.ContainsAny(out, "\x1b\x07\r\u202e") {
		t.Errorf("control characters in %q", out)
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if !strings.Contains(out, "category    user_unknown (recipient)\n") {
		t.Errorf("no category in %q", out)
	}
}
