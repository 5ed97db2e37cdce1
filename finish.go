package winnow

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// tally is what a worker of the second pass counts. Workers count apart and are
// added up at the end.
type tally struct {
	reasons  map[reasonKey]int64
	last     reasonKey // that of most records, counted beside the map
	lastN    int64
	verdicts map[string]int64
	verdict  string // that of the last record, counted beside the map
	verdictN int64
	flags    map[string]int64
	repairs  map[string]int64
	status   map[[2]int]int64 // list, place in Status
	domains  map[domainReason]int64
	typos    map[[2]string]int64
	segments map[string]*[fates]int64 // by the value of Job.By
	provs    [][fates]int64           // by domain.provider
	onList   int64
	fixed    int64
}

type reasonKey struct {
	fate   fate
	reason string
}

type domainReason struct{ domain, reason string }

func newTally(providers int) tally {
	return tally{
		reasons: map[reasonKey]int64{}, verdicts: map[string]int64{}, flags: map[string]int64{}, repairs: map[string]int64{},
		status: map[[2]int]int64{}, domains: map[domainReason]int64{}, typos: map[[2]string]int64{}, segments: map[string]*[fates]int64{}, provs: make([][fates]int64, providers),
	}
}

// row counts a record whose fate is known.
func (t *tally) row(rw *row) {
	k := reasonKey{rw.fate, rw.reason}
	if k == t.last {
		t.lastN++
	} else {
		if t.lastN > 0 {
			t.reasons[t.last] += t.lastN
		}
		t.last, t.lastN = k, 1
	}
	if rw.dom == nil {
		return
	}
	t.provs[rw.provider][rw.fate]++
	if rw.fate == suppressed || rw.fate == review {
		if rw.dom.blames(rw.reason) {
			t.domains[domainReason{rw.dom.name, rw.reason}]++
		}
	}
}

// maxSegments bounds the values of Job.By that are counted apart: a column with
// more is not one to count by, and the rest is added up.
const maxSegments = 1000

// segment returns the counts of a value of Job.By.
func (t *tally) segment(value []byte) *[fates]int64 {
	c := t.segments[string(value)]
	if c == nil {
		name := shown.Cell(string(value))
		if len(t.segments) >= maxSegments {
			name = "(other values)"
		}
		if c = t.segments[name]; c == nil {
			c = new([fates]int64)
			t.segments[name] = c
		}
	}
	return c
}

// countVerdict begins to count another verdict.
func (t *tally) countVerdict(v string) {
	if t.verdictN > 0 {
		t.verdicts[t.verdict] += t.verdictN
	}
	t.verdict, t.verdictN = v, 1
}

// blames reports whether a reason is about the domain as a whole.
func (d *domain) blames(reason string) bool {
	switch reason {
	case ReasonDisposable, ReasonDisposableSuspected, ReasonDomainTypo:
		return true
	}
	return reason == d.facts.Code || d.ans != nil && reason == d.ans.Reason
}

func (t *tally) add(o *tally) {
	if o.lastN > 0 {
		o.reasons[o.last] += o.lastN
	}
	if o.verdictN > 0 {
		o.verdicts[o.verdict] += o.verdictN
	}
	addAll(t.reasons, o.reasons)
	addAll(t.verdicts, o.verdicts)
	addAll(t.flags, o.flags)
	addAll(t.repairs, o.repairs)
	addAll(t.status, o.status)
	addAll(t.domains, o.domains)
	addAll(t.typos, o.typos)
	for i := range o.provs {
		for f := range o.provs[i] {
			t.provs[i][f] += o.provs[i][f]
		}
	}
	for value, n := range o.segments {
		c := t.segment([]byte(value))
		for f := range n {
			c[f] += n[f]
		}
	}
	t.onList += o.onList
	t.fixed += o.fixed
}

func addAll[K comparable](to, from map[K]int64) {
	for k, n := range from {
		to[k] += n
	}
}

// provider is a mailbox provider as the summary names it.
type provider struct{ name, class string }

// numberProviders gives every domain the number of its provider: by the domain's
// name, or else by its mail hosts.
func (r *run) numberProviders() {
	at := map[provider]uint16{}
	r.providers = r.providers[:0]
	r.domains.each(func(d *domain) {
		p := provider{d.facts.Provider, d.facts.Class}
		if p.name == "" && d.ans != nil && d.ans.Provider != "" {
			p = provider{name: d.ans.Provider}
		}
		if p.name == "" {
			p = provider{name: "other"}
		}
		i, ok := at[p]
		if !ok {
			i = uint16(len(r.providers))
			at[p] = i
			r.providers = append(r.providers, p)
		}
		d.provider = i
	})
}

func (r *run) countDNS() {
	s := r.summary.DNS
	r.domains.each(func(d *domain) {
		if !d.asked() {
			return
		}
		s.Domains++
		if d.ans == nil {
			s.Verdicts[string(validate.Unknown)]++
			s.Reasons[ReasonDNSNoAnswer]++
			return
		}
		s.Verdicts[string(d.ans.Verdict)]++
		s.Reasons[d.ans.Reason]++
	})
}

// Of the domains and typos, which can be many, the summary names the most frequent.
const maxNamed = 1000

