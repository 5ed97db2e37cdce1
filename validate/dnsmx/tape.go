package dnsmx

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/winnow-email/winnow/validate"
)

// A recorder writes a tape. The zero value, and one that is nil, write none.
type recorder struct {
	w   *bufio.Writer
	err error
}

func newRecorder(w io.Writer) *recorder {
	if w == nil {
		return nil
	}
	r := &recorder{w: bufio.NewWriter(w)}
	_, r.err = r.w.WriteString(tapeHeader)
	return r
}

// on says whether anything is recorded.
func (r *recorder) on() bool { return r != nil }

// noZones says on a tape that a resolver shows no SOA records.
const noZones = "shows-no-zones"

// add writes reply n of a question.
func (r *recorder) add(q question, n int, rep *reply) {
	if r != nil && r.err == nil {
		_, r.err = r.w.Write(appendReply(r.w.AvailableBuffer(), q, n, rep))
	}
}

// close writes the end of the tape: what is not believed.
func (r *recorder) close(t trust) error {
	if r == nil {
		return nil
	}
	for _, server := range slices.Sorted(maps.Keys(t.lost)) {
		fmt.Fprintf(r.w, "! %s %s\n", server, t.lost[server])
	}
	for _, server := range slices.Sorted(maps.Keys(t.blind)) {
		if t.blind[server] {
			fmt.Fprintf(r.w, "! %s %s\n", server, noZones)
		}
	}
	if t.anomaly {
		fmt.Fprintf(r.w, "! * dns_anomaly\n")
	}
	if t.once != "" {
		fmt.Fprintf(r.w, "! * %s\n", t.once)
	}
	if err := r.w.Flush(); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return fmt.Errorf("recording the DNS: %w", r.err)
	}
	return nil
}

// Tape answers from a recording: the same bytes each time, without a network.
// It implements validate.Resolver. Domains that it does not hold are Unknown.
type Tape struct {
	replies map[question][]reply
	trust   trust
}

// OpenTape reads a recording. name is for its errors.
func OpenTape(r io.Reader, name string) (*Tape, error) {
	t := &Tape{replies: map[question][]reply{}, trust: trust{lost: distrust{}, blind: map[string]bool{}}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	names := interner{}
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := t.line(line, names); err != nil {
			return nil, fmt.Errorf("%s:%d: %v", name, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (t *Tape) line(line string, names interner) error {
	if w := strings.Fields(line); w[0] == "!" {
		switch {
		case len(w) == 3 && w[1] == "*" && w[2] == "dns_anomaly":
			t.trust.anomaly = true
		case len(w) == 3 && w[1] == "*" && (w[2] == "dns_budget" || w[2] == "dns_resolver_down"):
			t.trust.once = w[2]
		case len(w) == 3 && w[2] == noZones:
			t.trust.blind[w[1]] = true
		case len(w) == 3 && distrusts[w[2]]:
			t.trust.lost[w[1]] = w[2]
		default:
			return fmt.Errorf("want: ! SERVER REASON")
		}
		return nil
	}
	q, n, r, err := parseLine(line, names)
	if err != nil {
		return err
	}
	t.add(q, n, r)
	return nil
}

// add puts reply n to its question.
func (t *Tape) add(q question, n int, r reply) {
	rs := t.replies[q]
	for len(rs) < n {
		rs = append(rs, reply{fail: failUnrecorded, ede: -1})
	}
	rs[n-1] = r
	t.replies[q] = rs
}

// Resolve implements validate.Resolver.
func (t *Tape) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	return fromMemory(ctx, domains, each, t.answer)
}

func (t *Tape) answer(domain string) validate.Answer {
	look := func(q question) []reply {
		r := t.replies[q]
		if len(r) == 0 && q.typ == dns.TypeMX && q.name == domain {
			// As in a run (RFC 8020): what the registry denies has nothing below it.
			if i := secondLevel(domain); i > 0 {
				up := question{domain[i:], dns.TypeMX}
				rs := t.replies[up]
				if f := merge(up, rs, t.trust.lost); f.state == nxdomain && len(f.r.chain) == 0 && !strings.Contains(f.r.soa, ".") {
					return rs
				}
			}
		}
		return r
	}
	v := judgeRecorded(domain, look, t.trust)
	return v.answer(domain, look, t.trust.lost)
}
