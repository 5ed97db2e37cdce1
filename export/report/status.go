package report

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// saysNo is a column of a list that was obeyed, for the page.
type saysNo struct {
	Name, What, Why string
	Rows            int64
}

// shownValues is how many values of a column are told to a person.
const shownValues = 6

// statusColumns calls do for every status column of the lists; name is that of the
// column, with the list where there are several.
func statusColumns(s *summary.Summary, do func(name string, c *summary.StatusColumn)) {
	lists := 0
	for _, in := range s.Inputs {
		if in.Role == "list" {
			lists++
		}
	}
	for _, in := range s.Inputs {
		for i := range in.StatusCols {
			name := fmt.Sprintf("%q", cut(strings.Map(printable, in.StatusCols[i].Name), 60))
			if lists > 1 {
				name += " of " + filepath.Base(in.Name)
			}
			do(name, &in.StatusCols[i])
		}
	}
}

// obeyedColumns are the columns that said of a row that it must not be mailed, or
// would have.
func obeyedColumns(s *summary.Summary) []saysNo {
	var all []saysNo
	statusColumns(s, func(name string, c *summary.StatusColumn) {
		if c.Rows > 0 {
			all = append(all, saysNo{Name: name, Rows: c.Rows, What: valuesOf(c, true), Why: c.Why})
		}
	})
	return all
}

// obeyedLine is obeyedColumns for the terminal.
func obeyedLine(s *summary.Summary) []string {
	var parts []string
	statusColumns(s, func(name string, c *summary.StatusColumn) {
		if c.Rows == 0 {
			return
		}
		kinds := map[string]int64{}
		known := int64(0)
		for _, v := range c.Values {
			if v.Kind != "" {
				kinds[v.Kind] += v.Rows
				known += v.Rows
			}
		}
		if rest := c.Rows - known; rest > 0 {
			kinds[c.Kind] += rest // dates and texts
		}
		var each []string
		for k, n := range kinds {
			each = append(each, k+" "+shown.Number(n))
		}
		slices.Sort(each)
		parts = append(parts, name+" "+strings.Join(each, ", "))
	})
	return parts
}

// heldColumns are sentences about the columns that may say of a row that it must not
// be mailed, and were not obeyed.
func heldColumns(s *summary.Summary) []string {
	var all []string
	statusColumns(s, func(name string, c *summary.StatusColumn) {
		if c.HeldRows == 0 {
			return
		}
		why := ""
		if c.Held && c.Why != "" {
			why = " (" + c.Why + ")"
		}
		flag := name
		if i := strings.LastIndex(name, " of "); i > 0 && strings.HasPrefix(name, `"`) && !strings.HasSuffix(name, `"`) {
			flag = name[:i]
		}
		all = append(all, fmt.Sprintf("Column %s%s may say no to mail in %s %s that it did not suppress: %s. To obey: --status %s=VALUE,… If it says nothing: --no-status %s.",
			name, why, shown.Number(c.HeldRows), plural(c.HeldRows, "row"), valuesOf(c, false), flag, flag))
	})
	return all
}

// valuesOf tells the values of a column that were obeyed, or those that were held.
func valuesOf(c *summary.StatusColumn, obeyed bool) string {
	var parts []string
	var told int64
	values := slices.Clone(c.Values)
	slices.SortStableFunc(values, func(a, b summary.StatusValue) int { return cmp.Compare(b.Rows, a.Rows) })
	for _, v := range values {
		if obeyed != (v.Kind != "") {
			continue
		}
		told += v.Rows
		if len(parts) < shownValues {
			parts = append(parts, v.Value+" "+shown.Number(v.Rows))
		} else if len(parts) == shownValues {
			parts = append(parts, "…")
		}
	}
	rest := c.HeldRows - told
	if obeyed {
		if rest = c.Rows - told; c.Dates > 0 {
			parts = append(parts, "a date "+shown.Number(c.Dates))
			rest -= c.Dates
		}
	}
	if rest > 0 && len(parts) <= shownValues {
		parts = append(parts, "other "+shown.Number(rest))
	}
	return strings.Join(parts, ", ")
}
