package csvrows

import "bytes"

// The bounds of one record. They hold whatever the input is, so that no file
// can make the reader take memory without end.
const (
	maxRecord     = 1 << 20  // bytes of one record, line end included
	maxColumns    = 2000     // cells of one record
	maxQuoted     = 64 << 10 // bytes of one quoted cell
	maxQuotedRows = 50       // lines of one quoted cell
	maxLoose      = 4 << 10  // bytes in which the end of a cell with stray quotes is looked for
)

// Problems of a record, as they stand in rejected.csv.
const (
	// ProblemQuote: a quote is opened and not closed within 64 KiB or 50 lines,
	// or what follows shows that it should have been closed on its own line. The
	// record is cut at the end of the line, and reading goes on with the next.
	ProblemQuote = "record_open_quote"
	// ProblemColumns: the record has more than 2,000 cells.
	ProblemColumns = "record_too_many_columns"
)

// format is what the record grammar needs to know of a list.
//
// The grammar is RFC 4180 with the tolerance that real exports need:
//
//   - A record ends at LF, CRLF or CR CR LF outside quotes. A lone CR ends a
//     record in a file that has no LF; elsewhere it does so only between two
//     records of full width, and is a byte of its cell otherwise.
//   - Empty lines hold no record. They belong to the line end of the record
//     before them, or to the preamble.
//   - A quote opens a quoted cell only as the first byte of a cell; elsewhere it
//     is a byte like others (5" disk). In a list that has \" for a quote within a
//     quoted cell, it stays one.
//   - In a quoted cell a doubled quote is a quote; a quote before the delimiter
//     or the line end, or before blanks that lead there, closes it. Any other
//     quote is tolerated on the line on which the cell began: if a closing quote
//     follows on this line, it is part of the cell ("say "hi" now"), else the
//     cell ends at the next delimiter and its quotes are its text ("Doe, J" <j@x>).
//     On a later line it shows that the opening quote was never closed, and so
//     do lines in the cell that are all records of full width with an address in
//     its place: else a stray quote would hide contacts from every check.
type format struct {
	comma  byte
	lead   leadBytes // set for "|" only: no other delimiter is a trail byte
	folded bool      // each whole line was quoted once more (Excel re-save)
	blanks bool      // blanks may stand between a delimiter and an opening quote
	slash  bool      // a backslash takes the meaning from a quote (MySQL)
	cr     bool      // a lone CR ends a record
	width  int       // cells of a usual record
	emails int       // 1 + the column of addresses; 0 when it is not known
}

// leadBytes names the double-byte codepages in which a "|" can be the second
// half of a character.
type leadBytes uint8

const (
	noLead   leadBytes = iota
	sjisLead           // Shift-JIS: 0x81-0x9F, 0xE0-0xFC
	gbkLead            // GBK, Big5: 0x81-0xFE
)

func (l leadBytes) is(b byte) bool {
	switch l {
	case sjisLead:
		return b >= 0x81 && b <= 0x9f || b >= 0xe0 && b <= 0xfc
	case gbkLead:
		return b >= 0x81 && b <= 0xfe
	}
	return false
}

// nextComma returns the index of the first delimiter in b, or -1. b must start
// at the start of a character.
func (f *format) nextComma(b []byte) int {
	if f.lead == noLead {
		return bytes.IndexByte(b, f.comma)
	}
	for i := 0; i < len(b); i++ {
		if f.lead.is(b[i]) {
			i++
		} else if b[i] == f.comma {
			return i
		}
	}
	return -1
}

// opens reports whether the quote at q is the first byte of a cell of the
// record at start. A character is known to start at known.
func (f *format) opens(buf []byte, start, known, q int) bool {
	p := q - 1 // the delimiter
	for f.blanks && p >= start && buf[p] == ' ' {
		p--
	}
	if p < start {
		return true
	}
	if buf[p] != f.comma {
		return false
	}
	if f.lead == noLead {
		return true
	}
	for i := known; i < q; i++ {
		if f.lead.is(buf[i]) {
			if i++; i == p {
				return false
			}
		}
	}
	return true
}

type quoteState uint8

const (
	quoteClosed quoteState = iota // a proper quoted cell
	quoteLoose                    // text follows the closing quote: the cell is its bytes as they are
	quoteOpen                     // never closed
	quoteMore                     // more input is needed to tell
)

