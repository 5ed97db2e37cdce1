package csvrows

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/columns"
)

const (
	sampleSize = maxRecord + maxQuoted // bytes that detection looks at
	sampleRows = 1000                  // records that the column is chosen from
	scoreRows  = 200                   // records that the delimiter is chosen from
	titleRows  = 20                    // lines above the header that may hold titles and notes
)

// dialect is what detection finds out about a list.
type dialect struct {
	format
	charset  string
	newline  string
	bom      int
	preamble []byte // raw bytes before the first data record, a copy
	lines    int64  // lines of the preamble
	header   []string
	rows     [][]string // the first data records
}

// detect finds the dialect from the first bytes of a list; eof says that these
// are all there are.
func detect(name string, sample []byte, eof bool, opt Options) (*dialect, error) {
	if err := notAList(name, sample); err != nil {
		return nil, err
	}
	for _, shift := range []string{"\x1b$B", "\x1b$@", "\x1b$A", "\x1b$(", "\x1b$)"} {
		// Its characters are made of delimiters and quotes.
		if bytes.Contains(sample, []byte(shift)) {
			return nil, &Error{Name: name, What: "is in a 7-bit encoding of the ISO-2022 family, which cannot be read as a list", Next: "save it as UTF-8"}
		}
	}
	d := &dialect{newline: "\n"}
	d.charset, d.bom = charsetOf(sample)
	text := sample[d.bom:]
	switch d.charset {
	case utf16LE, utf16BE:
		text, _ = appendUTF8(nil, text, d.charset, eof)
	case utf8Charset:
		if !validUTF8(text, eof) {
			d.charset = eightBit
		}
	}
	if len(bytes.Trim(text, "\r\n\x1a")) == 0 && eof {
		return nil, &Error{Name: name, What: "is empty", Next: "check that the export was finished", Err: errEmpty}
	}
	d.lineEnds(text)

	comma := opt.Comma
	if sep := sepLine(text); sep != 0 && comma == 0 {
		comma = sep
	}
	rows := d.chooseComma(text, eof, comma)
	switch {
	case len(rows) == 0 && eof:
		return nil, &Error{Name: name, What: "holds no record that can be read", Next: "check that it is a delimited list, and that its quotes are closed"}
	case len(rows) == 0:
		return nil, tooLongError(name, 1)
	}
	end, err := d.split(name, text, eof)
	if err != nil {
		return nil, err
	}
	switch {
	case end == len(text) && eof:
		end = len(sample)
	case d.charset == utf16LE || d.charset == utf16BE:
		end = d.bom + unitBytes*units(text[:end])
	default:
		end += d.bom
	}
	d.preamble = bytes.Clone(sample[:end])
	return d, nil
}

// lineEnds finds which line ends the list has.
func (d *dialect) lineEnds(text []byte) {
	pairs := bytes.Count(text, crlf)
	feeds := bytes.Count(text, lf) - pairs
	returns := bytes.Count(text, cr) - pairs
	switch {
	case pairs+feeds == 0:
		d.cr = returns > 0
	case returns > 0:
		// Old Mac files: CR between records, LF within quoted cells.
		feeds, returns = 0, 0
		quoted := false
		for i, b := range text {
			switch b {
			case '"':
				quoted = !quoted
			case '\n':
				if !quoted {
					feeds++
				}
			case '\r':
				if !quoted && (i+1 == len(text) || text[i+1] != '\n') {
					returns++
				}
			}
		}
		d.cr = feeds == 0 && returns > 0
		feeds -= pairs
	}
	switch {
	case d.cr:
		d.newline = "\r"
	case pairs > feeds:
		d.newline = "\r\n"
	}
}

// chooseComma tries the delimiters and keeps the format whose records agree best
// about their number of cells and in which addresses and names of address
// columns stand in cells of their own.
func (d *dialect) chooseComma(text []byte, eof bool, only byte) [][]string {
	base := d.format
	candidates := make([]format, 0, 8)
	for _, c := range []byte{',', ';', '\t', '|'} {
		if only == 0 || c == only {
			candidates = append(candidates, format{comma: c})
		}
	}
	if len(candidates) == 0 {
		candidates = append(candidates, format{comma: only})
	}
	quoted := bytes.HasPrefix(text, []byte{'"'}) || bytes.Contains(text, []byte("\n\"")) || bytes.Contains(text, []byte("\r\""))
	for _, c := range candidates {
		if c.comma == '|' && d.charset == eightBit {
			candidates = append(candidates, format{comma: '|', lead: sjisLead}, format{comma: '|', lead: gbkLead})
		}
		if bytes.Contains(text, []byte{c.comma, ' ', '"'}) {
			c.blanks = true
			candidates = append(candidates, c)
			c.blanks = false
		}
		if bytes.Contains(text, slashQuote) {
			c.slash = true
			candidates = append(candidates, c)
			c.slash = false
		}
		if quoted {
			c.folded = true
			candidates = append(candidates, c)
		}
	}
	best := -1.0
	var rows [][]string
	mixed := !base.cr && bytes.Count(text, cr) > bytes.Count(text, crlf)
	for _, f := range candidates {
		if f.cr = base.cr; mixed {
			f.width = f.lineWidth(text) // what a lone CR means hangs on it
		}
		sample, _, broken := f.sample(text, eof, scoreRows)
		if len(sample) == 0 || f.slash && broken > 0 {
			continue // a cell may well end with a backslash
		}
		score, width := f.score(sample, broken)
		if score > best {
			best, rows = score, sample
			f.width = width
			d.format = f
		}
	}
	return rows
}

