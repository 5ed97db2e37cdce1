package columns

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"
)

// fate is what a cell does to its row.
type fate uint8

const (
	passes  fate = iota
	says         // a no, in a word that tells its kind
	marks        // a no by a yes, a date or a number: a reason beside it tells the kind
	held         // may be one: counted and named
	excuses      // the text of a bounce that is not the recipient's side
)

// verdict is the fate of a cell, and the kind of a no.
type verdict struct {
	fate fate
	kind Kind
	date bool
	text bool
}

// cell returns what a cell of the column does.
func (s *Status) cell(l *lexicon, cell string) verdict {
	if s.values != nil {
		if k, ok := s.values[foldCell(cell)]; ok {
			if v := l.value(cell, s.tool); v.means == meansOut {
				k = v.kind
			}
			return verdict{fate: says, kind: k}
		}
		if s.only {
			return verdict{}
		}
	}
	var v verdict
	said := l.value(cell, s.tool)
	switch s.does {
	case saysNo:
		v = s.underNo(said, cell)
	case saysYes:
		v = s.underYes(said)
	case saysStatus:
		v = s.underStatus(said)
	case saysReason:
		v = s.underReason(said)
	case saysBounce:
		v = bounceText(l, said, cell)
	case saysHeld:
		v = s.underNo(said, cell)
	case saysWords:
		if said.means == meansOut && !said.inner {
			v.fate = held
		}
	case saysOwn:
		v = ownReason(cell)
	}
	if s.Held && (v.fate == says || v.fate == marks) && !(said.means == meansOut && !said.inner && !said.turned && said.kind != KindBounce && s.does != saysWords) {
		v.fate = held
	}
	v.date = said.means == meansDate
	v.text = said.means == meansText
	return v
}

// underNo is about a column in which a yes is a no to mail.
func (s *Status) underNo(v said, cell string) verdict {
	switch v.means {
	case meansYes:
		if s.count && s.kind != KindComplaint && !s.sense.hard {
			return verdict{fate: held}
		}
		return verdict{fate: marks, kind: s.kind}
	case meansDate:
		return verdict{fate: marks, kind: s.kind}
	case meansOut:
		if v.turned {
			return verdict{fate: says, kind: s.kind} // Do Not Allow
		}
		return verdict{fate: says, kind: v.kind}
	case meansLeft, meansBlocked, meansCancelled, meansRefused, meansNoMail, meansClosed:
		if v.first == meansNo {
			return verdict{}
		}
		return verdict{fate: says, kind: s.kind}
	case meansInvalid, meansGrief, meansDead:
		return verdict{fate: says, kind: s.kind}
	case meansText:
		if v.speaks && (s.kind == KindUnsubscribe || s.kind == KindBlocked) {
			return verdict{fate: says, kind: s.kind}
		}
		return verdict{fate: held}
	case meansCode:
		if s.dated && isYear(cell) {
			return verdict{fate: marks, kind: s.kind}
		}
		if s.count && (s.sense.hard || s.kind == KindComplaint) {
			return verdict{fate: marks, kind: s.kind}
		}
		return verdict{fate: held}
	case meansQuestion, meansWaiting:
		return verdict{fate: held}
	}
	return verdict{}
}

// underYes is about a column in which a no is one.
func (s *Status) underYes(v said) verdict {
	switch v.means {
	case meansNo, meansNever:
		return verdict{fate: marks, kind: s.kind}
	case meansOut:
		return verdict{fate: says, kind: v.kind}
	case meansRefused, meansLeft, meansCancelled, meansBlocked, meansNoMail:
		return verdict{fate: says, kind: cmp.Or(v.kind, s.kind)}
	case meansWaiting, meansClosed, meansQuestion, meansCode:
		return verdict{fate: held}
	}
	return verdict{}
}

// underStatus is about a column of words.
func (s *Status) underStatus(v said) verdict {
	no := verdict{fate: says, kind: v.kind}
	switch v.means {
	case meansOut:
		switch {
		case s.level == levelLoose && (v.kind == KindBounce || v.inner):
			return verdict{fate: held}
		case s.level == levelBare && v.inner && v.kind == KindBounce:
			return verdict{fate: held}
		}
		return no
	case meansLeft, meansBlocked:
		if s.level == levelLoose || v.inner && s.level != levelMail {
			return verdict{fate: held}
		}
		return no
	case meansRefused:
		if s.agree {
			return no
		}
		return verdict{fate: held}
	case meansGrief:
		if s.level == levelLoose {
			return verdict{fate: held}
		}
		return no
	case meansInvalid, meansCancelled, meansNoMail:
		if s.level == levelMail {
			return no
		}
		return verdict{fate: held}
	case meansNo, meansNever:
		if s.agree {
			return verdict{fate: marks, kind: s.kind}
		}
		return verdict{fate: held}
	case meansWaiting, meansClosed, meansCode, meansQuestion:
		return verdict{fate: held}
	case meansYes:
		if s.agree {
			return verdict{}
		}
		return verdict{fate: held}
	}
	return verdict{}
}

