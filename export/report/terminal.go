// Package report shows a run to a person: the summary in the terminal and the
// page in the browser, both made from summary.json alone.
package report

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// TerminalOptions say how to print a summary.
type TerminalOptions struct {
	Width int    // columns; 0: 80
	Color bool   // ANSI colours
	Dir   string // the run directory, named in the last line; "": not named
}

const (
	barWidth   = 28
	reasonsPer = 3 // most frequent reasons named beside a bar
	maxLines   = 24
	reserved   = 4 // lines kept free for the balance
	warned     = 3 // and for warnings
)

// Terminal prints the summary of a run: at most 24 lines.
func Terminal(w io.Writer, s *summary.Summary, opt TerminalOptions) error {
	t := terminal{width: cmp.Or(opt.Width, 80), color: opt.Color}
	t.head(s)
	t.answer(s)
	t.sources(s)
	if parts := obeyedLine(s); len(parts) > 0 {
		t.wrap("  obeyed ", "", "  ", 9, parts...)
	}
	for _, row := range []struct{ label, list, color string }{
		{"keep", export.Cleaned, green},
		{"review", export.Review, yellow},
		{"suppress", export.Suppressed, red},
		{"duplicate", export.Duplicates, blue},
		{"rejected", export.Rejected, red},
	} {
		if s.Lists[row.list] > 0 || row.list == export.Cleaned || row.list == export.Suppressed {
			t.bar(s, row.label, row.list, row.color)
		}
	}
	t.projection(s)
	t.gates(s)
	t.warnings(s)
	t.balance(s, opt.Dir)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// ANSI colours (ECMA-48 SGR).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
)

type terminal struct {
	b     strings.Builder
	width int
	color bool
}

