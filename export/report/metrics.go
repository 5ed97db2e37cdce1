package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export/summary"
)

// MetricsMark is how a file of metrics begins, PageMark how a page does: what begins
// otherwise winnow did not write, and does not replace.
const (
	MetricsMark = "# HELP winnow_"
	PageMark    = "<!DOCTYPE html>\n<!-- winnow report -->\n"
)

// Metrics writes the figures of a run in the text format of Prometheus
// (prometheus.io/docs/instrumenting/exposition_formats), for the textfile
// collector of the node exporter. job is put on every sample as a label.
func Metrics(w io.Writer, s *summary.Summary, job string, exitCode int) error {
	var b strings.Builder
	family := func(name, help string, samples ...string) {
		fmt.Fprintf(&b, "# HELP winnow_%s %s\n# TYPE winnow_%s gauge\n", name, help, name)
		for _, sample := range samples {
			fmt.Fprintf(&b, "winnow_%s%s\n", name, sample)
		}
	}
	sample := func(value float64, labels ...string) string {
		pairs := []string{`job="` + labelValue(job) + `"`}
		for i := 0; i+1 < len(labels); i += 2 {
			pairs = append(pairs, labels[i]+`="`+labelValue(labels[i+1])+`"`)
		}
		return fmt.Sprintf("{%s} %g", strings.Join(pairs, ","), value)
	}
	family("exit_code", "Exit code of the last run.", sample(float64(exitCode)))
	if s != nil {
		family("finished_timestamp_seconds", "When the last run that wrote its lists finished.", sample(float64(s.Finished.UnixMilli())/1000))
		family("duration_seconds", "How long it took.", sample(s.Seconds))
		var lists, reasons, gates, dns []string
		for _, list := range slices.Sorted(maps.Keys(s.Lists)) {
			lists = append(lists, sample(float64(s.Lists[list]), "list", list))
		}
		family("records", "Records by list.", lists...)
		for _, r := range s.Reasons {
			reasons = append(reasons, sample(float64(r.N), "list", r.List, "reason", r.Reason))
		}
		family("reason_records", "Records by list and reason.", reasons...)
		if s.DNS != nil {
			for _, verdict := range slices.Sorted(maps.Keys(s.DNS.Verdicts)) {
				dns = append(dns, sample(float64(s.DNS.Verdicts[verdict]), "verdict", verdict))
			}
			family("domains", "Domains by the verdict of the DNS.", dns...)
			family("dns_queries", "DNS queries sent.", sample(float64(s.DNS.Queries)))
		}
		if s.Bounces != nil {
			family("bounce_events", "Bounce events read.", sample(float64(s.Bounces.Events)))
			family("bounce_sender_side", "Bounce events that are about the sender, not the address.", sample(float64(s.Bounces.SenderSide)))
			if !s.Bounces.Newest.IsZero() {
				family("bounce_newest_timestamp_seconds", "Time of the newest bounce event.", sample(float64(s.Bounces.Newest.Unix())))
			}
		}
		for _, g := range s.Gates {
			gates = append(gates, sample(boolNumber(g.Pass), "gate", g.Name))
		}
		family("gate_pass", "1 when the gate passes, 0 when it fails.", gates...)
		if p := s.Projection; p != nil {
			family("projected_hard_bounce", "Hard-bounce rate expected after cleaning.", sample(p.After.Rate, "bound", "mid"), sample(p.After.Low, "bound", "low"), sample(p.After.High, "bound", "high"))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}
