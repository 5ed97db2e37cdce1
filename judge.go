package winnow

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// secondPass reads the lists again, decides and writes.
func (r *run) secondPass(ctx context.Context) error {
	r.prog.phase.Store(phaseWriting)
	r.prog.Rows.Store(0)
	if r.summary.DNS != nil {
		r.countDNS()
	}
	r.numberProviders()
	r.tally = newTally(len(r.providers))
	for _, l := range r.lists {
		for _, f := range []fate{kept, suppressed} { // these two always appear
			if err := r.create(l, f); err != nil {
				return err
			}
		}
		n, err := r.scan(ctx, l, r.newJudge)
		if err != nil {
			return err
		}
		if n != l.records {
			return changedError(l)
		}
		for _, f := range append(l.files[:], l.fixed) {
			if f != nil {
				if err := f.Close(); err != nil {
					return err
				}
			}
		}
		if l.stat != nil && l.stat.Mode().IsRegular() {
			if now, err := os.Stat(l.path); err != nil || now.Size() != l.stat.Size() || !now.ModTime().Equal(l.stat.ModTime()) {
				return changedError(l)
			}
		}
	}
	return nil
}

func changedError(l *list) error {
	return fmt.Errorf("%s changed while it was read: run it again on a file that stands still; nothing was changed", l.Name)
}

// judgeWorker is one worker of the second pass.
type judgeWorker struct {
	r        *run
	p        cellParser
	tally    tally
	cell     []byte
	other    []byte
	digester digester
	dkey     []byte
	fact     []byte
	res      validate.Result
	several  []Decision
}

func (r *run) newJudge() (func(context.Context, *slot) error, func() error) {
	w := &judgeWorker{r: r, p: newParser(r), tally: newTally(len(r.providers)), cell: make([]byte, 0, 512), other: make([]byte, 0, 512)}
	end := func() error {
		r.tallyMu.Lock()
		defer r.tallyMu.Unlock()
		r.tally.add(&w.tally)
		return nil
	}
	return w.do, end
}

// do takes a chunk through the pass. What depends on the records before it is
// done in turn: the duplicates, and the writing.
func (w *judgeWorker) do(ctx context.Context, s *slot) error {
	s.rows, s.decs, s.cands, s.keys, s.fixes = s.rows[:0], s.decs[:0], s.cands[:0], s.keys[:0], s.fixes[:0]
	for i0 := 0; i0 < s.chunk.Len(); i0 += blockSize {
		i1 := min(i0+blockSize, s.chunk.Len())
		w.p.block(&s.chunk, s.list, i0, i1)
		if f := w.r.special; f != nil {
			for k := range w.p.list { // see block
				w.p.sink += f.place(w.p.list[k].hash)[0].Load()
			}
		}
		for i := i0; i < i1; i++ {
			from, to := w.p.from[i-i0], w.p.from[i-i0+1]
			if err := w.record(s, i, w.p.text[i-i0], w.p.addrs[from:to], w.p.list[from:to]); err != nil {
				return err
			}
		}
	}
	if err := wait(ctx, s.resolveTurn); err != nil {
		return err
	}
	if err := w.r.resolve(s); err != nil {
		return err
	}
	close(s.resolved)
	w.format(s)
	if err := wait(ctx, s.writeTurn); err != nil {
		return err
	}
	if err := w.r.write(s); err != nil {
		return err
	}
	close(s.written)
	return nil
}

