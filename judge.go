package winnow

import (
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/decide"
	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/internal/shown"
	"github.com/winnow-email/winnow/validate"
)

// judge decides on the records of a list.
type judge struct {
	job    *Job
	known  *known.Known
	fixes  *fixTable
	twice  *keyset.Twice
	marked *keyset.Filter // nil: nothing more is known of any address
	asked  bool           // the DNS
}

// worker returns one goroutine's judge of the records of a list.
func (j *judge) worker(l *list) *judgeWorker {
	return &judgeWorker{judge: j, list: l, p: newParser(j.known, j.fixes), reader: j.known.Reader(), status: columns.NewJudge(l.Status, true), buf: make([]byte, 0, 512)}
}

type judgeWorker struct {
	*judge
	list    *list
	p       *parser
	reader  *known.Reader
	status  *columns.Judge
	rows    *rows // of the chunk that is judged
	buf     []byte
	dkey    []byte
	res     validate.Result
	several []decide.Decision
}

// chunk judges the records of a chunk, each by itself.
func (w *judgeWorker) chunk(c *csvrows.Chunk, rs *rows) error {
	rs.reset(w.list.index)
	w.rows = rs
	for i0 := 0; i0 < c.Len(); i0 += blockSize {
		i1 := min(i0+blockSize, c.Len())
		w.p.block(c, w.list.Column, i0, i1)
		if f := w.marked; f != nil {
			for k := range w.p.list { // see blockSize
				w.p.sink += f.Touch(w.p.list[k].hash)
			}
		}
		for i := i0; i < i1; i++ {
			from, to := w.p.from[i-i0], w.p.from[i-i0+1]
			if err := w.record(c, i, w.p.text[i-i0], w.p.addrs[from:to], w.p.list[from:to]); err != nil {
				return err
			}
		}
	}
	return nil
}

// record judges record i of the chunk, whose address cell holds text and in it
// the addresses found.
func (w *judgeWorker) record(c *csvrows.Chunk, i int, text []byte, cell []validate.CellAddress, found []parsed) error {
	rs := w.rows
	if p := c.Problem(i); p != "" {
		rs.all = append(rs.all, row{fate: rejected, reason: p, dec: -1})
		return nil
	}
	rw := row{dec: -1, count: int32(len(found))}
	var user decide.User
	if w.list.hasStatus() {
		if b, at := w.list.blocked(w.status, c, i, w.buf); b != known.NoBlock {
			user = decide.User{Block: blockReasons[b], Source: w.known.Source(w.list.sources + uint32(at))}
			rw.whole, rw.wish = at == len(w.list.Status), true
		}
	}
	if len(found) > 0 && found[0].dom != nil {
		rw.dom, rw.provider = found[0].dom, found[0].dom.Number
	}
	var d decide.Decision
	switch {
	case len(cell) == 0 || len(cell) == 1 && cell[0].Address == "":
		d = decide.Decision{Action: decide.Suppress, Verdict: decide.Undeliverable, Reason: decide.ReasonNoAddress, Detail: "The address cell is empty.",
			Evidence: []validate.Evidence{{What: decide.ReasonNoAddress, From: "the list"}}}
		if user.Block != "" {
			d.Reason, d.Detail = user.Block, decide.BlockDetail(user.Block)
		}
	case len(cell) == 1:
		if err := w.address(&rw, &cell[0], &found[0], user, &d); err != nil {
			return err
		}
	default:
		w.several = w.several[:0]
		for k := range cell {
			var one decide.Decision
			if err := w.address(&rw, &cell[k], &found[k], user, &one); err != nil {
				return err
			}
			w.several = append(w.several, one)
		}
		d = combine(cell, w.several)
	}
	for k := range cell {
		rs.repairs = append(rs.repairs, cell[k].Repairs...)
	}
	rs.flags = append(rs.flags, d.Flags...)
	rw.verdict, rw.reason = verdictNumber(d.Verdict), d.Reason
	switch d.Action {
	case decide.Review:
		rw.fate = review
	case decide.Suppress:
		rw.fate = suppressed
	}
	for k := range found {
		if found[k].fix != nil {
			rw.applyFix(c, i, text, cell, found[k].fix, &d)
			break
		}
	}
	if rw.fate != kept {
		rw.dec = int32(len(rs.decs))
		rs.decs = append(rs.decs, d)
	}
	rs.all = append(rs.all, rw)
	return nil
}

// blockReasons are the reasons of the blocks of known.
var blockReasons = [...]string{
	known.NoBlock: "", known.Complained: decide.ReasonUserComplained, known.Unsubscribed: decide.ReasonUserUnsubscribed,
	known.Suppressed: decide.ReasonUserSuppressed, known.Blocked: decide.ReasonUserBlocked, known.Bounced: decide.ReasonUserBounced,
}

