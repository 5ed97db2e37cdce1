package winnow

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// tally counts the records as they are handed to the files. Workers count apart
// and are added up at the end.
type tally struct {
	records  [fates]int64
	reasons  map[reasonKey]int64
	last     reasonKey // that of most records, counted beside the map
	lastN    int64
	verdicts [len(verdicts)]int64
	flags    map[string]int64
	repairs  map[string]int64
	whole    map[int]int64           // records of a file of people who must not be mailed, by list
	status   map[int][]columns.Count // by list, then the place in Status
	domains  map[domainReason]int64
	typos    map[[2]string]int64
	segments map[string]*[fates]int64 // by the value of Job.By
	provs    [][fates]int64           // by known.Domain.Number
	onList   int64
	fixed    int64
	wishes   int64 // kept records of somebody who must not be mailed
}

type reasonKey struct {
	fate   fate
	reason string
}

type domainReason struct{ domain, reason string }

func newTally(providers int) *tally {
	return &tally{
		reasons: map[reasonKey]int64{}, flags: map[string]int64{}, repairs: map[string]int64{},
		whole: map[int]int64{}, status: map[int][]columns.Count{}, domains: map[domainReason]int64{}, typos: map[[2]string]int64{}, segments: map[string]*[fates]int64{}, provs: make([][fates]int64, providers),
	}
}

// count counts the records of a chunk that were written.
func (t *tally) count(rs *rows) {
	for i := range rs.all {
		rw := &rs.all[i]
		t.row(rw)
		if rw.whole {
			t.whole[rs.list]++
		}
	}
	for _, f := range rs.flags {
		t.flags[f]++
	}
	for _, r := range rs.repairs {
		t.repairs[r]++
	}
	for i := range rs.fixes {
		if f := &rs.fixes[i]; f.typo != "" {
			t.typos[[2]string{f.domain, f.typo}]++
		}
	}
	t.onList += rs.onList
}

// row counts one record.
func (t *tally) row(rw *row) {
	t.records[rw.fate]++
	t.verdicts[rw.verdict]++
	k := reasonKey{rw.fate, rw.reason}
	if k == t.last {
		t.lastN++
	} else {
		if t.lastN > 0 {
			t.reasons[t.last] += t.lastN
		}
		t.last, t.lastN = k, 1
	}
	if rw.fate == kept {
		if rw.wish {
			t.wishes++
		}
		if rw.fix != nil {
			t.fixed++
		}
	}
	if rw.dom == nil {
		return
	}
	t.provs[rw.provider][rw.fate]++
	if rw.fate == suppressed || rw.fate == review {
		if blames(rw.dom, rw.reason) {
			t.domains[domainReason{rw.dom.Name, rw.reason}]++
		}
	}
}

// blames reports whether a reason is about the domain as a whole.
func blames(d *known.Domain, reason string) bool {
	switch reason {
	case decide.ReasonDisposable, decide.ReasonDisposableSuspected, decide.ReasonDomainTypo:
		return true
	}
	return reason == d.Facts.Code || d.Answer != nil && reason == d.Answer.Reason
}

// maxSegments bounds the values of Job.By that are counted apart: a column with
// more is not one to count by, and the rest is added up.
const maxSegments = 1000

// countBy counts the records of a chunk by the column of Job.By. It is called for
// one chunk after the other, so that it does not depend on the workers which
// values are the first.
func (t *tally) countBy(c *csvrows.Chunk, l *list, rs *rows, buf []byte) {
	if l.by == 0 {
		return
	}
	for i := range rs.all {
		t.segment(c.Cell(i, l.by-1, buf))[rs.all[i].fate]++
	}
}

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

// add adds what another worker counted.
func (t *tally) add(o *tally) {
	if o.lastN > 0 {
		o.reasons[o.last] += o.lastN
	}
	for f, n := range o.records {
		t.records[f] += n
	}
	for v, n := range o.verdicts {
		t.verdicts[v] += n
	}
	addAll(t.reasons, o.reasons)
	addAll(t.flags, o.flags)
	addAll(t.repairs, o.repairs)
	addAll(t.whole, o.whole)
	addAll(t.domains, o.domains)
	addAll(t.typos, o.typos)
	for i := range o.provs {
		for f := range o.provs[i] {
			t.provs[i][f] += o.provs[i][f]
		}
	}
	t.onList += o.onList
	t.fixed += o.fixed
	t.wishes += o.wishes
}

