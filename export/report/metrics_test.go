package report

import (
	"regexp"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	s := full()
	Judge(s, nil, Presets["default"], s.Finished)
	var b strings.Builder
	if err := Metrics(&b, s, "the \"weekly\"\nnews", 3); err != nil {
		t.Fatal(err)
	}
	// The grammar of the text format, a line at a time.
	line := regexp.MustCompile(`^(# (HELP winnow_[a-z_]+ .+|TYPE winnow_[a-z_]+ gauge)|winnow_[a-z_]+\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\} -?[0-9.e+-]+)$`)
	for l := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("not the text format: %q", l)
		}
	}
	for _, want := range []string{`winnow_exit_code{job="the \"weekly\"\nnews"} 3`, `list="cleaned"} 48112`, `winnow_gate_pass{job="the \"weekly\"\nnews",gate="suppressed_share"} 1`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	b.Reset()
	if err := Metrics(&b, nil, "x", 1); err != nil || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("a run without a summary: %q, %v", b.String(), err)
	}
}
