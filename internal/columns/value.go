package columns

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is what a row that must not be mailed is: its reason.
type Kind string

// The kinds of a no, the gravest first where several hold.
const (
	KindComplaint   Kind = "complaint"
	KindUnsubscribe Kind = "unsubscribe"
	KindBlocked     Kind = "blocked"
	KindBounce      Kind = "bounce"
)

// graver reports whether a is a graver no than b; "" is none.
func graver(a, b Kind) bool {
	rank := func(k Kind) int {
		switch k {
		case KindComplaint:
			return 4
		case KindUnsubscribe:
			return 3
		case KindBlocked:
			return 2
		case KindBounce:
			return 1
		}
		return 0
	}
	return rank(a) > rank(b)
}

// meaning is what a cell says, whatever column it stands in.
type meaning uint8

const (
	meansNothing   meaning = iota // nothing: empty, "-", "n/a", a date that stands for never
	meansYes                      // also a checked box, 1, 1.0
	meansNo                       // also 0
	meansNever                    // "never", which is a no to a wish and nothing in a column of a no
	meansDate                     // a day on which it may have happened
	meansOut                      // a sending service's own word for a no, or a sentence that begins so
	meansLeft                     // left something, which may be a list
	meansBlocked                  // blocked: a contact, or an account
	meansClosed                   // disabled, removed: a contact, an account …
	meansInvalid                  // invalid, returned: an address, or a parcel
	meansGrief                    // a complaint, which may be about goods
	meansCancelled                // a subscription, or an order
	meansRefused                  // withdrawn, denied: a consent, an application
	meansNoMail                   // "no e-mail": wants none, or has none
	meansFine                     // a state in which mail is welcome
	meansWaiting                  // a state in which it may not be: pending, inactive
	meansDead                     // final: of a bounce
	meansAlive                    // soft, or the sender's side: of a bounce
	meansCode                     // a number or a letter that stands for something
	meansQuestion                 // not sure itself
	meansOther                    // a link, or about another channel or thing
	meansText                     // words that are not known
)

// said is what a cell says.
type said struct {
	means  meaning
	kind   Kind // of meansOut and its neighbours
	inner  bool // the word stands within the cell, not at its beginning
	turned bool // "not" made it of what follows
	first  meaning
	speaks bool // of a text: it is a sentence, or has a word that is about mail or its end
}

// wordMeanings are what words say of themselves, the surest first.
var wordMeanings = [...]struct {
	says  speech
	means meaning
	kind  Kind
}{
	{complained, meansOut, KindComplaint},
	{unsubscribed, meansOut, KindUnsubscribe},
	{blocklisted, meansOut, KindBlocked},
	{notSubscribed, meansOut, KindUnsubscribe},
	{waiting, meansWaiting, ""},
	{bounced, meansOut, KindBounce},
	{left, meansLeft, KindUnsubscribe},
	{refused, meansRefused, KindUnsubscribe},
	{blocked, meansBlocked, KindBlocked},
	{closed, meansClosed, KindBlocked},
	{undelivered, meansInvalid, KindBounce},
	{complaint, meansGrief, KindComplaint},
	{cancelled, meansCancelled, KindUnsubscribe},
	{dead, meansDead, KindBounce},
	{alive, meansAlive, ""},
	{subscribed | registered | fine, meansFine, ""},
}

// longestValue is how many bytes of a cell can be a statement about mail.
const longestValue = 256

