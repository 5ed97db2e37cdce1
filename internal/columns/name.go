package columns

import "strings"

// does is what a column does, by its name.
type does uint8

const (
	saysNothing does = iota
	saysNo           // a yes or a date is a no to mail: Unsubscribed, UNSUB_TIME, EMAIL_BLACKLISTED
	saysYes          // a no is one: Accepts Email Marketing
	saysStatus       // a word is one: Status
	saysReason       // the word of a reason is one, and tells the kind: UNSUB_REASON
	saysBounce       // the text of a bounce is one, where it is the recipient's side: Bounced Reason
	saysHeld         // what it means is not sure: it is named, not obeyed
	saysOwn          // winnow_reason
	saysWords        // its name says nothing, but words for a no stand in it: named, not obeyed
)

// level says how surely a column of words is about mail to the contact.
type level uint8

const (
	levelLoose level = iota // other words in the name are not known: Lifecycle Status
	levelBare               // Status
	levelMail               // Email Status, Newsletter Status
)

// sense is what the name of a column means.
type sense struct {
	does      does
	kind      Kind
	level     level
	clear     bool // the name can be about nothing else than mail to the contact
	dated     bool // it names a time
	count     bool // it counts
	hard      bool // it speaks of final bounces only
	agree     bool // its words are about consent: withdrawn, refused
	held      bool // it may be about something else
	phoneOnly bool // it may be about calls where the list has telephone numbers
}

// nameSense returns what the name of a column means by itself. The names of winnow's
// own columns are frozen.
func (l *lexicon) nameSense(name string) sense {
	switch strings.TrimSpace(name) {
	case "winnow_reason", "winnow_detail":
		return sense{does: saysOwn, kind: KindBlocked, level: levelMail, clear: true}
	}
	if len(name) > 200 {
		return sense{}
	}
	for _, text := range readings(name) {
		words := Words(text)
		if len(words) == 0 || len(words) > 30 || words[0] == "winnow" {
			continue
		}
		if s, ok := l.names[strings.Join(words, "")]; ok {
			return s
		}
		if s := senseOf(l.parse(words)); s.does != saysNothing {
			return s
		}
	}
	return sense{}
}

// wordsNo are the words that make a name that of a no, with the kind, the gravest first.
var wordsNo = [...]struct {
	says speech
	kind Kind
}{
	{complained, KindComplaint},
	{unsubscribed, KindUnsubscribe},
	{blocklisted, KindBlocked},
	{bounced, KindBounce},
}

// heavy is what counts although the word is a filler in some language.
const heavy = unsubscribed | left | blocklisted | blocked | closed | bounced | undelivered | complained | subscribed | registered | consent | newsletter | mail | not | never | status | preference | hard | soft

// senseOf is nameSense of the parts of a name.
func senseOf(parts []part) sense {
	var all, loose speech // of all parts; of those that are no filler
	unknown := false
	last := len(parts) > 1 && parts[len(parts)-1].is(date) // Subscribed at, abgemeldet am
	for _, p := range parts {
		if p.is(filler) {
			p.says &= filler | heavy // what stands everywhere says little: contact, direct
		}
		all |= p.says
		if !p.is(filler) {
			loose |= p.says
		}
		unknown = unknown || p.says == 0
	}
	about := all&(mail|newsletter) != 0
	switch {
	case all&soft != 0 && all&hard == 0, all&detail != 0 && all&status == 0:
		return sense{}
	case all&channel != 0 && !about, all&waiting != 0 && all&status == 0, all&thing != 0 && all&mail == 0, all&record != 0 && !about && all&status != 0:
		return sense{}
	case all&channel != 0:
		return sense{does: saysHeld, kind: KindUnsubscribe} // Email/phone opt out
	}
	s := sense{dated: loose&date != 0 || last, count: all&count != 0, hard: all&hard != 0, agree: all&(consent|preference) != 0}
	switch {
	case all&(status|preference) != 0:
		return statusSense(s, all, unknown)
	case all&reason != 0, all&kindOf != 0:
		return reasonSense(s, all, unknown, len(parts))
	}
	if turned, ok := negated(parts, unknown); ok {
		turned.dated = s.dated
		return turned
	}
	if no, ok := noSense(s, all, unknown); ok {
		return no
	}
	return yesSense(s, all, unknown)
}

// statusSense is about names with a word for status.
func statusSense(s sense, all speech, unknown bool) sense {
	s.does, s.kind = saysStatus, KindUnsubscribe
	switch {
	case s.count || all&date != 0 && all&preference == 0, all&thing != 0, all&(detail|channel) != 0:
		return sense{}
	case unknown, all&party != 0 && all&(mail|newsletter|topic|consent|subscribed|unsubscribed) == 0:
		s.level = levelLoose
	case all&(mail|newsletter|consent|preference|unsubscribed|blocklisted|bounced|complained|optedIn) != 0:
		s.level = levelMail
	case all&topic != 0 && all&(subscribed|registered|receive) != 0, all&topic != 0:
		s.level = levelMail
	default:
		s.level = levelBare
	}
	s.clear = s.level == levelMail
	return s
}

