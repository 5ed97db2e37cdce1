package csvrows

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/winnow-email/winnow/internal/columns"
)

// column is what the sample says of one column.
type column struct {
	index     int
	role      columns.Role
	bare      bool // the name says "e-mail" or "e-mail address" and no more
	filled    int  // cells that are not blank
	addresses int  // cells that hold an address
	distinct  int  // different ones among them
}

// share returns how many of the filled cells are addresses.
func (c *column) share() float64 {
	if c.filled == 0 {
		return 0
	}
	return float64(c.addresses) / float64(c.filled)
}

// weight ranks columns of one kind: by their addresses, and a tenth more for the
// bare name, so that "Email" loses to "Work Email" only where it is the emptier one.
func (c *column) weight() int {
	if c.bare {
		return 11 * c.addresses
	}
	return 10 * c.addresses
}

// own reports whether the addresses are the contacts' own, so far as that can
// be seen: the owner of an account or the sender of a mail comes again and again.
func (c *column) own() bool {
	return c.addresses < 10 || float64(c.distinct) >= 0.2*float64(c.addresses)
}

// chooseColumn finds the address column, by name and content together:
//
//  1. columns named for the contact's address, if their values agree
//  2. columns whose names say so less clearly, if their values agree
//  3. columns of any other name that hold mostly addresses, and different ones
//  4. columns named for a further address
//  5. a column named for the address whose values do not agree
//
// Among several of one kind the best filled is taken, then the first.
func (l *List) chooseColumn(d *dialect, want string) error {
	if want != "" {
		return l.takeColumn(want)
	}
	all := make([]column, l.width)
	for i := range all {
		c := &all[i]
		c.index = i
		if i < len(l.Header) {
			c.role = columns.RoleOf(l.Header[i])
			c.bare = columns.Bare(l.Header[i])
		}
		seen := make(map[string]bool)
		for _, row := range d.rows {
			if i >= len(row) || strings.TrimSpace(row[i]) == "" {
				continue
			}
			c.filled++
			if looksLikeAddress(row[i]) {
				c.addresses++
				seen[strings.ToLower(row[i])] = true
			}
		}
		c.distinct = len(seen)
	}
	for _, step := range []struct {
		fits func(*column) bool
		why  string
	}{
		{func(c *column) bool { return c.role == columns.Primary && c.addresses > 0 && c.share() >= 0.3 }, "by its name"},
		{func(c *column) bool {
			return c.role == columns.Likely && c.addresses > 0 && c.share() >= 0.3 && c.own()
		}, "by its name and content"},
		{func(c *column) bool { return c.role == columns.Unnamed && c.share() >= 0.5 && c.own() }, "by its content"},
		{func(c *column) bool { return c.role == columns.Secondary && c.share() >= 0.3 && c.own() }, "as the only column of addresses"},
		{func(c *column) bool { return c.role == columns.Primary }, "by its name"},
		{func(c *column) bool { return c.role == columns.Likely && len(d.rows) == 0 }, "by its name"},
	} {
		var best, next *column
		for i := range all {
			c := &all[i]
			switch {
			case !step.fits(c):
			case best == nil || c.weight() > best.weight():
				best, next = c, best
			case next == nil || c.weight() > next.weight():
				next = c
			}
		}
		if best == nil {
			continue
		}
		l.Column = best.index
		l.Why = step.why
		if n := len(d.rows); next != nil && n > 0 {
			l.Why += fmt.Sprintf(": filled in %d%% of the rows, %s in %d%%", 100*best.addresses/n, l.label(next.index), 100*next.addresses/n)
		}
		return nil
	}
	e := &Error{Name: l.Name, Line: l.lines, What: "no column holds the contacts' e-mail addresses; the columns are: " + l.labels()}
	e.Next = "name the column with --column NAME or --column NUMBER; if the export has none, choose the e-mail field when exporting"
	for i := range all {
		if c := &all[i]; c.share() >= 0.5 {
			e.What = fmt.Sprintf("the addresses in %s are not the contacts' own, by its name or because they repeat; the columns are: %s", l.label(i), l.labels())
		}
	}
	return e
}

// takeColumn takes the column that the user named, by name or by number from 1.
func (l *List) takeColumn(want string) error {
	fold := func(s string) string { return strings.Join(columns.Words(s), " ") }
	for _, same := range []func(string) bool{
		func(h string) bool { return h == want },
		func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), strings.TrimSpace(want)) },
		func(h string) bool { return fold(h) == fold(want) && fold(want) != "" },
	} {
		for i, h := range l.Header {
			if same(h) {
				l.Column, l.Why = i, "named by the user"
				return nil
			}
		}
	}
	if n, err := strconv.Atoi(want); err == nil && n >= 1 && n <= l.width {
		l.Column, l.Why = n-1, "named by the user"
		return nil
	}
	return &Error{
		Name: l.Name,
		What: fmt.Sprintf("there is no column %q; the columns are: %s", want, l.labels()),
		Next: fmt.Sprintf("give --column a name from this list or a number from 1 to %d", l.width),
	}
}

// label names a column for a person.
func (l *List) label(i int) string {
	if i < len(l.Header) && strings.TrimSpace(l.Header[i]) != "" {
		return strconv.Quote(cut(l.Header[i], 40))
	}
	return "column " + strconv.Itoa(i+1)
}

// labels names the columns, the first twenty of them.
func (l *List) labels() string {
	names := make([]string, 0, 20)
	for i := range min(l.width, cap(names)) {
		names = append(names, strconv.Itoa(i+1)+" "+l.label(i))
	}
	if n := l.width - len(names); n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(names, ", ")
}

// ColumnOf returns the place of the column that is named by its header or its
// number (from 1), -1 when there is none. Without a header every number is one.
func ColumnOf(header []string, name string) int {
	for i, h := range header {
		if strings.EqualFold(strings.TrimSpace(h), name) {
			return i
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && (n <= len(header) || len(header) == 0) {
		return n - 1
	}
	return -1
}

// NoColumn is the error about a column that ColumnOf does not find.
func NoColumn(path string, header []string, name string) error {
	if len(header) == 0 {
		return fmt.Errorf("%s has no header: name the column %q by its number", path, name)
	}
	return fmt.Errorf("%s has no column %q; its columns are %s", path, name, strings.Join(header, ", "))
}