// addStatus adds what one worker counted in the status columns of a list.
func (t *tally) addStatus(l *list, counts []columns.Count) {
	if t.status[l.index] == nil {
		t.status[l.index] = make([]columns.Count, len(counts))
	}
	for i := range counts {
		t.status[l.index][i].Add(&counts[i])
	}
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
func numberProviders(domains *known.Domains) (providers []provider) {
	at := map[provider]uint16{}
	domains.Each(func(d *known.Domain) {
		p := provider{d.Facts.Provider, d.Facts.Class}
		if p.name == "" && d.Answer != nil && d.Answer.Provider != "" {
			p = provider{name: d.Answer.Provider}
		}
		if p.name == "" {
			p = provider{name: "other"}
		}
		i, ok := at[p]
		if !ok {
			i = uint16(len(providers))
			at[p] = i
			providers = append(providers, p)
		}
		d.Number = i
	})
	return providers
}

// dnsSummary says how the domains were asked.
func dnsSummary(asked *known.Asked, domains *known.Domains) *summary.DNSSummary {
	if asked == nil {
		return nil
	}
	s := &summary.DNSSummary{Seconds: asked.Seconds, Unusable: asked.Unusable, Queries: asked.Queries, Cached: asked.Cached, Resolvers: asked.Resolvers,
		Verdicts: map[string]int64{}, Reasons: map[string]int64{}}
	domains.Each(func(d *known.Domain) {
		if !d.Asked() {
			return
		}
		s.Domains++
		if d.Answer == nil {
			s.Verdicts[string(validate.Unknown)]++
			s.Reasons[decide.ReasonDNSNoAnswer]++
			return
		}
		s.Verdicts[string(d.Answer.Verdict)]++
		s.Reasons[d.Answer.Reason]++
	})
	return s
}

// Of the domains and typos, which can be many, the summary names the most frequent.
const maxNamed = 1000

// tell fills a summary with what was counted.
func (t *tally) tell(s *Summary, providers []provider) {
	s.Verdicts = map[string]int64{}
	for v, n := range t.verdicts[1:] {
		if n > 0 {
			s.Verdicts[verdicts[1+v]] = n
		}
	}
	for k, n := range t.reasons {
		s.Reasons = append(s.Reasons, summary.ReasonCount{List: fateNames[k.fate], Reason: k.reason, N: n})
	}
	slices.SortFunc(s.Reasons, func(a, b summary.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.List, b.List))
	})
	s.Flags, s.Repairs = some(t.flags), some(t.repairs)
	s.AgainstWish = &t.wishes
	for i, c := range t.provs {
		p := summary.ProviderCount{Provider: providers[i].name, Class: providers[i].class}
		if p.Lists, p.Records = byList(&c); p.Records > 0 {
			s.Providers = append(s.Providers, p)
		}
	}
	slices.SortFunc(s.Providers, func(a, b summary.ProviderCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Class, b.Class))
	})
	for value, counts := range t.segments {
		c := summary.SegmentCount{Value: value}
		c.Lists, c.Records = byList(counts)
		s.Segments = append(s.Segments, c)
	}
	slices.SortFunc(s.Segments, func(a, b summary.SegmentCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Value, b.Value))
	})
	t.tellDomains(s)
	if s.Bounces != nil {
		s.Bounces.OnList = t.onList
	}
	if t.fixed > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d addresses were changed by fixes that you accepted; fixed.csv names them.", t.fixed))
	}
}

// tellDomains names the domains that were blamed and the typos that were found.
func (t *tally) tellDomains(s *Summary) {
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
}

// byList names the counts of the lists, those that are not 0, and adds them up.
func byList(counts *[fates]int64) (lists map[string]int64, sum int64) {
	lists = map[string]int64{}
	for f, n := range counts {
		if n > 0 {
			lists[fateNames[f]] = n
			sum += n
		}
	}
	return lists, sum
}

func some(m map[string]int64) map[string]int64 {
	if len(m) == 0 {
		return nil
	}
	return m
}

// account says what was read and written, and checks that no record is lost: what
// was read the first time, what was judged, and what is in the files is the same.
func (t *tally) account(s *Summary, in *inputs, w *writer) error {
	s.Lists = map[string]int64{}
	for f := range fates {
		s.Lists[fateNames[f]] = 0
	}
	var written [fates]int64
	for _, l := range in.lists {
		sum := int64(0)
		for f, n := range w.written(l) {
			written[f] += n
			s.Lists[fateNames[f]] += n
			sum += n
		}
		if sum != l.records {
			return fmt.Errorf("%s holds %d records and %d were written: this is a fault of winnow; nothing was changed", l.Name, l.records, sum)
		}
		s.Records += l.records
		s.Inputs = append(s.Inputs, l.describe(t.status[l.index], t.whole[l.index]))
	}
	if written != t.records {
		return fmt.Errorf("%v records were judged and %v written: this is a fault of winnow; nothing was changed", t.records, written)
	}
	s.Notes = append(s.Notes, in.notes...)
	for _, l := range in.own {
		role := "suppress"
		if l.Allow {
			role = "allow"
		}
		s.Inputs = append(s.Inputs, summary.InputFile{Name: l.Path, Role: role, Bytes: l.Bytes, SHA256: l.SHA256, Records: l.Records})
		s.Notes = append(s.Notes, l.Notes()...)
	}
	s.Inputs = append(s.Inputs, in.behind...)
	return nil
}

// describe says what a list is. counts are of its status columns, whole of the
// records that are blocked as all of the file.
func (l *list) describe(counts []columns.Count, whole int64) summary.InputFile {
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
	for i := range l.Status {
		st, n := &l.Status[i], &columns.Count{}
		if i < len(counts) {
			n = &counts[i]
		}
		if n.Rows+n.Held > 0 || st.Sure && !st.Held { // else nothing in it could be a no
			in.StatusCols = append(in.StatusCols, describeStatus(st, n))
		}
	}
	if l.Whole != "" {
		in.StatusCols = append(in.StatusCols, summary.StatusColumn{Name: "every record of the file", Kind: string(l.Whole), Rows: whole, Why: "by the name of the file"})
	}
	return in
}

// describeStatus says how often a status column said what.
func describeStatus(st *columns.Status, n *columns.Count) summary.StatusColumn {
	c := summary.StatusColumn{Name: st.Name, Kind: string(st.Kind), Why: st.Why, Held: st.Held, Rows: n.Rows, HeldRows: n.Held, Dates: n.Dates, Texts: n.Texts}
	for _, v := range n.Values {
		c.Values = append(c.Values, summary.StatusValue{Value: v.Value, Kind: string(v.Kind), Rows: v.Rows})
	}
	slices.SortFunc(c.Values, func(a, b summary.StatusValue) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Kind, b.Kind))
	})
	return c
}