func wait(ctx context.Context, turn <-chan struct{}) error {
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// record judges record i of the chunk, whose address cell holds text and in it
// the addresses found.
func (w *judgeWorker) record(s *slot, i int, text []byte, cell []validate.CellAddress, found []parsed) error {
	c, l := &s.chunk, s.list
	if p := c.Problem(i); p != "" {
		s.rows = append(s.rows, row{fate: rejected, reason: p, dec: -1})
		return nil
	}
	row := row{dec: -1, count: int32(len(found))}
	var user User
	if l.hasStatus() {
		if k, at := l.blocked(c, i, &w.other); k != noBlock {
			user = User{Block: blockReasons[k], Source: l.statusSource(at)}
			w.tally.status[[2]int{l.index, at}]++
		}
	}
	var d Decision
	if len(found) > 0 && found[0].dom != nil {
		row.dom, row.provider = found[0].dom, found[0].dom.provider
	}
	switch {
	case len(cell) == 0 || len(cell) == 1 && cell[0].Address == "":
		d = Decision{Action: Suppress, Verdict: undeliverable, Reason: ReasonNoAddress, Detail: "The address cell is empty.",
			Evidence: []validate.Evidence{{What: ReasonNoAddress, From: "the list"}}}
		if user.Block != "" {
			d.Reason, d.Detail = user.Block, userDetail[user.Block]
		}
	case len(cell) == 1:
		if err := w.address(s, &cell[0], &found[0], user, &d); err != nil {
			return err
		}
	default:
		w.several = w.several[:0]
		for k := range cell {
			var one Decision
			if err := w.address(s, &cell[k], &found[k], user, &one); err != nil {
				return err
			}
			w.several = append(w.several, one)
		}
		d = combine(cell, w.several)
	}
	for k := range cell {
		for _, rep := range cell[k].Repairs {
			w.tally.repairs[rep]++
		}
	}
	row.reason = d.Reason
	if d.Verdict == w.tally.verdict {
		w.tally.verdictN++
	} else {
		w.tally.countVerdict(d.Verdict)
	}
	for _, f := range d.Flags {
		w.tally.flags[f]++
	}
	switch d.Action {
	case Review:
		row.fate = review
	case Suppress:
		row.fate = suppressed
	}
	for k := range found {
		if found[k].fix != nil {
			w.fixed(s, &row, i, text, cell, found[k].fix, &d)
			break
		}
	}
	if row.fate != kept {
		row.dec = int32(len(s.decs))
		s.decs = append(s.decs, d)
	}
	s.rows = append(s.rows, row)
	return nil
}

// address judges one address of the next row of s and puts what is decided into d.
func (w *judgeWorker) address(s *slot, cell *validate.CellAddress, x *parsed, user User, d *Decision) error {
	r := w.r
	if x.err != nil {
		w.res = r.job.Validator.Check(cell.Address) // with a suggestion
		if w.res.Syntax == nil {
			w.res.Syntax = &validate.SyntaxError{Code: "syntax", Detail: x.err.Error()}
		}
		*d = Decide(user, &w.res, nil, &r.job.Policy)
		w.cite(d)
		if d.Suggestion != "" {
			s.fixes = append(s.fixes, foundFix{address: strings.Clone(cell.Address), suggestion: strings.Clone(d.Suggestion), why: d.Detail})
		}
		return nil
	}
	dom := x.dom
	if dom == nil { // not there in the first pass
		return changedError(s.list)
	}
	if len(r.digests) > 0 && user.Block == "" {
		src, err := w.digested(x.addr.AppendKey(w.p.key[:0]))
		if err != nil {
			return err
		}
		if src > 0 {
			user = User{Block: ReasonUserSuppressed, Source: r.sources[src-1]}
		}
	}
	h := x.hash

	// What the lists and sources say.
	fact := dom.user
	var rec *bounceimport.Record
	var own bounceimport.Record
	special := r.special != nil && r.special.has(h)
	var key []byte
	if special {
		key = w.p.identity(x)
		found, err := r.facts.get(h, key, &fact, &own, &w.fact)
		if err != nil {
			return err
		}
		if found {
			w.tally.onList++
			rec = &own
		}
	}
	if len(r.hashed) > 0 {
		w.dkey = x.addr.AppendKey(w.dkey[:0])
		for _, look := range r.hashed {
			if k, ok := look(stringOf(w.dkey)); ok && (rec == nil || heavier(&k, rec)) {
				rec = &k
			}
		}
	}
	if dom.rec != nil && (rec == nil || heavier(dom.rec, rec)) {
		rec = dom.rec
	}
	if user.Block == "" {
		if fact.block != noBlock {
			user.Block, user.Source = blockReasons[fact.block], r.sources[fact.source-1]
		}
		if fact.allow != 0 {
			user.Allow = true
			if user.Block == "" {
				user.Source = r.sources[fact.allow-1]
			}
		}
	}

	// What the address and its domain are.
	facts := *dom.facts
	facts.Name = dom.name
	w.res = r.job.Validator.CheckAddress(x.addr, &facts)
	if dom.ans != nil {
		w.res.Answer = *dom.ans
		w.res.Answer.Domain = dom.name
	} else if r.asker != nil && dom.asked() {
		w.res.Answer = validate.Answer{Domain: dom.name, Verdict: validate.Unknown, Reason: ReasonDNSNoAnswer}
	}
	*d = Decide(user, &w.res, rec, &r.job.Policy)
	w.cite(d)
	if d.Suggestion != "" && d.Action != Keep || d.Suggestion != "" && r.job.Policy.Typos == "keep" {
		s.fixes = append(s.fixes, foundFix{address: x.addr.String(), suggestion: strings.Clone(d.Suggestion), why: facts.Name + " is probably " + facts.Typo})
		w.tally.typos[[2]string{dom.name, facts.Typo}]++
	}

	// Does it occur more than once?
	if special && r.job.Dedupe != "off" {
		if at := r.dups.find(h); at >= 0 {
			if r.job.Dedupe == "exact" {
				w.dkey = append(append(append(w.dkey[:0], x.addr.Local...), '@'), x.addr.Domain...)
				key = w.dkey
			}
			from := len(s.keys)
			s.keys = append(s.keys, key...)
			s.cands = append(s.cands, candidate{row: int32(len(s.rows)), at: int32(at), from: int32(from), to: int32(len(s.keys))})
		}
	}
	return nil
}

// cite names the lists and rules behind a decision that rests on the address
// itself.
func (w *judgeWorker) cite(d *Decision) {
	if d.Action == Keep || len(d.Evidence) == 0 || d.Evidence[0].From != addressItself {
		return
	}
	if ev := w.r.job.Validator.Evidence(&w.res); len(ev) > 0 {
		d.Evidence = append(ev, d.Evidence[1:]...)
	}
}

// combine decides on a record whose cell holds several addresses: it is kept
// when all of them are kept and suppressed when none may be mailed, or when the
// user's own list or the person's wish forbids one of them. Otherwise a person
// has to look.
func combine(addrs []validate.CellAddress, ds []Decision) Decision {
	worst, same := 0, true
	for i := range ds {
		if severity(&ds[i]) > severity(&ds[worst]) {
			worst = i
		}
		same = same && ds[i].Action == ds[0].Action
	}
	d := ds[worst]
	for i := range ds {
		if i != worst {
			d.Evidence = append(d.Evidence, ds[i].Evidence...)
			d.Flags = append(d.Flags, ds[i].Flags...)
		}
	}
	d.Flags = append(d.Flags, ReasonSeveralAddresses)
	if same || isWish(d.Reason) {
		if d.Action != Keep {
			d.Detail = shown.Mask(addrs[worst].Address) + ", one of " + strconv.Itoa(len(ds)) + " addresses in the cell: " + d.Detail
		}
		return d
	}
	var b strings.Builder
	b.WriteString("The cell holds " + strconv.Itoa(len(ds)) + " addresses that are not judged alike: ")
	for i := range ds {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(shown.Mask(addrs[i].Address) + " " + ds[i].Reason)
	}
	b.WriteByte('.')
	d.Action, d.Reason, d.Detail, d.Suggestion = Review, ReasonSeveralAddresses, b.String(), ""
	return d
}

// isWish reports whether a reason is an order of the user or of the person.
func isWish(reason string) bool {
	switch reason {
	case ReasonUserSuppressed, ReasonUserUnsubscribed, ReasonUserComplained, ReasonUserBlocked,
		"bounce_complaint", "bounce_unsubscribe", "bounce_recipient_blocked_sender":
		return true
	}
	return false
}

func severity(d *Decision) int {
	switch {
	case d.Action == Suppress && isWish(d.Reason):
		return 4
	case d.Action == Suppress:
		return 3
	case d.Action == Review:
		return 2
	case d.Verdict != deliverable:
		return 1
	}
	return 0
}

// resolve finds the further copies among the records of a chunk. It is called
// for one chunk after the other.
func (r *run) resolve(s *slot) error {
	for i := 0; i < len(s.cands); {
		j := i
		at := s.cands[i].row
		rw := &s.rows[at]
		var first firstSeen
		n := int32(0) // addresses of the cell that were seen before
		for ; j < len(s.cands) && s.cands[j].row == at; j++ {
			c := &s.cands[j]
			f, found, err := r.dups.lookup(int(c.at), s.keys[c.from:c.to], &r.dupBuf)
			if err != nil {
				return err
			}
			if c.seen = found; found {
				if n == 0 || f.fate > first.fate {
					first = f
				}
				n++
			}
		}
		if n > 0 && n == rw.count {
			rw.first, rw.firstIn = first.record, first.list
			rw.follow(s, first.fate)
		}
		for k := i; k < j; k++ {
			c := &s.cands[k]
			if c.seen {
				continue
			}
			err := r.dups.put(int(c.at), s.keys[c.from:c.to], firstSeen{record: s.chunk.First + int64(at), list: uint32(s.list.index), fate: rw.fate})
			if err != nil {
				return err
			}
		}
		i = j
	}
	for i := range s.fixes {
		r.found.add(&s.fixes[i])
	}
	return nil
}

// follow sends a further copy where it belongs: a copy of a kept address to the
// duplicates, a copy of one that is not kept where that one went, so that
// nothing in the duplicates can bring it back. What is worse by itself stays.
func (rw *row) follow(s *slot, first fate) {
	if rw.fate > first || rw.fate == first && rw.fate != kept {
		return
	}
	if first == kept {
		rw.fate, rw.reason = duplicate, ReasonDuplicate
		return
	}
	what := "is suppressed"
	d := Decision{Action: Suppress, Verdict: risky, Reason: ReasonDuplicate}
	if first == review {
		d.Action, what = Review, "is up for review"
	}
	d.Detail = "A further copy of record " + strconv.FormatInt(rw.first, 10) + ", which " + what + "."
	rw.fate, rw.reason, rw.dec = first, d.Reason, int32(len(s.decs))
	s.decs = append(s.decs, d)
}

// format writes the records of a chunk into the buffers of their lists.
func (w *judgeWorker) format(s *slot) {
	for f := range s.out {
		s.out[f] = s.out[f][:0]
	}
	s.fixed = s.fixed[:0]
	c, l := &s.chunk, s.list
	var run []byte // of kept records that follow each other in memory
	for i := range s.rows {
		rw := &s.rows[i]
		w.tally.row(rw)
		if l.by > 0 {
			w.tally.segment(c.Cell(i, l.by-1, w.other))[rw.fate]++
		}
		raw := c.Raw(i)
		switch rw.fate {
		case kept:
			if rw.fix != nil {
				old := c.Cell(i, l.Column, w.cell)
				s.fixed = appendFixed(s.fixed, c.First+int64(i), old, rw.fix)
				raw = bytes.Replace(raw, old, []byte(rw.fix.String()), 1)
				w.tally.fixed++
			}
			if n := len(run); n > 0 && len(raw) > 0 && cap(run) > n && &run[:n+1][n] == &raw[0] {
				run = run[:n+len(raw)]
				continue
			}
			s.out[kept] = append(s.out[kept], run...)
			run = raw
		case duplicate:
			s.out[duplicate] = l.Append(s.out[duplicate], raw, w.r.firstName(rw))
		case rejected:
			s.out[rejected] = appendRejected(s.out[rejected], c.Line(i), rw.reason, raw, l.Charset)
		default:
			cells := reasonCells(&s.decs[rw.dec])
			s.out[rw.fate] = l.Append(s.out[rw.fate], raw, cells[:]...)
		}
	}
	s.out[kept] = append(s.out[kept], run...)
}

// firstName names the first record of a duplicate: its number, and the list
// where there are several.
func (r *run) firstName(rw *row) string {
	n := strconv.FormatInt(rw.first, 10)
	if len(r.lists) > 1 {
		n = strings.TrimSuffix(r.lists[rw.firstIn].folder, "/") + ":" + n
	}
	return shown.Cell(n)
}

// reasonCells are the values of export.ReasonColumns. The date is that of the evidence
// that decided, which stands first.
func reasonCells(d *Decision) [5]string {
	var ev strings.Builder
	when := ""
	for i := range d.Evidence {
		e := &d.Evidence[i]
		if i > 0 {
			ev.WriteString("; ")
		}
		ev.WriteString(e.What)
		date := ""
		if !e.When.IsZero() {
			date = e.When.UTC().Format(time.DateOnly)
		}
		switch {
		case e.From != "" && date != "":
			ev.WriteString(" (" + e.From + ", " + date + ")")
		case e.From != "" || date != "":
			ev.WriteString(" (" + e.From + date + ")")
		}
		if i == 0 {
			when = date
		}
	}
	return [5]string{shown.Cell(d.Reason), shown.Cell(d.Detail), shown.Cell(d.Suggestion), shown.Cell(ev.String()), when}
}

// appendRejected writes a record that could not be read: where it is, why, and
// its bytes as one quoted cell. Of a list in UTF-16 the text is written.
func appendRejected(dst []byte, line int64, reason string, raw []byte, charset string) []byte {
	dst = strconv.AppendInt(dst, line, 10)
	dst = append(append(append(dst, ','), reason...), `,"`...)
	for _, b := range text(raw, charset) {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, "\"\n"...)
}

// text returns raw, decoded where it is UTF-16.
func text(raw []byte, charset string) []byte {
	var unit func(b []byte) uint16
	switch charset {
	case "UTF-16LE":
		unit = binary.LittleEndian.Uint16
	case "UTF-16BE":
		unit = binary.BigEndian.Uint16
	default:
		return raw
	}
	var units []uint16
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, unit(raw[i:]))
	}
	var b []byte
	for _, r := range utf16.Decode(units) {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// write appends the buffers of a chunk to the files. It is called for one chunk
// after the other.
func (r *run) write(s *slot) error {
	var n [fates]int64
	for i := range s.rows {
		n[s.rows[i].fate]++
	}
	if h := s.list.text; h != nil {
		for i := range s.rows {
			h.Write(s.chunk.Raw(i))
		}
	}
	for f := range s.out {
		if n[f] == 0 {
			continue
		}
		if s.list.files[f] == nil {
			if err := r.create(s.list, fate(f)); err != nil {
				return err
			}
		}
		file := s.list.files[f]
		file.Records += n[f]
		if _, err := file.Write(s.out[f]); err != nil {
			return err
		}
	}
	if len(s.fixed) == 0 {
		return nil
	}
	if s.list.fixed == nil {
		var err error
		if s.list.fixed, err = r.out.File(s.list.folder + "fixed.csv"); err != nil {
			return err
		}
		s.fixed = append([]byte("record,address,fixed\n"), s.fixed...)
	}
	_, err := s.list.fixed.Write(s.fixed)
	return err
}

// create starts a file of a list, with its header.
func (r *run) create(l *list, f fate) error {
	file, err := r.out.File(l.folder + fateNames[f] + ".csv")
	if err != nil {
		return err
	}
	l.files[f] = file
	var head []byte
	switch f {
	case kept:
		head = l.Preamble()
	case duplicate:
		head = l.AppendPreamble(nil, export.DuplicateColumns()...)
	case rejected:
		head = []byte("line,reason,record\n")
	default:
		head = l.AppendPreamble(nil, export.ReasonColumns()...)
	}
	_, err = file.Write(head)
	return err
}
