package dnsmx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/winnow-email/winnow/validate"
)

var tableColumns = []string{"domain", "verdict", "reason", "mx", "provider", "warnings", "evidence", "observed_at"}

// TableHeader is the first line of a verdict table in CSV form.
const TableHeader = "domain,verdict,reason,mx,provider,warnings,evidence,observed_at\n"

// AppendTable appends the row of an answer to a verdict table in CSV form.
func AppendTable(dst []byte, a validate.Answer) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	ev := make([]string, len(a.Evidence))
	for i, e := range a.Evidence {
		ev[i] = e.What
		if e.From != "" {
			ev[i] += " @" + e.From
		}
	}
	when := ""
	if !a.ObservedAt.IsZero() {
		when = a.ObservedAt.UTC().Format(time.RFC3339)
	}
	w.Write([]string{a.Domain, string(a.Verdict), a.Reason, strings.Join(a.MX, " "), a.Provider, strings.Join(a.Warnings, " "), strings.Join(ev, " | "), when})
	w.Flush()
	return append(dst, b.Bytes()...)
}

// Table answers from a table of verdicts that "winnow domains" has made, in
// CSV or JSON lines. It implements validate.Resolver. Domains that it does not
// hold are Unknown.
type Table struct {
	answers map[string]validate.Answer
}

// OpenTable reads a table. name is for its errors, which say the line.
func OpenTable(r io.Reader, name string) (*Table, error) {
	t := &Table{answers: map[string]validate.Answer{}}
	br := bufio.NewReaderSize(r, 1<<16)
	if b, _ := br.Peek(3); string(b) == "\ufeff" {
		br.Discard(3)
	}
	first, err := br.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(first) == 0 {
		return nil, fmt.Errorf("%s: the table of domains is empty", name)
	}
	if first[0] == '{' {
		err = t.readJSON(br)
	} else {
		err = t.readCSV(br)
	}
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return t, nil
}

func (t *Table) readJSON(r *bufio.Reader) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	n := 1
	for ; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		var a validate.Answer
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("%d: not a JSON object of a domain: %v", n, err)
		}
		if err := t.add(a); err != nil {
			return fmt.Errorf("%d: %v", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("%d: %w", n, err)
	}
	return nil
}

func (t *Table) readCSV(r io.Reader) error {
	cr := csv.NewReader(r)
	head, err := cr.Read()
	if err != nil {
		return fmt.Errorf("1: %v", err)
	}
	col := map[string]int{}
	for i, h := range head {
		col[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, need := range tableColumns[:3] {
		if _, ok := col[need]; !ok {
			return fmt.Errorf("1: no column %q; a table of domains is what 'winnow domains' prints, with the columns %s", need, strings.Join(tableColumns, ", "))
		}
	}
	for {
		rec, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				return fmt.Errorf("%d: %v", pe.Line, pe.Err)
			}
			return fmt.Errorf(" %w", err)
		}
		line, _ := cr.FieldPos(0)
		get := func(name string) string {
			if i, ok := col[name]; ok {
				return rec[i]
			}
			return ""
		}
		a := validate.Answer{Domain: get("domain"), Verdict: validate.DomainVerdict(get("verdict")), Reason: get("reason"),
			MX: fields(get("mx")), Provider: get("provider"), Warnings: fields(get("warnings"))}
		if s := get("observed_at"); s != "" {
			if a.ObservedAt, err = time.Parse(time.RFC3339, s); err != nil {
				return fmt.Errorf("%d: not a time: %s", line, s)
			}
		}
		if s := get("evidence"); s != "" {
			for _, p := range strings.Split(s, " | ") {
				e := validate.Evidence{What: p, When: a.ObservedAt}
				if i := strings.LastIndex(p, " @"); i >= 0 {
					e.What, e.From = p[:i], p[i+2:]
				}
				a.Evidence = append(a.Evidence, e)
			}
		}
		if err := t.add(a); err != nil {
			return fmt.Errorf("%d: %v", line, err)
		}
	}
}

func fields(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

// add takes a row in that is what winnow could have written: a table is
// evidence, and a verdict without its reason is none.
func (t *Table) add(a validate.Answer) error {
	i := slices.IndexFunc(reasons, func(r reason) bool { return r.code == a.Reason })
	switch {
	case a.Domain == "":
		return errors.New("no domain")
	case i < 0:
		return fmt.Errorf("no such reason: %q", a.Reason)
	case reasons[i].verdict != a.Verdict:
		return fmt.Errorf("the reason %s means %s, not %q", a.Reason, reasons[i].verdict, a.Verdict)
	}
	a.Domain = strings.ToLower(strings.TrimSuffix(a.Domain, "."))
	a.Detail = reasons[i].detail
	t.answers[a.Domain] = a
	return nil
}

// Resolve implements validate.Resolver.
func (t *Table) Resolve(ctx context.Context, domains <-chan string, each func(validate.Answer)) error {
	return fromMemory(ctx, domains, each, func(d string) validate.Answer {
		if a, ok := t.answers[d]; ok {
			return a
		}
		code := precheck(d)
		if code == "" {
			code = "dns_not_recorded"
		}
		return validate.Answer{Domain: d, Verdict: verdictOf(code), Reason: code, Detail: Explain(code)}
	})
}

// fromMemory answers domains without asking anyone.
func fromMemory(ctx context.Context, domains <-chan string, each func(validate.Answer), answer func(string) validate.Answer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d, ok := <-domains:
			if !ok {
				return nil
			}
			each(answer(d))
		}
	}
}
