package report

import (
	"regexp"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	s := full()
	Judge(s, nil, preset("default"), s.Finished)
	var b strings.Builder
	if err := Metrics(&b, s, "the \"weekly\"\nnews", 3, nil); err != nil {
		t.Fatal(err)
	}
	// The grammar of the text format, a line at a time.
	line := regexp.MustCompile(`^(# (HELP winnow_[a-z_]+ .+|TYPE winnow_[a-z_]+ gauge)|winnow_[a-z_]+\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\} -?[0-9.e+-]+)$`)
	for l := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(l, "\n")) {
			t.Errorf("not the text format: %q", l)
		}
	}
	for _, want := range []string{`winnow_exit_code{job="the \"weekly\"\nnews"} 3`, `list="cleaned"} 48112`, `winnow_gate_state{job="the \"weekly\"\nnews",gate="suppressed_share",state="pass"} 1`,
		`gate="complaints_in_cleaned",state="pass"} 0`, `gate="complaints_in_cleaned",state="unknown"} 1`, `winnow_answer{job="the \"weekly\"\nnews",state="send"} 1`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
	// After a failed run the time of the last good one stays, also after several, and
	// that of another job does not.
	good := b.String()
	for range 2 {
		b.Reset()
		if err := Metrics(&b, nil, "the \"weekly\"\nnews", 1, []byte(good)); err != nil || strings.Count(b.String(), "\n") != 6 ||
			!strings.Contains(b.String(), "\nwinnow_finished_timestamp_seconds{job=\"the \\\"weekly\\\"\\nnews\"} 1.795154452e+09\n") {
			t.Errorf("a run without a summary: %q, %v", b.String(), err)
		}
		good = b.String()
	}
	b.Reset()
	if err := Metrics(&b, nil, "x", 1, []byte(good)); err != nil || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("another job: %q, %v", b.String(), err)
	}
}