// finish fills the summary, checks that no record is lost, writes fixes.csv and
// lets the job add to the run.
func (r *run) finish() error {
	r.prog.phase.Store(phaseFinishing)
	s, t := &r.summary, &r.tally
	for f := range fates {
		s.Lists[fateNames[f]] = 0
	}
	for _, l := range r.lists {
		s.Records += l.records
		in := summary.InputFile{
			Name: l.Name, Role: "list", Bytes: max(0, l.Size()), SHA256: l.sum, Records: l.records,
			Folder: l.folder, ColumnNo: l.Column + 1, ColumnWhy: l.Why, Delimiter: string(rune(l.Comma)), Charset: l.Charset,
		}
		if l.text == nil {
			in.Bytes = l.stat.Size()
		} else {
			in.SHA256 = hex.EncodeToString(l.text.Sum(nil))
		}
		if l.Column < len(l.Header) {
			in.Column = l.Header[l.Column]
		}
		for i, st := range l.Status {
			in.StatusCols = append(in.StatusCols, summary.StatusColumn{Name: st.Name, Kind: st.Kind, Rows: t.status[[2]int{l.index, i}]})
		}
		if l.Whole != "" {
			in.StatusCols = append(in.StatusCols, summary.StatusColumn{Name: "every record of the file", Kind: l.Whole, Rows: t.status[[2]int{l.index, len(l.Status)}]})
		}
		s.Inputs = append(s.Inputs, in)
		sum := int64(0)
		for f, file := range l.files {
			if file != nil {
				s.Lists[fateNames[f]] += file.Records
				sum += file.Records
			}
		}
		if sum != l.records {
			return fmt.Errorf("%s holds %d records and %d were written: this is a fault of winnow; nothing was changed", l.Name, l.records, sum)
		}
	}
	for _, u := range r.userLists {
		role := "suppress"
		if u.allow {
			role = "allow"
		}
		s.Inputs = append(s.Inputs, summary.InputFile{Name: u.path, Role: role, Bytes: u.size, SHA256: u.sum, Records: u.records})
		if u.List == nil {
			s.Notes = append(s.Notes, filepath.Base(u.path)+" is empty.")
		}
		if n := u.unusable.Load(); n > 0 {
			what := "an address, a domain or a hash"
			if u.allow {
				what = "an address or a domain"
			}
			s.Notes = append(s.Notes, fmt.Sprintf("%d lines of %s are not %s; the first is line %d.", n, filepath.Base(u.path), what, u.first.Load()))
		}
	}
	for v, n := range t.verdicts {
		s.Verdicts[v] = n
	}
	for k, n := range t.reasons {
		s.Reasons = append(s.Reasons, summary.ReasonCount{List: fateNames[k.fate], Reason: k.reason, N: n})
	}
	slices.SortFunc(s.Reasons, func(a, b summary.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.List, b.List))
	})
	s.Flags, s.Repairs = some(t.flags), some(t.repairs)
	for i, c := range t.provs {
		p := summary.ProviderCount{Provider: r.providers[i].name, Class: r.providers[i].class, Lists: map[string]int64{}}
		for f, n := range c {
			if n > 0 {
				p.Lists[fateNames[f]] = n
				p.Records += n
			}
		}
		if p.Records > 0 {
			s.Providers = append(s.Providers, p)
		}
	}
	slices.SortFunc(s.Providers, func(a, b summary.ProviderCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Class, b.Class))
	})
	for k, n := range t.domains {
		s.Domains = append(s.Domains, summary.DomainCount{Domain: k.domain, Reason: k.reason, N: n})
	}
	slices.SortFunc(s.Domains, func(a, b summary.DomainCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Reason, b.Reason))
	})
	s.Domains = s.Domains[:min(len(s.Domains), maxNamed)]
	for k, n := range t.typos {
		s.Typos = append(s.Typos, summary.TypoCount{Domain: k[0], Suggestion: k[1], N: n})
	}
	slices.SortFunc(s.Typos, func(a, b summary.TypoCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Suggestion, b.Suggestion))
	})
	s.Typos = s.Typos[:min(len(s.Typos), maxNamed)]
	s.SegmentBy = r.job.By
	for value, counts := range t.segments {
		c := summary.SegmentCount{Value: value, Lists: map[string]int64{}}
		for f, n := range counts {
			if n > 0 {
				c.Lists[fateNames[f]] = n
				c.Records += n
			}
		}
		s.Segments = append(s.Segments, c)
	}
	slices.SortFunc(s.Segments, func(a, b summary.SegmentCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Value, b.Value))
	})
	if len(r.job.Evidence) > 0 {
		s.Bounces = &summary.BounceSummary{OnList: t.onList}
	}
	if t.fixed > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d addresses were changed by fixes that you accepted; fixed.csv names them.", t.fixed))
	}
	if err := r.found.write(r.out); err != nil {
		return err
	}
	if r.job.SpreadsheetSafe {
		for _, l := range r.lists {
			if err := r.writeSafe(l); err != nil {
				return err
			}
		}
	}
	var err error
	if s.Outputs, err = r.out.Outputs(); err != nil {
		return err
	}
	s.Finished = now()
	s.Seconds = s.Finished.Sub(s.Started).Seconds()
	if r.job.Finish == nil {
		return nil
	}
	return r.job.Finish(s, func(name string) (io.Writer, error) { return r.out.File(name) })
}

func some(m map[string]int64) map[string]int64 {
	if len(m) == 0 {
		return nil
	}
	return m
}

// machineMemory returns how many bytes of memory this process may have: that of
// the machine, or of the container.
func machineMemory() int64 {
	mem := int64(4) << 30 // where it cannot be told
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 && f[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				mem = kb << 10
			}
		}
	}
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(name); err == nil {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil && n > 0 && n < mem {
				mem = n
			}
		}
	}
	return mem
}