// quoted finds the end of the cell whose opening quote is at i-1: the index of
// the delimiter or line end behind it, or len(buf). For quoteOpen it returns
// the index of the first line end within the cell, or len(buf).
func (f *format) quoted(buf []byte, i int, eof bool) (int, quoteState) {
	limit := min(len(buf), i+maxQuoted)
	line := -1 // first line end inside the cell
	lines := 0
	for k := i; ; {
		j := bytes.IndexByte(buf[k:limit], '"')
		if j >= 0 {
			j += k
		}
		part := buf[k:limit]
		if j >= 0 {
			part = buf[k:j]
		}
		if n := lineEnd(part); n >= 0 {
			if line < 0 {
				line = k + n
			}
			if lines += bytes.Count(part, lf); f.cr {
				lines += bytes.Count(part, cr)
			}
		}
		if j < 0 || lines > maxQuotedRows {
			if j < 0 && lines <= maxQuotedRows && limit == len(buf) && limit < i+maxQuoted && !eof {
				return 0, quoteMore
			}
			if line < 0 {
				if line = lineEnd(buf[i:]); line >= 0 {
					line += i
				} else if line = len(buf); !eof {
					return 0, quoteMore
				}
			}
			return line, quoteOpen
		}
		if f.slash && escaped(buf[i:j]) {
			k = j + 1
			continue
		}
		if j+1 == len(buf) && !eof {
			return 0, quoteMore
		}
		if j+1 < len(buf) && buf[j+1] == '"' {
			if k = j + 2; k > limit {
				k = limit
			}
			continue
		}
		end, st := f.after(buf, j+1, eof)
		switch {
		case st == quoteMore:
			return 0, quoteMore
		case st == quoteClosed:
			return end, quoteClosed
		case line >= 0:
			return line, quoteOpen
		}
		return f.loose(buf, j+1, eof)
	}
}