// lineWidth returns the most common number of cells in the first lines, whatever
// ends them.
func (f *format) lineWidth(text []byte) (width int) {
	seen := make(map[int]int)
	for range titleRows {
		n := lineEnd(text)
		if n < 0 {
			break
		}
		if n > 0 {
			w := f.cells(text[:n])
			if seen[w]++; seen[w] > seen[width] || seen[w] == seen[width] && w > width {
				width = w
			}
		}
		text = text[n+1:]
	}
	return width
}

// sample returns the cells of the first records, and where each record starts.
// Broken records, which it counts, and empty ones are left out.
func (f *format) sample(text []byte, eof bool, limit int) (rows [][]string, starts []int, broken int) {
	for at := 0; at < len(text) && len(rows) < limit; {
		r, ok := f.read(text, at, eof)
		if !ok {
			break
		}
		if r.problem != 0 {
			broken++
		}
		if content := text[at:r.content]; r.problem == 0 && len(content) > 0 && (len(rows) > 0 || sepLine(content) == 0) {
			rows = append(rows, f.row(content))
			starts = append(starts, at)
		}
		at = r.next
	}
	return rows, starts, broken
}

// row returns the cells of a record.
func (f *format) row(content []byte) []string {
	content = f.unfold(content, nil)
	cells := make([]string, 0, 1+bytes.Count(content, []byte{f.comma}))
	for i := 0; ; i++ {
		end, st := f.cellEnd(content, i)
		cell := content[i:end]
		if st == quoteClosed {
			cell = f.unquote(cell, nil)
		}
		cells = append(cells, string(cell))
		if end == len(content) {
			return cells
		}
		i = end
	}
}

// score says how well a format fits the first records, and returns their usual width.
func (f *format) score(rows [][]string, broken int) (score float64, width int) {
	widths := make(map[int]int)
	addresses, named := 0, 0.0
	for i, row := range rows {
		widths[len(row)]++
		for _, cell := range row {
			if looksLikeAddress(cell) {
				addresses++
				break
			}
			if i < titleRows && named == 0 && (i < 4 || utf8.ValidString(cell)) && columns.Named(cell) {
				named = 1
			}
		}
	}
	for w, n := range widths {
		if most := widths[width]; n > most || n == most && width != len(rows[0]) && (w > width || w == len(rows[0])) {
			width = w
		}
	}
	agree := float64(widths[width]) / float64(len(rows)+broken)
	if width == 1 {
		agree = 0.3
	}
	switch {
	case f.folded: // where there is nothing to unfold, the plain format says it better
		agree -= 0.01
	case f.blanks:
		agree += 0.005
	}
	return agree + float64(addresses)/float64(len(rows)) + named, width
}

// split takes the list apart into preamble, header and data, and returns the
// length of the preamble in text.
func (d *dialect) split(name string, text []byte, eof bool) (int, error) {
	rows, starts, _ := d.sample(text, eof, sampleRows+titleRows+1)
	at := d.headerRow(rows[:min(len(rows), titleRows)])
	until := starts[at]
	d.rows = rows[at:]
	if d.isHeader(rows[at]) {
		d.header, d.rows = rows[at], rows[at+1:]
		d.width = max(d.width, len(d.header))
		until++
	}
	end := 0
	for end < len(text) {
		r, ok := d.read(text, end, eof)
		if !ok {
			return 0, tooLongError(name, d.lines+1)
		}
		content := text[end:r.content]
		if end >= until && len(content) > 0 {
			break
		}
		if r.problem == tooManyColumns {
			return 0, &Error{
				Name: name, Line: d.lines + 1,
				What: fmt.Sprintf("the header has more than %d columns", maxColumns),
				Next: "check that the file is a list of contacts",
			}
		}
		if d.header == nil && len(content) > 0 && sepLine(content) == 0 && bytes.IndexByte(content, '@') >= 0 {
			break // a broken record above the first whole one
		}
		d.lines += int64(r.lines)
		end = r.next
	}
	return end, nil
}

// headerRow returns the row that may be the header: the one that names the
// address column, if all rows above it have fewer cells filled (titles and
// notes); else the last one above the first address, if it has more and they have at
// most one cell filled; else the first.
func (d *dialect) headerRow(rows [][]string) int {
	at := slices.IndexFunc(rows, func(row []string) bool { return meansAddress(row) || d.namesAddress(row) })
	if at <= 0 {
		return 0
	}
	title := filled(rows[at]) - 1 // cells that a title may have
	if !d.isHeader(rows[at]) {
		at--
		title = min(1, filled(rows[at])-1)
	}
	for _, row := range rows[:at] {
		if filled(row) > title {
			return 0 // no title, but a row like others
		}
	}
	return at
}