// underReason is about a column that tells why somebody is not mailed.
func (s *Status) underReason(v said) verdict {
	switch v.means {
	case meansOut:
		return verdict{fate: says, kind: v.kind}
	case meansGrief:
		return verdict{fate: says, kind: v.kind}
	case meansLeft, meansDead, meansInvalid, meansBlocked:
		if s.clear {
			return verdict{fate: says, kind: v.kind}
		}
	case meansCode, meansWaiting, meansClosed, meansCancelled, meansRefused, meansText:
		if s.clear {
			return verdict{fate: held}
		}
	}
	return verdict{}
}

// bounceText is about the text of a bounce. Only what is the recipient's is a no: a
// refusal for content, policy or reputation says nothing about the mailbox, and
// takes back what the date of the bounce says.
func bounceText(l *lexicon, v said, cell string) verdict {
	switch v.means {
	case meansNothing, meansNo:
		return verdict{}
	case meansDead, meansInvalid:
		return verdict{fate: says, kind: KindBounce}
	case meansGrief:
		return verdict{fate: says, kind: v.kind}
	case meansOut:
		if !v.inner && joined(cell) != "spam" { // which is a content filter's word here
			return verdict{fate: says, kind: v.kind}
		}
	case meansDate, meansYes:
		return verdict{fate: held}
	}
	if len(cell) > 1000 {
		cell = cell[:1000]
	}
	alives := false
	for _, p := range l.parse(Words(cell)) {
		if p.is(dead) && utf8.RuneCountInString(p.text) > 2 {
			return verdict{fate: says, kind: KindBounce}
		}
		alives = alives || p.is(alive|soft)
	}
	if alives || v.means == meansAlive || v.means == meansWaiting || v.means == meansBlocked {
		return verdict{fate: excuses}
	}
	return verdict{fate: held}
}

// ownReason is about winnow's own column: what was suppressed for what is known of
// the person or proved of the domain stays so. What rests on the address alone is
// judged anew.
func ownReason(cell string) verdict {
	reason := strings.TrimSpace(cell)
	kind := Kind("")
	switch reason {
	case "":
		return verdict{}
	case "user_allowed", "bounce_held", "domain_typo", "mx_address_unknown":
		return verdict{}
	case "user_unsubscribed", "bounce_unsubscribe":
		kind = KindUnsubscribe
	case "user_complained", "bounce_complaint":
		kind = KindComplaint
	case "user_suppressed", "user_blocked", "bounce_recipient_blocked_sender", "bounce_esp_suppressed":
		kind = KindBlocked
	default:
		switch {
		case strings.HasSuffix(reason, ", which is suppressed."): // the detail of a further copy
			kind = KindBlocked
		case strings.ContainsRune(reason, ' '):
			return verdict{}
		case strings.HasPrefix(reason, "bounce_"), reason == "user_bounced":
			kind = KindBounce
		case strings.HasPrefix(reason, "user_"), strings.HasPrefix(reason, "domain_"), strings.HasPrefix(reason, "mx_"):
			kind = KindBlocked
		default:
			return verdict{}
		}
	}
	return verdict{fate: says, kind: kind}
}

// Judge reads the status cells of rows, one after the other. Each worker has its own.
type Judge struct {
	columns []Status
	lexicon *lexicon
	memory  []map[string]*seen
	last    []*seen
	row     []verdict
	counts  []Count
	// counting is off in a pass that only looks.
	counting bool
}

// seen is a value of a column that was met before.
type seen struct {
	verdict
	value string
	rows  int64
}

// remembered is how many values of a column a judge keeps at hand.
const remembered = 2048

// NewJudge returns a judge of the columns. count says that its rows are counted.
func NewJudge(columns []Status, count bool) *Judge {
	j := &Judge{columns: columns, counting: count, memory: make([]map[string]*seen, len(columns)), last: make([]*seen, len(columns)), row: make([]verdict, len(columns)), counts: make([]Count, len(columns))}
	if len(columns) > 0 {
		j.lexicon = theLexicon()
	}
	for i := range j.memory {
		j.memory[i] = make(map[string]*seen)
	}
	return j
}

// Cell takes the cell of column k of the present row, k being a place in the columns
// given to NewJudge.
func (j *Judge) Cell(k int, cell []byte) {
	if len(cell) == 0 {
		j.row[k] = verdict{}
		return
	}
	s := j.last[k]
	if s == nil || s.value != string(cell) {
		var ok bool
		if s, ok = j.memory[k][string(cell)]; !ok {
			s = j.learn(k, cell)
		}
		j.last[k] = s
	}
	s.rows++
	j.row[k] = s.verdict
}