// address judges one address of the next row and puts what is decided into d.
func (w *judgeWorker) address(rw *row, cell *validate.CellAddress, x *parsed, user decide.User, d *decide.Decision) error {
	if x.err != nil {
		w.broken(cell, x, user, d)
		return nil
	}
	dom := x.dom
	if dom == nil { // not there in the first reading
		return w.list.changedError()
	}
	marked := w.marked != nil && w.marked.Has(x.hash)
	var key []byte
	if marked {
		key = w.p.keyOf(&x.addr)
	}
	said, rec, onList, err := w.reader.Look(&x.addr, dom, marked, x.hash, key)
	if err != nil {
		return err
	}
	if onList {
		w.rows.onList++
	}
	if user.Block == "" {
		user.Block, user.Allow, user.Source = blockReasons[said.Block], said.Allow, said.Source
	}
	rw.wish = rw.wish || said.Block != known.NoBlock || rec != nil && known.Wish(rec)

	// What the address and its domain are.
	facts := *dom.Facts
	facts.Name = dom.Name
	w.res = w.job.Validator.CheckAddress(x.addr, &facts)
	if dom.Answer != nil {
		w.res.Answer = *dom.Answer
		w.res.Answer.Domain = dom.Name
	} else if w.asked && dom.Asked() {
		w.res.Answer = validate.Answer{Domain: dom.Name, Verdict: validate.Unknown, Reason: decide.ReasonDNSNoAnswer}
	}
	*d = decide.Decide(user, &w.res, rec, &w.job.Policy)
	w.cite(d)
	if d.Suggestion != "" && d.Action != decide.Keep || d.Suggestion != "" && w.job.Policy.Typos == decide.Keep {
		w.rows.fixes = append(w.rows.fixes, foundFix{address: x.addr.String(), suggestion: strings.Clone(d.Suggestion), why: facts.Name + " is probably " + facts.Typo,
			domain: dom.Name, typo: facts.Typo})
	}
	if marked && w.job.Dedupe != NoDedupe {
		w.candidate(x, key)
	}
	return nil
}

// broken judges what is no address.
func (w *judgeWorker) broken(cell *validate.CellAddress, x *parsed, user decide.User, d *decide.Decision) {
	w.res = w.job.Validator.Check(cell.Address) // with a suggestion
	if w.res.Syntax == nil {
		w.res.Syntax = &validate.SyntaxError{Code: "syntax", Detail: x.err.Error()}
	}
	*d = decide.Decide(user, &w.res, nil, &w.job.Policy)
	w.cite(d)
	if d.Suggestion != "" {
		w.rows.fixes = append(w.rows.fixes, foundFix{address: strings.Clone(cell.Address), suggestion: strings.Clone(d.Suggestion), why: d.Detail})
	}
}

// candidate notes an address of the next row that may occur more than once.
func (w *judgeWorker) candidate(x *parsed, key []byte) {
	at := w.twice.Find(x.hash)
	if at < 0 {
		return
	}
	if w.job.Dedupe == ByBytes {
		w.dkey = append(append(append(w.dkey[:0], x.addr.Local...), '@'), x.addr.Domain...)
		key = w.dkey
	}
	rs := w.rows
	from := len(rs.keys)
	rs.keys = append(rs.keys, key...)
	rs.cands = append(rs.cands, candidate{row: int32(len(rs.all)), at: int32(at), from: int32(from), to: int32(len(rs.keys))})
}

// cite names the lists and rules behind a decision that rests on the address
// itself.
func (w *judgeWorker) cite(d *decide.Decision) {
	if d.Action == decide.Keep || len(d.Evidence) == 0 || d.Evidence[0].From != decide.AddressItself {
		return
	}
	if ev := w.job.Validator.Evidence(&w.res); len(ev) > 0 {
		d.Evidence = append(ev, d.Evidence[1:]...)
	}
}

// combine decides on a record whose cell holds several addresses: it is kept
// when all of them are kept and suppressed when none may be mailed, or when the
// user's own list or the person's wish forbids one of them. Otherwise a person
// has to look.
func combine(addrs []validate.CellAddress, ds []decide.Decision) decide.Decision {
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
	d.Flags = append(d.Flags, decide.ReasonSeveralAddresses)
	if same || decide.IsWish(d.Reason) {
		if d.Action != decide.Keep {
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
	d.Action, d.Reason, d.Detail, d.Suggestion = decide.Review, decide.ReasonSeveralAddresses, b.String(), ""
	return d
}

func severity(d *decide.Decision) int {
	switch {
	case d.Action == decide.Suppress && decide.IsWish(d.Reason):
		return 4
	case d.Action == decide.Suppress:
		return 3
	case d.Action == decide.Review:
		return 2
	case d.Verdict != decide.Deliverable:
		return 1
	}
	return 0
}
