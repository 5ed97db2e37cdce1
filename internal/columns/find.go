package columns

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is a column that says, or may say, who must not be mailed.
type Status struct {
	Column int    // from 0
	Name   string // header as given
	Kind   Kind   // what a yes in it means; a word can mean another
	Held   bool   // its sense is not sure: it is named and not obeyed
	Sure   bool   // its name can be about nothing but mail to the contact
	Why    string // why it is obeyed or held, for a person

	sense
	foreign bool // the name is about another channel
	tool    *tool
	values  map[string]Kind // that the user named, folded
	only    bool            // and no others
}

// Choice is what the user says of one column: it says who must not be mailed, by the
// values named or by what winnow knows, or it says nothing of the kind.
type Choice struct {
	Name   string // header, or number from 1
	Values []string
	Ignore bool
}

// ParseChoice reads NAME or NAME=VALUE,…
func ParseChoice(s string) (Choice, error) {
	name, values, ok := strings.Cut(s, "=")
	c := Choice{Name: strings.TrimSpace(name)}
	if c.Name == "" {
		return c, fmt.Errorf("%q: write NAME or NAME=VALUE,…", s)
	}
	if !ok {
		return c, nil
	}
	for v := range strings.SplitSeq(values, ",") {
		if v = strings.TrimSpace(v); v != "" {
			c.Values = append(c.Values, v)
		}
	}
	if len(c.Values) == 0 {
		return c, fmt.Errorf("%q: no value follows the \"=\"", s)
	}
	return c, nil
}

// facts are what the names of all columns say of a list.
type facts struct {
	things bool // orders, accounts, courses
	phone  bool // another channel
	hard   bool // a column of its own for final bounces
	mail   bool // a column of its own for a no to e-mail
}

// Statuses finds the columns of a header that say who must not be mailed; address is
// the place of the address column, width the number of columns. Which they are, and
// what a cell of them means, depends on the names alone, so that neither the order
// of the rows nor what stands in others can change the side of one. Choices come
// first.
//
// The first rows only show where words for a no stand under a name that says nothing.
// Such a column is held, never obeyed.
func Statuses(header []string, address, width int, rows [][]string, choices []Choice) []Status {
	l := theLexicon()
	names := make(map[string]bool, len(header))
	for _, name := range header {
		names[joined(name)] = true
	}
	t := l.toolOf(names)
	found := make([]Status, len(header))
	var f facts
	for i, name := range header {
		s := &found[i]
		*s = Status{Column: i, Name: name, tool: t}
		key := joined(name)
		own := sense{}
		if t != nil {
			own = t.columns[key]
		}
		_, named := toolColumn(t, key)
		switch {
		case i == address:
			continue
		case named:
			s.sense = own
			s.Why = "known from " + t.name
		default:
			s.sense = l.nameSense(name)
			s.Why = "by its name"
		}
		s.Kind, s.Held = s.kind, s.does == saysHeld || s.sense.held
		f.mail = f.mail || s.does == saysNo && s.clear && s.kind == KindBlocked
		if f.hard = f.hard || s.does == saysNo && s.kind == KindBounce && s.sense.hard; s.does == saysNothing {
			all := speech(0)
			for _, p := range l.parse(Words(name)) {
				if !p.is(filler) {
					all |= p.says
				}
			}
			f.things = f.things || all&thing != 0 && all&(mail|newsletter) == 0
			s.foreign = all&channel != 0
			f.phone = f.phone || s.foreign
		}
	}
	for i := range found {
		found[i].settle(f)
	}
	found = choose(overlooked(l, found, address, width, rows), header, width, choices)
	kept := found[:0]
	for _, s := range found {
		if s.Sure = s.clear; s.does != saysNothing {
			kept = append(kept, s)
		}
	}
	return kept
}

// looked is how many rows are looked at for words under names that say nothing.
const looked = 200