// value returns what a cell says.
func (l *lexicon) value(cell string, t *tool) said {
	s := strings.TrimFunc(cell, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' || r == '"' || r == '\''
	})
	if s == "" {
		return said{}
	}
	if strings.Contains(s, "://") || strings.HasPrefix(s, "www.") {
		return said{means: meansOther}
	}
	if len(s) > longestValue || strings.IndexByte(s, '@') >= 0 {
		return said{means: meansText}
	}
	if m, ok := numberOrDate(s); ok {
		return said{means: m}
	}
	mark, rest := cutMark(s)
	if mark != meansNothing {
		if v := l.value(rest, t); rest != "" && v.means != meansText {
			return v
		}
		return said{means: mark}
	}
	if items := listItems(s); items != nil {
		return l.worst(items, t)
	}
	words := Words(s)
	if len(words) == 0 {
		if strings.ContainsAny(s, "?¿？") {
			return said{means: meansQuestion}
		}
		return said{} // "-", "…"
	}
	v := l.phrase(words, t)
	if v.means == meansText {
		if m, ok := calendar(s); ok {
			return said{means: m}
		}
		v.speaks = len(words) > 2
		for _, p := range l.parse(words) {
			v.speaks = v.speaks || p.is(left|blocked|closed|cancelled|refused|mail|newsletter|topic|not|receive|subscribed|consent|unsubscribed) && !p.is(filler)
		}
	}
	if strings.HasSuffix(s, "?") || strings.HasSuffix(s, "？") {
		if v.means != meansFine && v.means != meansOther {
			v.means = meansQuestion
		}
	}
	return v
}

// cutMark cuts the signs of boxes and ticks off the beginning of a cell.
func cutMark(s string) (meaning, string) {
	m := meansNothing
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch r {
		case '✓', '✔', '☑', '✅', '🗹', '☒', '●', '🟢', '👍':
			m = meansYes
		case '✗', '✘', '❌', '☐', '⬜', '✖', '×', '✕', '⛔', '🚫', '🔴', '👎', '❎':
			m = meansNo
		case '\ufe0f', '\ufe0e':
		default:
			if m == meansNothing {
				return m, s
			}
			return m, strings.TrimSpace(s)
		}
		s = s[n:]
	}
	return m, ""
}

// listItems cuts a cell that is a list: ["HARD_BOUNCE", "SPAM"], a|b, a;b.
func listItems(s string) []string {
	inner := s
	for _, pair := range []string{"[]", "{}", "()"} {
		if s[0] == pair[0] && s[len(s)-1] == pair[1] {
			inner = s[1 : len(s)-1]
		}
	}
	seps := ";|\n"
	if inner != s {
		seps += ","
	}
	if inner == s && !strings.ContainsAny(s, seps) {
		return nil
	}
	items := strings.FieldsFunc(inner, func(r rune) bool { return strings.ContainsRune(seps, r) })
	if items == nil {
		items = []string{}
	}
	return items
}

// worst returns the gravest of what the items of a list say.
func (l *lexicon) worst(items []string, t *tool) said {
	var best said
	for _, item := range items {
		v := l.value(strings.Trim(item, "[](){}"), t)
		switch {
		case v.means == meansOut && (best.means != meansOut || graver(v.kind, best.kind)):
			best = v
		case best.means == meansNothing, best.means == meansText || best.means == meansFine, best.means != meansOut && v.means > best.means && v.means < meansFine:
			best = v
		}
	}
	return best
}

// wholeCell are the meanings of a cell that is one known word or phrase.
func wholeCell(says speech) (said, bool) {
	switch {
	case says&nothing != 0:
		return said{}, true
	case says&(fine|yes) == fine|yes && says&(consent|receive) == 0:
		return said{means: meansFine}, true // active, activé
	case says&yes != 0 && says&(no|not) == 0:
		return said{means: meansYes}, true
	case says&never != 0:
		return said{means: meansNever}, true
	case says&no != 0 && says&yes == 0:
		if says&refused != 0 {
			return said{means: meansRefused, kind: KindUnsubscribe, first: meansNo}, true
		}
		return said{means: meansNo}, true
	case says&waiting != 0:
		return said{means: meansWaiting}, true
	}
	return said{}, false
}