func (t *terminal) paint(color, s string) string {
	if !t.color || color == "" || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// wrap prints first, painted, and the parts after it, separated by sep. Lines
// break only between parts; further lines are indented.
func (t *terminal) wrap(first, color, sep string, indent int, parts ...string) {
	t.wrapAt(0, first, color, "", sep, indent, parts...)
}

// wrapAt is wrap on a line that holds column columns already, with gap after first.
func (t *terminal) wrapAt(column int, first, color, gap, sep string, indent int, parts ...string) {
	t.b.WriteString(t.paint(color, first) + gap)
	for i, p := range parts { // names and replies come from strangers
		parts[i] = cut(strings.Map(printable, p), t.width-indent-2)
	}
	line, start := column+utf8.RuneCountInString(first+gap), true
	for _, p := range parts {
		if p == "" {
			continue
		}
		n := utf8.RuneCountInString(p)
		switch {
		case start && (column == 0 || line+n <= t.width):
		case start:
			t.b.WriteString("\n" + strings.Repeat(" ", indent))
			line = indent
		case line+utf8.RuneCountInString(sep)+n > t.width:
			t.b.WriteString("\n" + strings.Repeat(" ", indent))
			line = indent
		default:
			t.b.WriteString(sep)
			line += utf8.RuneCountInString(sep)
		}
		t.b.WriteString(p)
		line += n
		start = false
	}
	t.b.WriteByte('\n')
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}

func (t *terminal) head(s *summary.Summary) {
	var names []string
	column := ""
	for _, in := range s.Inputs {
		if in.Role != "list" {
			continue
		}
		names = append(names, shown.Name(filepath.Base(in.Name)))
		column = fmt.Sprintf("address column: %q (%d)", in.Column, in.ColumnNo)
		if in.Column == "" {
			column = fmt.Sprintf("address column: %d (no header)", in.ColumnNo)
		}
	}
	name := strings.Join(names, ", ")
	if len(names) > 1 {
		column = "" // each list has its own: summary.json names them
	}
	if len(names) > 3 {
		name = fmt.Sprintf("%s and %d more lists", names[0], len(names)-1)
	}
	t.wrap("winnow  ", bold, "  ", 8, cut(name, t.width-8), shown.Number(s.Records)+" "+plural(s.Records, "record"), column)
}

// answer prints whether what was kept may be sent. Why not is said where the gates
// that fail are named.
func (t *terminal) answer(s *summary.Summary) {
	a := s.Answer
	if a == nil {
		return
	}
	text, color := a.Headline, yellow
	switch a.State {
	case summary.Send:
		color = green
	case summary.Stop:
		color = red
	}
	if len(Failed(s)) == 0 {
		text += " " + a.Why
	}
	t.wrapAt(0, "  "+answerWords[a.State], color, "  ", " ", 4, strings.Fields(text)...)
	t.wrapAt(0, "  next:", "", " ", " ", 4, strings.Fields(a.Next)...)
}

func (t *terminal) sources(s *summary.Summary) {
	parts := []string{"read ok"}
	if d := s.DNS; d == nil {
		parts = append(parts, "dns not asked")
	} else {
		p := "dns ok "
		if d.Unusable != "" {
			p = "dns UNUSABLE "
		}
		p += shown.Number(d.Domains) + " " + plural(d.Domains, "domain")
		if d.Seconds >= 1 {
			p += " " + duration(d.Seconds)
		}
		if d.Cached > 0 {
			p += fmt.Sprintf(" (%s cached)", shown.Number(d.Cached))
		}
		if n := d.Verdicts["unknown"]; n > 0 {
			p += fmt.Sprintf(", %s unknown", shown.Number(n))
		}
		parts = append(parts, p)
	}
	if b := s.Bounces; b != nil {
		p := fmt.Sprintf("bounces ok %s %s", shown.Number(b.Events), plural(b.Events, "event"))
		if b.Events > 0 {
			p += fmt.Sprintf(", %s classified", percent(b.Classified, b.Events))
		}
		parts = append(parts, p)
	}
	t.wrap("  ", "", "   ", 12, parts...)
}

func (t *terminal) bar(s *summary.Summary, label, list, color string) {
	n := s.Lists[list]
	filled := 0
	if s.Records > 0 {
		filled = int((n*barWidth + s.Records/2) / s.Records)
	}
	if n > 0 {
		filled = max(filled, 1)
	}
	head := fmt.Sprintf("  %-9s %10s %6s  ", label, shown.Number(n), percent(n, s.Records))
	t.b.WriteString(head)
	// The most frequent reasons stand beside the bar.
	var reasons []string
	for _, r := range s.Reasons {
		if r.List != list || list == export.Cleaned || list == export.Duplicates || len(reasons) == reasonsPer {
			continue
		}
		part := r.Reason + " " + shown.Number(r.N)
		if len(reasons) > 0 {
			part = "· " + part
		}
		reasons = append(reasons, part)
	}
	gap := ""
	if len(reasons) > 0 {
		gap = strings.Repeat(" ", max(1, 3-filled))
	}
	t.wrapAt(len(head), strings.Repeat("#", filled), color, gap, " ", len(head)+3, reasons...)
}

func (t *terminal) projection(s *summary.Summary) {
	p := s.Projection
	if p == nil {
		return
	}
	interval := strings.TrimSuffix(rate(p.After.Low), "%") + "-" + strings.TrimSuffix(rate(p.After.High), "%")
	t.wrap("  ", "", "   ", 4, fmt.Sprintf("projected hard bounce  %s -> %s (%s)", rate(p.Before.Rate), rate(p.After.Rate), interval), "basis: "+p.Basis)
}

func (t *terminal) gates(s *summary.Summary) {
	if len(s.Gates) == 0 {
		return
	}
	var failed []summary.Gate
	names := map[string][]string{}
	for _, g := range s.Gates {
		names[g.State] = append(names[g.State], g.Name)
		if g.State == summary.Fail {
			failed = append(failed, g)
		}
	}
	if len(failed) == 0 {
		head := fmt.Sprintf("  gates  %d of %d  ", len(names[summary.Pass]), len(s.Gates))
		var more []string
		for _, m := range []struct{ state, words string }{{summary.Inform, "for information:"}, {summary.Unknown, "not known:"}} {
			if all := names[m.state]; len(all) > 0 {
				more = append(more, strings.Fields(m.words+" "+strings.Join(all, ", ")+";")...)
			}
		}
		gap := ""
		if len(more) > 0 {
			more[len(more)-1] = strings.TrimSuffix(more[len(more)-1], ";")
			gap = "  "
		}
		t.b.WriteString(head)
		t.wrapAt(len(head), "PASS", green, gap, " ", 9, more...)
		return
	}
	room := maxLines - reserved - warned - strings.Count(t.b.String(), "\n")
	for i, g := range failed {
		line := terminal{width: t.width, color: t.color}
		line.wrap("  FAIL ", red, " ", 7, strings.Fields(g.Name+": "+g.Detail)...)
		room -= strings.Count(line.b.String(), "\n")
		if room < 0 || room == 0 && i < len(failed)-1 {
			t.wrap("  FAIL ", red, " ", 7, fmt.Sprintf("%d more gates: see summary.json", len(failed)-i))
			return
		}
		t.b.WriteString(line.b.String())
	}
}

// warnings prints what a person must know beyond the numbers, as far as there
// is room.
func (t *terminal) warnings(s *summary.Summary) {
	var all []string
	if d := s.DNS; d != nil && d.Unusable != "" {
		all = append(all, capital(d.Unusable)+". Nothing was suppressed because of it; those rows are unknown.")
	}
	if b := s.Bounces; b != nil {
		if b.SenderSide > 0 {
			text := fmt.Sprintf("%s %s YOUR side, not the list", shown.Number(b.SenderSide), pick(b.SenderSide, "bounce is", "bounces are"))
			if c, ok := largest(b.Clusters); ok {
				text += ", most of them " + strings.Join(nonEmpty(c.Provider, c.Bucket+" ("+c.Category+")"), ", ")
				if !c.First.IsZero() {
					text += ", since " + c.First.UTC().Format("Jan 2 15:04")
				}
			} else if c, ok := topSender(b.Categories); ok {
				text += ", most of them " + strings.Join(nonEmpty(c.Provider, c.Bucket+" ("+c.Category+")"), ", ")
			}
			all = append(all, text+". Cleaning will not help.")
		}
		for _, in := range b.Incidents {
			all = append(all, fmt.Sprintf("%s %s \"does not exist\" held back: %s (%s to %s UTC)", shown.Number(in.N), in.Provider, in.Why,
				in.From.UTC().Format("Jan 2 15:04"), in.To.UTC().Format("Jan 2 15:04")))
		}
	}
	all = append(append(all, heldColumns(s)...), s.Notes...)
	room := maxLines - reserved - strings.Count(t.b.String(), "\n")
	if room <= 0 { // only after numbers that fill lines of their own
		return
	}
	for i, text := range all {
		line := terminal{width: t.width, color: t.color}
		line.wrap("  ! ", yellow, " ", 4, strings.Fields(cut(text, 3*t.width))...)
		room -= strings.Count(line.b.String(), "\n")
		if room < 0 || room == 0 && i < len(all)-1 {
			t.wrap("  ! ", yellow, " ", 4, fmt.Sprintf("%d more: see summary.json", len(all)-i))
			return
		}
		t.b.WriteString(line.b.String())
	}
}

// balance prints that every record is accounted for.
func (t *terminal) balance(s *summary.Summary, dir string) {
	var parts []string
	var sum int64
	for _, list := range []string{export.Cleaned, export.Review, export.Suppressed, export.Duplicates, export.Rejected} {
		n := s.Lists[list]
		sum += n
		if n == 0 && list != export.Cleaned {
			continue
		}
		p := list + ".csv " + shown.Number(n)
		if len(parts) > 0 {
			p = "+ " + p
		}
		parts = append(parts, p)
	}
	verdict := "ok"
	if sum != s.Records {
		verdict = fmt.Sprintf("BUT %s records were read", shown.Number(s.Records))
	}
	parts = append(parts, "= "+shown.Number(sum)+" "+verdict, "  "+duration(s.Seconds))
	t.wrap("  ", "", " ", 4, parts...)
	if dir != "" {
		t.wrap("  ", "", " ", 4, "in "+shown.Name(dir))
	}
}