// overlooked finds the columns whose names say nothing, and whose cells do.
func overlooked(l *lexicon, found []Status, address, width int, rows [][]string) []Status {
	for len(found) < width {
		found = append(found, Status{Column: len(found), Name: "column " + strconv.Itoa(len(found)+1)})
	}
	for i := range found {
		s := &found[i]
		if s.does != saysNothing || i == address || s.foreign {
			continue
		}
		for _, row := range rows[:min(looked, len(rows))] {
			if i < len(row) && len(row[i]) < 40 && l.exact[joined(row[i])]&(unsubscribed|blocklisted|notSubscribed|complained) != 0 {
				s.does, s.Kind, s.Held, s.Why = saysWords, KindUnsubscribe, true, "its name says nothing of mail"
				break
			}
		}
	}
	return found
}

func toolColumn(t *tool, key string) (sense, bool) {
	if t == nil {
		return sense{}, false
	}
	s, ok := t.columns[key]
	return s, ok
}

// settle weighs a name against what the other columns show of the list.
func (s *Status) settle(f facts) {
	hold := func(why string) {
		s.Held, s.Why = true, why
	}
	switch {
	case s.does == saysNothing || s.Why == "":
	case s.Held && f.things && !s.clear:
		s.does = saysNothing
	case s.Held:
		s.Why = "its name can mean several things"
	case s.phoneOnly && f.mail:
		s.does = saysNothing
	case s.phoneOnly && f.phone:
		hold("it may be about the telephone")
	case s.does == saysReason && !s.clear && f.things:
		s.does = saysNothing
	case (s.does == saysYes || s.does == saysNo) && !s.clear && f.things:
		hold("it may be about an order, an account or a course")
	case s.does == saysNo && s.kind == KindBounce && !s.sense.hard && f.hard:
		hold("another column tells final bounces from passing ones")
	case s.does == saysStatus && f.things && s.level == levelBare:
		s.level = levelLoose
	}
}

// choose does what the user says.
func choose(found []Status, header []string, width int, choices []Choice) []Status {
	for _, c := range choices {
		at := columnNamed(header, width, c.Name)
		if at < 0 {
			continue
		}
		s := &found[at]
		switch {
		case c.Ignore && s.values != nil:
			s.only = true
		case c.Ignore:
			s.sense, s.only = sense{}, true
		default:
			s.obey(c.Values)
		}
	}
	return found
}

// obey makes a column one that is obeyed.
func (s *Status) obey(values []string) {
	switch {
	case s.does == saysHeld:
		s.does = saysNo
	case s.does == saysWords:
		s.sense = sense{does: saysStatus}
	case s.does == saysNothing && len(values) > 0:
		s.sense = sense{does: saysStatus, kind: KindBlocked, level: levelMail, agree: true}
	case s.does == saysNothing:
		s.sense = sense{does: saysNo, kind: KindBlocked}
	}
	s.level, s.clear, s.Held = levelMail, true, false
	if s.Kind = s.kind; s.Kind == "" {
		s.kind, s.Kind = KindBlocked, KindBlocked
	}
	s.Why = "named by the user"
	for _, v := range values {
		if s.values == nil {
			s.values = make(map[string]Kind)
		}
		s.values[foldCell(v)] = s.Kind
	}
}

// foldCell is how a cell is compared with a value that the user named.
func foldCell(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// columnNamed returns the place of the column that the user named, -1 when there is
// none.
func columnNamed(header []string, width int, name string) int {
	for _, same := range []func(string) bool{
		func(h string) bool { return h == name },
		func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) },
		func(h string) bool { k := joined(name); return k != "" && joined(h) == k },
	} {
		for i, h := range header {
			if same(h) {
				return i
			}
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= width {
		return n - 1
	}
	return -1
}

// HasColumn reports whether a list with such a header has the column of a choice.
func (c Choice) HasColumn(header []string, width int) bool {
	return columnNamed(header, width, c.Name) >= 0
}