// phrase returns what the words of a cell say.
func (l *lexicon) phrase(words []string, t *tool) said {
	text := strings.Join(words, "")
	says, ok := l.exact[text]
	if t != nil {
		if own, there := t.words[text]; there {
			says, ok = own, true
		}
	}
	if ok {
		if v, whole := wholeCell(says); whole {
			return v
		}
		if v, known := meaningOf(part{says, text}); known {
			return v
		}
	}
	if len(text) == 1 || isNumber(text) {
		return said{means: meansCode}
	}
	parts := l.parse(words)
	at := 0
	for at < len(parts) && parts[at].is(filler|hard) && !parts[at].is(not|yes|no|mail|unsubscribed) && at < 3 {
		at++
	}
	if at == len(parts) {
		return said{means: meansText}
	}
	head := parts[at]
	rest := parts[at+1:]
	if head.is(not) {
		if v, ok := turned(head, rest); ok {
			return v
		}
	}
	plain := head.says&(date|status|reason|receive|detail|thing|channel|party) == 0
	switch {
	case head.is(yes) && !head.is(not) && (plain || len(parts) == 1):
		if v := within(rest, true); v.means == meansOut || v.means == meansRefused {
			return v
		}
		return said{means: meansYes}
	case head.is(no) && !head.is(yes) && (plain || len(parts) == 1):
		v := within(rest, true)
		if v.means != meansOut {
			v = said{means: meansNo}
		}
		v.first = meansNo
		return v
	case head.is(never) && len(parts) == 1:
		return said{means: meansNever}
	case head.is(mail | newsletter | topic | date):
		// E-mail: unsubscribed; 2 Jan: bounced
		if v := within(rest, false); v.means != meansText {
			return v
		}
	}
	if v, ok := meaningOf(head); ok {
		if v = soften(v, rest); v.means > meansOut && v.means <= meansWaiting && v.means != meansFine {
			if w := within(rest, false); w.means == meansOut && w.kind != KindBounce {
				return w // Cancelled (opt-out)
			}
		}
		return v
	}
	return within(parts, false)
}

// meaningOf returns what one part says.
func meaningOf(p part) (said, bool) {
	for _, m := range wordMeanings {
		if p.is(m.says) {
			return said{means: m.means, kind: m.kind}, true
		}
	}
	return said{}, false
}

// turned returns what "not" makes of what follows it.
func turned(head part, rest []part) (said, bool) {
	for i, p := range rest {
		switch {
		case p.is(complained|unsubscribed|blocklisted|left|blocked|bounced|closed|complaint|cancelled) && !p.is(receive|subscribed):
			return said{means: meansFine}, true
		case p.is(subscribed | registered | consent | receive):
			return said{means: meansOut, kind: KindUnsubscribe, turned: true}, true
		case p.is(mail | newsletter | topic):
			return soften(said{means: meansNoMail, kind: KindBlocked}, rest[i+1:]), true
		case p.is(undelivered):
			return said{means: meansFine}, true
		case p.is(fine | waiting):
			return said{means: meansWaiting}, true
		case p.is(thing | channel):
			return said{means: meansOther}, true
		case !p.is(filler):
			return said{}, false
		}
	}
	return said{}, false
}

// within looks for a word in a short text that says a no wherever it stands.
func within(parts []part, short bool) said {
	if len(parts) > 8 {
		return said{means: meansText}
	}
	denied := 0
	for i, p := range parts {
		if p.is(not) && !p.is(unsubscribed|blocklisted|notSubscribed) {
			denied = i + 3
			continue
		}
		if i < denied && denied > 0 {
			continue
		}
		if p.is(channel | thing) {
			return said{means: meansText}
		}
		v, ok := meaningOf(p)
		if ok && (v.means == meansOut || v.means == meansBlocked || v.means == meansRefused && short) {
			v.inner = true
			return soften(v, parts[i+1:])
		}
	}
	return said{means: meansText}
}

// soften takes back what the words behind it make doubtful: unsubscribed from SMS,
// bounced (mailbox full).
func soften(v said, rest []part) said {
	about := false
	for _, p := range rest {
		about = about || p.is(mail|newsletter)
	}
	for _, p := range rest {
		switch {
		case v.kind == KindBounce && p.is(alive|soft) && !p.is(hard|dead):
			return said{means: meansWaiting}
		case p.is(channel) && !about, p.is(thing) && !about && !p.is(mail|newsletter|unsubscribed):
			return said{means: meansOther}
		}
	}
	return v
}