// reasonSense is about names with a word for reason or kind.
func reasonSense(s sense, all speech, unknown bool, parts int) sense {
	switch {
	case (all&bounced != 0 || all&undelivered != 0 && all&mail != 0) && all&(thing|record) == 0:
		return sense{does: saysBounce, kind: KindBounce, clear: true}
	case all&(unsubscribed|blocklisted|complained) != 0:
		s.does, s.kind, s.clear = saysReason, KindUnsubscribe, true
		if all&unsubscribed == 0 {
			s.kind = KindBlocked
		}
		return s
	case all&(thing|record|party) == 0 && !unknown && (parts == 1 || all&(mail|newsletter|left|blocked) != 0 || all&status != 0) && !(all&kindOf != 0 && all&(mail|newsletter) != 0):
		return sense{does: saysReason, kind: KindUnsubscribe}
	}
	return sense{}
}

// negated is about names in which a "no" stands before what may be wished for: No
// Email, Keine Werbung, nicht angemeldet.
func negated(parts []part, unknown bool) (sense, bool) {
	at := -1
	for i, p := range parts {
		switch {
		case p.is(notSubscribed):
			return sense{does: saysNo, kind: KindUnsubscribe, clear: true}, true
		case p.is(not) && at < 0:
			at = i
		case at < 0 || unknown:
		case p.is(mail | newsletter | topic):
			for _, q := range parts[at:] {
				if q.is(thing | data | blocked | closed | undelivered | bounced | fine) {
					return sense{}, true // E-mail not verified, no valid e-mail
				}
			}
			return sense{does: saysNo, kind: KindBlocked, clear: true}, true
		case p.is(subscribed | registered):
			return sense{does: saysNo, kind: KindUnsubscribe, clear: p.is(subscribed)}, true
		}
	}
	if at >= 0 && at < len(parts)-1 {
		for i, p := range parts {
			if i < at && p.is(mail|newsletter) && !unknown {
				for _, q := range parts[at:] {
					if q.is(receive | consent | refused) { // Email: not allowed
						return sense{does: saysNo, kind: KindBlocked, clear: true}, true
					}
				}
			}
		}
	}
	return sense{}, false
}

// noSense is about names of a no.
func noSense(s sense, all speech, unknown bool) (sense, bool) {
	about := all&(mail|newsletter|topic) != 0
	s.does = saysNo
	for _, w := range wordsNo {
		if all&w.says == 0 {
			continue
		}
		s.kind, s.clear = w.kind, true
		switch {
		case w.says == bounced && unknown:
			s.held = true
		case all&(thing|data) != 0:
			s.held = true
		}
		return s, true
	}
	switch {
	case all&left != 0: // a list, or a course
		s.kind = KindUnsubscribe
		if unknown || all&(thing|record) != 0 {
			return sense{}, true
		}
		s.clear = about
		return s, true
	case all&refused != 0 && !unknown && all&(thing|record|data) == 0 && (s.dated || all == refused):
		s.kind = KindUnsubscribe
		if !s.dated {
			s.held = true
		}
		return s, true
	case all&(refused) != 0 && all&(consent|mail|newsletter|topic) != 0 && all&(thing|data) == 0:
		s.kind = KindUnsubscribe
		if unknown {
			s.held = true
		}
		s.clear = true
		return s, true
	case all&cancelled != 0 && about && !unknown && all&thing == 0:
		s.kind, s.clear = KindUnsubscribe, true
		return s, true
	case all&(blocked|closed) != 0 && about:
		s.kind, s.clear = KindBlocked, true
		if unknown {
			s.held = true
		}
		return s, true
	case all&undelivered != 0 && all&mail != 0 && !unknown:
		s.kind, s.clear = KindBounce, true
		return s, true
	case all&blocked != 0 && !unknown && all&thing == 0:
		s.held, s.kind = true, KindBlocked
		return s, true
	case all&undelivered != 0 && !unknown && all&(thing|record) == 0:
		s.held, s.kind = true, KindBounce
		return s, true
	case all&complaint != 0 && all&mail != 0 && !unknown:
		s.held, s.kind = true, KindComplaint
		return s, true
	}
	return s, false
}

// yesSense is about names of a yes.
func yesSense(s sense, all speech, unknown bool) sense {
	s.does, s.kind = saysYes, KindUnsubscribe
	about := all&(mail|newsletter|topic) != 0
	switch {
	case s.dated, s.count, all&(thing|record) != 0:
		return sense{}
	case all&data != 0 && all&(newsletter|topic) == 0:
		return sense{} // the consent is to something else
	case all&subscribed != 0 && unknown:
		s.held = true
		return s
	case unknown:
		return sense{}
	case all&frequency != 0 && about, all&newsletter != 0:
		s.clear = true
		return s
	case all&subscribed != 0:
		s.clear = about || all&optedIn != 0
		return s
	case all&(consent|registered) != 0:
		if s.clear = about; !about && all&consent == 0 {
			s.held = true // a list, or a course
		}
		s.agree = all&consent != 0
		return s
	case all&receive != 0 && about:
		return s
	}
	return sense{}
}