// escaped reports whether an odd number of backslashes stands before a quote.
func escaped(before []byte) bool {
	n := len(before) - len(bytes.TrimRight(before, `\`))
	return n%2 == 1
}

// lineEnd returns the index of the first CR or LF in b, or -1. It looks in
// growing windows, so that neither byte is searched far beyond the other.
func lineEnd(b []byte) int {
	for from, size := 0, 256; from < len(b); size *= 8 {
		part := b[from:min(from+size, len(b))]
		n := bytes.IndexByte(part, '\n')
		if n >= 0 {
			part = part[:n]
		}
		if c := bytes.IndexByte(part, '\r'); c >= 0 {
			n = c
		}
		if n >= 0 {
			return from + n
		}
		from += size
	}
	return -1
}

// after looks at what follows a quote: blanks and then a delimiter, a line end
// or the end close the cell.
func (f *format) after(buf []byte, i int, eof bool) (int, quoteState) {
	for ; i < len(buf); i++ {
		switch b := buf[i]; {
		case b == f.comma || b == '\n' || b == '\r':
			return i, quoteClosed
		case b != ' ' && b != '\t':
			return i, quoteLoose
		}
	}
	if eof {
		return i, quoteClosed
	}
	return i, quoteMore
}

// loose finds the end of a quoted cell with a stray quote just before i, on the
// line that the cell began on.
func (f *format) loose(buf []byte, i int, eof bool) (int, quoteState) {
	end := min(len(buf), i+maxLoose)
	if n := lineEnd(buf[i:end]); n >= 0 {
		end = i + n
	} else if end < i+maxLoose && !eof {
		return 0, quoteMore
	}
	for k := i; ; {
		n := bytes.IndexByte(buf[k:end], '"')
		if n < 0 {
			break
		}
		j := k + n
		if f.slash && escaped(buf[i:j]) {
			k = j + 1
			continue
		}
		if j > i && buf[j-1] == f.comma && j+1 < end && buf[j+1] != f.comma {
			break // a new quoted cell begins
		}
		if j+1 < end && buf[j+1] == '"' {
			k = j + 2
			continue
		}
		if e, st := f.after(buf[:end], j+1, true); st == quoteClosed {
			return e, quoteClosed
		}
		k = j + 1
	}
	if n := f.nextComma(buf[i:end]); n >= 0 {
		return i + n, quoteLoose
	}
	if end == i+maxLoose { // a long cell
		i = end
		if n := lineEnd(buf[i:]); n >= 0 {
			end = i + n
		} else if end = len(buf); !eof {
			return 0, quoteMore
		}
		if n := f.nextComma(buf[i:end]); n >= 0 {
			return i + n, quoteLoose
		}
	}
	return end, quoteLoose
}

var (
	lf         = []byte{'\n'}
	cr         = []byte{'\r'}
	crlf       = []byte{'\r', '\n'}
	quote      = []byte{'"'}
	twoQuotes  = []byte{'"', '"'}
	slashQuote = []byte{'\\', '"'}
)

// record is the outcome of reading one record.
type record struct {
	content int // end of the record without its line end
	next    int // start of the next record
	lines   int // lines the record takes, empty lines behind it included
	blank   int // empty lines among them
	quoted  bool
	problem uint8 // index into problems
}

var problems = [...]string{"", ProblemQuote, ProblemColumns}

const (
	openQuote = 1 + iota
	tooManyColumns
)

// read finds the end of the record that starts at start. It returns false when
// buf does not hold it whole, which cannot happen when eof is set.
func (f *format) read(buf []byte, start int, eof bool) (r record, ok bool) {
	i := start
	e := -1               // next line end byte from i
	alone := 0            // lone CRs looked at
	wrap, wrapEnd := 0, 0 // the first line end within a quoted cell, the end of this cell
	first := false        // this cell is the first of the record
	for {
		if e < i {
			e = len(buf)
			if n := lineEnd(buf[i:]); n >= 0 {
				e = i + n
			}
		}
		if n := bytes.IndexByte(buf[i:e], '"'); n >= 0 {
			q := i + n
			r.quoted = true
			if !f.opens(buf, start, i, q) {
				i = q + 1
				continue
			}
			end, st := f.quoted(buf, q+1, eof)
			if st == quoteMore {
				return r, false
			}
			if st == quoteOpen {
				r.problem = openQuote
				e, i = end, end
			} else {
				if wrap == 0 {
					if n := lineEnd(buf[q+1 : end]); n >= 0 {
						wrap, wrapEnd, first = q+1+n, end, q == start
					}
				}
				i = end
				continue
			}
		}
		if e == len(buf) {
			if !eof {
				return r, false
			}
			break
		}
		if buf[e] == '\n' || f.cr || r.problem != 0 {
			break
		}
		ends, known := f.crEnds(buf, start, e, eof, &alone)
		if !known {
			return r, false
		}
		if ends {
			break
		}
		i = e + 1
	}
	if wrap > 0 && f.swallows(buf[wrap:endOfLine(buf, wrapEnd, e)], first) {
		r.problem, e = openQuote, wrap
	}
	r.content = e
	r.lines = bytes.Count(buf[start:e], lf)
	if f.cr {
		r.lines += bytes.Count(buf[start:e], cr) - bytes.Count(buf[start:e], crlf)
	}
	ends, n, ok := f.lineEnds(buf[e:], eof)
	if !ok {
		return r, false
	}
	r.next = e + n
	r.lines += ends
	r.blank = max(ends-1, 0)
	if r.problem == 0 && e-start >= maxColumns && f.tooWide(buf[start:e]) {
		r.problem = tooManyColumns
	}
	return r, true
}

// endOfLine returns where the line ends that holds from, at most to.
func endOfLine(buf []byte, from, to int) int {
	if n := lineEnd(buf[from:to]); n >= 0 {
		return from + n
	}
	return to
}

// swallows reports whether the lines of a quoted cell, from its first line end to
// the end of the line on which it ends, are nothing but further records: each has
// the full width and an address where the addresses are. The last line is no witness when the cell
// is the first of the record: it has the full width then, and must.
func (f *format) swallows(rest []byte, first bool) bool {
	if f.emails == 0 || f.width < 2 || f.lead != noLead || f.folded {
		return false
	}
	lines := 0
	for len(rest) > 0 {
		line := rest
		if n := lineEnd(rest); n >= 0 {
			line, rest = rest[:n], rest[n+1:]
		} else {
			rest = nil
		}
		if len(line) == 0 || rest == nil && (first || bytes.Count(line, quote) > 1) {
			continue
		}
		if bytes.Count(line, []byte{f.comma})+1 != f.width {
			return false
		}
		for range f.emails - 1 {
			line = line[bytes.IndexByte(line, f.comma)+1:]
		}
		if n := bytes.IndexByte(line, f.comma); n >= 0 {
			line = line[:n]
		}
		if !looksLikeAddress(string(line)) {
			return false
		}
		lines++
	}
	return lines > 0
}

// lineEnds returns how many line ends b starts with, and their bytes.
func (f *format) lineEnds(b []byte, eof bool) (ends, n int, ok bool) {
	for n < len(b) {
		c := n
		for c < len(b) && b[c] == '\r' && !(f.cr && c > n) {
			c++
		}
		switch {
		case c < len(b) && b[c] == '\n':
			c++
		case c == len(b) && !eof:
			return 0, 0, false
		case c == n && b[n] == '\x1a' && n+1 == len(b) && ends > 0:
			return ends, n + 1, eof // the end of a file from DOS
		case c == n:
			return ends, n, true
		case c < len(b) && !f.cr && ends > 0:
			return ends, n, true // a lone CR that begins the next record
		}
		ends++
		n = c
	}
	return ends, n, eof
}

// crEnds decides on a CR at e, in a file that has LFs, whether it is part of a
// line end, or alone and ends the record. alone counts those that were looked at in
// this record: beyond a hundred they are bytes of it.
func (f *format) crEnds(buf []byte, start, e int, eof bool, alone *int) (ends, known bool) {
	c := e
	for c < len(buf) && buf[c] == '\r' {
		c++
	}
	switch {
	case c == len(buf) && !eof:
		return false, false
	case c == len(buf) || buf[c] == '\n':
		return true, true
	}
	if *alone++; *alone > 100 {
		return false, true
	}
	return f.loneCR(buf, start, e, eof)
}

// loneCR decides on a CR at e that no LF follows, in a file that has LFs: it
// ends the record when the record before it and the one after it have the full width.
func (f *format) loneCR(buf []byte, start, e int, eof bool) (ends, known bool) {
	if f.cells(buf[start:e]) != f.width {
		return false, true
	}
	g := *f
	g.cr = true
	ahead := buf[e+1:]
	if len(ahead) > maxQuoted {
		ahead, eof = ahead[:maxQuoted], true
	}
	r, ok := g.read(ahead, 0, eof)
	if !ok {
		return false, false
	}
	return r.problem == 0 && r.content > 0 && f.cells(ahead[:r.content]) == f.width, true
}

func (f *format) tooWide(content []byte) bool {
	return bytes.Count(content, []byte{f.comma}) >= maxColumns && f.cells(content) > maxColumns
}

// cells returns the number of cells of a record, given without its line end.
func (f *format) cells(content []byte) int {
	content = f.unfold(content, nil)
	if f.lead == noLead && bytes.IndexByte(content, '"') < 0 {
		return 1 + bytes.Count(content, []byte{f.comma})
	}
	n := 1
	for i := 0; ; n++ {
		i, _ = f.cellEnd(content, i)
		if i == len(content) {
			return n
		}
		i++
	}
}

// cellEnd returns the end of the cell that begins at i.
func (f *format) cellEnd(content []byte, i int) (int, quoteState) {
	q := i
	for f.blanks && q < len(content) && content[q] == ' ' {
		q++
	}
	if q < len(content) && content[q] == '"' {
		end, st := f.quoted(content, q+1, true)
		if st != quoteOpen {
			return end, st
		}
	}
	if n := f.nextComma(content[i:]); n >= 0 {
		return i + n, quoteLoose
	}
	return len(content), quoteLoose
}

// cell returns the value of a cell of a record, given without its line end: a
// part of content where it can, else in buf's memory.
func (f *format) cell(content []byte, column int, buf []byte) []byte {
	if f.folded && len(content) > 0 && content[0] == '"' {
		// The unfolded line takes buf, so its cells may need memory of their own.
		line := f.unfold(content, buf)
		return f.find(line, column, nil)
	}
	return f.find(content, column, buf)
}

func (f *format) find(content []byte, column int, buf []byte) []byte {
	i := 0
	for ; column > 0; column-- {
		i, _ = f.cellEnd(content, i)
		if i == len(content) {
			return nil
		}
		i++
	}
	end, st := f.cellEnd(content, i)
	if st == quoteClosed {
		return f.unquote(content[i:end], buf)
	}
	return content[i:end]
}

// unquote returns the text of a quoted cell, blanks around its quotes cut off: a
// part of cell where it can, else in buf's memory.
func (f *format) unquote(cell, buf []byte) []byte {
	cell = cell[bytes.IndexByte(cell, '"')+1 : bytes.LastIndexByte(cell, '"')]
	pair := twoQuotes
	if f.slash {
		pair = slashQuote
	}
	n := bytes.Index(cell, pair)
	if n < 0 && f.slash {
		pair = twoQuotes
		n = bytes.Index(cell, pair)
	}
	if n < 0 {
		return cell
	}
	buf = buf[:0]
	for n >= 0 {
		buf = append(append(buf, cell[:n]...), '"')
		cell = cell[n+2:]
		n = bytes.Index(cell, pair)
	}
	return append(buf, cell...)
}

// unfold takes the extra pair of quotes from a line that was quoted as a whole.
func (f *format) unfold(content, buf []byte) []byte {
	if !f.folded || len(content) == 0 || content[0] != '"' {
		return content
	}
	if end, st := f.quoted(content, 1, true); st == quoteClosed && end == len(content) {
		return f.unquote(content, buf)
	}
	return content
}
