package csvrows

import (
	"strings"
	"unicode/utf8"

	"github.com/winnow-email/winnow/internal/columns"
)

// List is one list opened for reading, from a file or from a stream spooled to
// a private temporary file, so that Scan can be called more than once.
type List struct {
	Name    string           // as the user named it
	Header  []string         // decoded header cells; nil when the list has none
	Column  int              // the address column, from 0
	Why     string           // how the column was chosen, for a person
	Status  []columns.Status // columns that say, or may say, who must not be mailed
	Whole   columns.Kind     // that holds for every record: a file of unsubscribed or cleaned contacts; "" for none
	Comma   byte
	Charset string // "UTF-8", "UTF-16LE", "UTF-16BE" or "8-bit" (opaque)
	Newline string // "\n", "\r\n" or "\r"

	format
	preamble []byte // raw
	bom      int    // bytes of the byte order mark in preamble
	lines    int64  // lines of the preamble
	src      *source
}

// Preamble returns the input's bytes before the first data record: byte order
// mark, sep= line, empty lines and titles above the header, header. It is what
// a file with rows of the list has to start with.
func (l *List) Preamble() []byte { return l.preamble }

// AppendPreamble appends the preamble with further header cells to dst. A list
// without a header gets none.
func (l *List) AppendPreamble(dst []byte, cells ...string) []byte {
	if l.Header == nil {
		return append(dst, l.preamble...)
	}
	// The header is the last record of the preamble.
	body := l.preamble[l.bom:]
	dst = append(dst, l.preamble[:l.bom]...)
	text := body
	if l.wide() {
		text, _ = appendUTF8(nil, body, l.Charset, true)
	}
	at := 0
	for {
		r, ok := l.read(text, at, true)
		if !ok || r.next >= len(text) {
			break
		}
		at = r.next
	}
	if l.wide() {
		at = unitBytes * units(text[:at])
	}
	dst = append(dst, body[:at]...)
	return l.Append(dst, body[at:], cells...)
}

// Text returns bytes of the list as UTF-8, where its charset is known, else as
// they are.
func (l *List) Text(raw []byte) []byte {
	if !l.wide() {
		return raw
	}
	text, _ := appendUTF8(nil, raw, l.Charset, true)
	return text
}

func (l *List) wide() bool { return l.Charset == utf16LE || l.Charset == utf16BE }

// Append appends the record raw with further cells, in the list's dialect and
// encoding, to dst. The bytes of raw before its line end stay as they are; a
// record with fewer cells than the header is filled up with empty ones first, so
// that the further cells stand under their names. In a list of unknown 8-bit
// encoding, what is not ASCII in cells becomes "?".
func (l *List) Append(dst, raw []byte, cells ...string) []byte {
	if !l.wide() {
		content, ending := cutEnding(raw)
		dst = append(dst, content...)
		dst = l.appendCells(dst, content, cells)
		if len(ending) == 0 {
			return append(dst, l.Newline...)
		}
		return append(dst, ending...)
	}
	text, _ := appendUTF8(nil, raw, l.Charset, true)
	content, ending := cutEnding(text)
	dst = append(dst, raw[:unitBytes*units(content)]...)
	further := l.appendCells(nil, content, cells)
	if len(ending) == 0 {
		ending = []byte(l.Newline)
	}
	return appendUTF16(dst, string(append(further, ending...)), l.Charset)
}

// cutEnding cuts a record before its line ends.
func cutEnding(record []byte) (content, ending []byte) {
	n := len(record)
	for n > 0 && (record[n-1] == '\n' || record[n-1] == '\r' || record[n-1] == '\x1a' && n == len(record)) {
		n--
	}
	if n == len(record)-1 && record[n] == '\x1a' {
		n++ // no end mark: a byte of the record
	}
	return record[:n], record[n:]
}

// appendCells appends what makes a record of content up to the full width, and
// cells.
func (l *List) appendCells(dst, content []byte, cells []string) []byte {
	for n := l.cells(content); n < l.width; n++ {
		dst = append(dst, l.comma)
	}
	for _, cell := range cells {
		dst = l.appendCell(append(dst, l.comma), cell)
	}
	return dst
}

// appendCell appends a cell in the list's dialect.
func (l *List) appendCell(dst []byte, cell string) []byte {
	if l.Charset == eightBit {
		cell = strings.Map(func(r rune) rune {
			if r >= utf8.RuneSelf {
				return '?'
			}
			return r
		}, cell)
	}
	if cell == "" || strings.IndexByte(cell, l.comma) < 0 && strings.IndexByte(cell, '"') < 0 && strings.IndexByte(cell, '\n') < 0 && strings.IndexByte(cell, '\r') < 0 &&
		cell[0] != ' ' && cell[len(cell)-1] != ' ' {
		return append(dst, cell...)
	}
	dst = append(dst, '"')
	for {
		n := strings.IndexByte(cell, '"')
		if n < 0 {
			break
		}
		dst = append(append(dst, cell[:n]...), '"', '"')
		cell = cell[n+1:]
	}
	return append(append(dst, cell...), '"')
}

// Close removes what was spooled.
func (l *List) Close() error { return l.src.Close() }

// Size returns the number of bytes a pass reads, for progress; -1 when not known.
func (l *List) Size() int64 { return l.src.size }