// learn judges a value that was not met before.
func (j *Judge) learn(k int, cell []byte) *seen {
	if len(j.memory[k]) >= remembered {
		j.flush(k)
	}
	value := string(bytes.Clone(cell))
	s := &seen{verdict: j.columns[k].cell(j.lexicon, value), value: value}
	j.memory[k][value] = s
	return s
}

// Row ends the present row and returns the kind of no that it holds, "" for none,
// and the place of the column that says it.
func (j *Judge) Row() (Kind, int) {
	var word, mark, why Kind
	wordAt, markAt, whyAt := -1, -1, -1
	excused := false
	for k := range j.row {
		v := &j.row[k]
		switch v.fate {
		case excuses:
			excused = true
		case says:
			if j.columns[k].does == saysReason {
				if graver(v.kind, why) {
					why, whyAt = v.kind, k
				}
			} else if graver(v.kind, word) {
				word, wordAt = v.kind, k
			}
		case marks:
			if graver(v.kind, mark) {
				mark, markAt = v.kind, k
			}
		}
	}
	if excused && mark == KindBounce && !j.columns[markAt].sense.hard {
		mark, markAt = "", -1
	}
	switch {
	case why != "" && !graver(word, why):
		return why, whyAt // a reason decides the kind
	case word != "" && !graver(mark, word):
		return word, wordAt
	case mark != "" && why == "":
		return mark, markAt
	case word != "":
		return word, wordAt
	}
	return mark, markAt
}

// Count is how often a status column said what.
type Count struct {
	Rows   int64          // in which it says a no
	Kinds  map[Kind]int64 // the same by kind
	Held   int64          // rows in which it may say one
	Dates  int64          // rows in which the no is a date
	Texts  int64          // rows in which it is a text
	Values []Value        // words and codes, of many the same ones whatever the order
}

// Value is a word or a code in a status column.
type Value struct {
	Value string
	Kind  Kind // "" for one that was not obeyed
	Rows  int64
}

// keptValues is how many different values of a column are told.
const keptValues = 64

// flush counts what is remembered of a column and forgets it.
func (j *Judge) flush(k int) {
	c := &j.counts[k]
	if j.counting {
		for _, s := range j.memory[k] {
			c.take(s)
		}
	}
	clear(j.memory[k])
	j.last[k] = nil
}

func (c *Count) take(s *seen) {
	if s.rows == 0 || s.fate == passes || s.fate == excuses {
		return
	}
	v := Value{Rows: s.rows}
	if s.fate == held {
		c.Held += s.rows
	} else {
		v.Kind = s.kind
		c.Rows += s.rows
		if c.Kinds == nil {
			c.Kinds = make(map[Kind]int64)
		}
		c.Kinds[s.kind] += s.rows
	}
	switch {
	case s.date && s.fate == held:
		v.Value = "a date"
		c.Values = addValue(c.Values, v)
	case s.date:
		c.Dates += s.rows
	case s.text:
		c.Texts += s.rows
	default:
		v.Value = foldCell(s.value)
		if len(v.Value) > 60 {
			v.Value = strings.ToValidUTF8(v.Value[:60], "") + "…"
		}
		c.Values = addValue(c.Values, v)
	}
}

// addValue adds to the values with the smallest hashes, so that which of many are
// kept, and their numbers, do not depend on the order in which they come.
func addValue(values []Value, v Value) []Value {
	hash := func(v Value) uint64 {
		h := fnv.New64a()
		h.Write([]byte(v.Kind + "\x00" + Kind(v.Value)))
		return h.Sum64()
	}
	at, there := slices.BinarySearchFunc(values, hash(v), func(e Value, h uint64) int { return cmp.Compare(hash(e), h) })
	switch {
	case there:
		values[at].Rows += v.Rows
	case at < keptValues:
		values = slices.Insert(values, at, v)
		values = values[:min(len(values), keptValues)]
	}
	return values
}

// Counts returns what the judge counted, by the place of each column. The judge is of
// no use after it.
func (j *Judge) Counts() []Count {
	for k := range j.memory {
		j.flush(k)
	}
	return j.counts
}

// Add adds what another judge of the same columns counted.
func (c *Count) Add(o *Count) {
	c.Rows += o.Rows
	c.Held += o.Held
	c.Dates += o.Dates
	c.Texts += o.Texts
	for k, n := range o.Kinds {
		if c.Kinds == nil {
			c.Kinds = make(map[Kind]int64)
		}
		c.Kinds[k] += n
	}
	for _, v := range o.Values {
		c.Values = addValue(c.Values, v)
	}
}
