package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/export/summary"
)

// MetricsMark is how a file of metrics begins, PageMark how a page does: what begins
// otherwise winnow did not write, and does not replace.
const (
	MetricsMark = "# HELP winnow_"
	PageMark    = "<!DOCTYPE html>\n<!-- winnow report -->\n"
)

// finishedName is the one figure that a failed run keeps of the last good one.
const finishedName = "winnow_finished_timestamp_seconds"

// Metrics writes the figures of a run in the text format of Prometheus
// (prometheus.io/docs/instrumenting/exposition_formats), for the textfile
// collector of the node exporter. job is put on every sample as a label. s is nil
// when the run failed: then only its exit code is told, and the time of the last
// good run of the job is kept from last, the file that is replaced.
func Metrics(w io.Writer, s *summary.Summary, job string, exitCode int, last []byte) error {
	m := metrics{job: job}
	m.family("exit_code", "Exit code of the last run.", m.sample(float64(exitCode)))
	finished := m.finished(last)
	if s != nil {
		finished = m.sample(float64(s.Finished.UnixMilli()) / 1000)
	}
	if finished != "" {
		m.family(strings.TrimPrefix(finishedName, "winnow_"), "When the last run that wrote its lists finished.", finished)
	}
	if s != nil {
		m.run(s)
	}
	_, err := io.WriteString(w, m.b.String())
	return err
}

type metrics struct {
	b   strings.Builder
	job string
}

func (m *metrics) family(name, help string, samples ...string) {
	fmt.Fprintf(&m.b, "# HELP winnow_%s %s\n# TYPE winnow_%s gauge\n", name, help, name)
	for _, sample := range samples {
		fmt.Fprintf(&m.b, "winnow_%s%s\n", name, sample)
	}
}

func (m *metrics) labels(labels ...string) string {
	pairs := []string{`job="` + labelValue(m.job) + `"`}
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelValue(labels[i+1])+`"`)
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func (m *metrics) sample(value float64, labels ...string) string {
	return fmt.Sprintf("%s %g", m.labels(labels...), value)
}

// states returns a sample for each state there is: 1 for the one that holds, so that
// an alert can ask for it by name.
func (m *metrics) states(state string, all []string, labels ...string) (samples []string) {
	for _, one := range all {
		value := 0.0
		if one == state {
			value = 1
		}
		samples = append(samples, m.sample(value, append(labels, "state", one)...))
	}
	return samples
}

// finished returns the sample of the time of the last good run in a file of metrics,
// "" when it has none of this job.
func (m *metrics) finished(last []byte) string {
	for line := range strings.Lines(string(last)) {
		if rest, ok := strings.CutPrefix(line, finishedName+m.labels()+" "); ok {
			if t, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
				return m.sample(t)
			}
		}
	}
	return ""
}

// run adds what is known of a run that wrote its lists.
func (m *metrics) run(s *summary.Summary) {
	m.family("duration_seconds", "How long it took.", m.sample(s.Seconds))
	var lists, reasons, gates, dns []string
	for _, list := range slices.Sorted(maps.Keys(s.Lists)) {
		lists = append(lists, m.sample(float64(s.Lists[list]), "list", list))
	}
	m.family("records", "Records by list.", lists...)
	for _, r := range s.Reasons {
		reasons = append(reasons, m.sample(float64(r.N), "list", r.List, "reason", r.Reason))
	}
	m.family("reason_records", "Records by list and reason.", reasons...)
	if s.DNS != nil {
		for _, verdict := range slices.Sorted(maps.Keys(s.DNS.Verdicts)) {
			dns = append(dns, m.sample(float64(s.DNS.Verdicts[verdict]), "verdict", verdict))
		}
		m.family("domains", "Domains by the verdict of the DNS.", dns...)
		m.family("dns_queries", "DNS queries sent.", m.sample(float64(s.DNS.Queries)))
	}
	if s.Bounces != nil {
		m.family("bounce_events", "Bounce events read.", m.sample(float64(s.Bounces.Events)))
		m.family("bounce_sender_side", "Bounce events that are about the sender, not the address.", m.sample(float64(s.Bounces.SenderSide)))
		if !s.Bounces.Newest.IsZero() {
			m.family("bounce_newest_timestamp_seconds", "Time of the newest bounce event.", m.sample(float64(s.Bounces.Newest.Unix())))
		}
	}
	for _, g := range s.Gates {
		gates = append(gates, m.states(g.State, []string{summary.Pass, summary.Fail, summary.Inform, summary.Unknown}, "gate", g.Name)...)
	}
	m.family("gate_state", "1 for the state that the gate has.", gates...)
	if s.Answer != nil {
		m.family("answer", "1 for the answer to the question whether what was kept may be sent.",
			m.states(s.Answer.State, []string{summary.Send, summary.Look, summary.Fix, summary.Stop})...)
	}
	if p := s.Projection; p != nil {
		m.family("projected_hard_bounce", "Hard-bounce rate expected after cleaning.", m.sample(p.After.Rate, "bound", "mid"), m.sample(p.After.Low, "bound", "low"), m.sample(p.After.High, "bound", "high"))
	}
}

func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}