// isHeader reports whether a row can be a header: it holds no address, and a
// broken one only beside the name of an address column.
func (d *dialect) isHeader(row []string) bool {
	return !slices.ContainsFunc(row, looksLikeAddress) && (d.namesAddress(row) || !meansAddress(row))
}

// filled returns how many cells of a row are not blank.
func filled(row []string) (n int) {
	for _, cell := range row {
		if strings.TrimSpace(cell) != "" {
			n++
		}
	}
	return n
}

// meansAddress reports whether a row holds an address, if only a broken one.
func meansAddress(row []string) bool {
	for _, cell := range row {
		if at := strings.IndexByte(cell, '@'); looksLikeAddress(cell) || at > 0 && strings.IndexByte(strings.TrimSpace(cell), ' ') < 0 {
			return true
		}
	}
	return false
}

// namesAddress reports whether a row holds the name of an address column.
func (d *dialect) namesAddress(row []string) bool {
	for _, cell := range row {
		if columns.Named(cell) {
			return true
		}
	}
	return false
}

// sepLine returns the delimiter that Excel's "sep=;" line names, or 0.
func sepLine(text []byte) byte {
	if n := lineEnd(text); n >= 0 {
		text = text[:n]
	}
	text = bytes.Trim(text, `"`)
	if len(text) == 5 && bytes.EqualFold(text[:4], []byte("sep=")) {
		return text[4]
	}
	return 0
}

// charsetOf finds UTF-16 by its byte order mark or by the zero bytes of its
// ASCII characters; every other encoding is UTF-8 or none of our business.
func charsetOf(sample []byte) (charset string, bom int) {
	switch {
	case bytes.HasPrefix(sample, []byte{0xef, 0xbb, 0xbf}):
		return utf8Charset, 3
	case bytes.HasPrefix(sample, []byte{0xff, 0xfe}):
		return utf16LE, 2
	case bytes.HasPrefix(sample, []byte{0xfe, 0xff}):
		return utf16BE, 2
	}
	head := sample[:min(len(sample), 4096)&^1]
	var little, big int
	for i := 0; i < len(head); i += 2 {
		switch a, b := head[i], head[i+1]; {
		case b == 0 && a != 0 && a < 0x7f:
			little++
		case a == 0 && b != 0 && b < 0x7f:
			big++
		}
	}
	// Every list has delimiters, line ends and addresses, which are ASCII.
	switch n := len(head) / 2; {
	case n == 0:
	case little > n/5 && big <= n/50:
		return utf16LE, 0
	case big > n/5 && little <= n/50:
		return utf16BE, 0
	}
	return utf8Charset, 0
}

func validUTF8(text []byte, eof bool) bool {
	if !eof {
		// The sample may end within a character.
		for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
			if utf8.RuneStart(text[len(text)-i]) {
				text = text[:len(text)-i]
				break
			}
		}
	}
	return utf8.Valid(text)
}

// notAList recognises files that are often taken for lists by their first bytes.
func notAList(name string, sample []byte) error {
	const export = "open it in the program that made it and save it as CSV (UTF-8)"
	for _, k := range []struct{ magic, what, next string }{
		{"PK\x03\x04", "is a zip archive or a workbook (.xlsx, .ods), not a delimited file", export},
		{"\xd0\xcf\x11\xe0", "is an Excel workbook (.xls), not a delimited file", export},
		{"%PDF-", "is a PDF document, not a delimited file", export},
		{"SQLite format 3\x00", "is a database, not a delimited file", "export the table of contacts as CSV"},
		{"\x1f\x8b", "is compressed twice", "decompress it once and try again"},
		{"\x28\xb5\x2f\xfd", "is compressed twice", "decompress it once and try again"},
		{"\xff\xfe\x00\x00", "is UTF-32, which is not supported", "save it as UTF-8"},
		{"\x00\x00\xfe\xff", "is UTF-32, which is not supported", "save it as UTF-8"},
		{"<!DOCTYPE", "is a web page, not a delimited file", export},
		{"<html", "is a web page, not a delimited file", export},
		{"<?xml", "is XML, not a delimited file", export},
		{"<table", "is a web page, not a delimited file", export},
		{"{\\rtf", "is a text document, not a delimited file", export},
		{"{\"", "is JSON, not a delimited file", "export the list as CSV"},
		{"[{", "is JSON, not a delimited file", "export the list as CSV"},
		{"BEGIN:VCARD", "holds vCards, not a delimited file", "export the contacts as CSV"},
	} {
		if len(sample) >= len(k.magic) && strings.EqualFold(string(sample[:len(k.magic)]), k.magic) {
			return &Error{Name: name, What: k.what, Next: k.next}
		}
	}
	return nil
}
