package rundir

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/winnow-email/winnow/export/summary"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// matcher finds the line of the input that a line of a list was.
type matcher struct {
	comma   byte
	lines   []uint64                     // hashes of the input's lines, trimmed, sorted; nil: not known
	out     []uint64                     // of the lines of the lists, as they were in the input
	reasons map[summary.ReasonCount]bool // those of the summary
	either  [][2]uint64                  // lines of the input that a line may be: without its last cells, and as it is
	fixes   map[string][]string          // by the address put in: the addresses it was put in for
	fixed   int64                        // how many more there are in fixed.csv
}

// match takes a line of a list that adds so many cells to a record, and returns
// the reason in them, "" when there is none.
func (m *matcher) match(line []byte, list string, cells int) (reason string) {
	if cells == 0 {
		m.add(m.unfixed(line))
		return ""
	}
	var values [5]string
	b := bare(line, m.comma, cells, values[:])
	if b == nil || cells == 1 && m.trim(b) == nil || cells == 5 && !m.reasons[summary.ReasonCount{List: list, Reason: values[0]}] || !m.known(b) {
		m.add(line) // not the last line of a record
		return ""
	}
	m.add(b)
	if m.lines != nil && m.known(line) {
		m.either = append(m.either, [2]uint64{lineHash(m.trim(b)), lineHash(m.trim(line))})
	}
	if cells == 5 {
		reason = values[0]
	}
	return reason
}

// trim cuts the empty cells at the end of a line off: a record that is shorter
// than the header is filled up with them before winnow's cells are added.
func (m *matcher) trim(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == m.comma) {
		line = line[:len(line)-1]
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	return line
}

// add notes a line of a list. Blank ones are not compared.
func (m *matcher) add(line []byte) {
	if line = m.trim(line); line != nil {
		m.out = append(m.out, lineHash(line))
	}
}

// known says whether a line is one of the input's.
func (m *matcher) known(line []byte) bool {
	line = m.trim(line)
	if m.lines == nil || line == nil {
		return true
	}
	_, ok := slices.BinarySearch(m.lines, lineHash(line))
	return ok
}

// unfixed returns a line of cleaned.csv as it was in the input: with the
// addresses that accepted fixes have changed.
func (m *matcher) unfixed(line []byte) []byte {
	if len(m.fixes) == 0 || m.lines == nil || m.known(line) {
		return line
	}
	ends := func(r rune) bool { return strings.ContainsRune("\"',;|\t ", r) || r == rune(m.comma) }
	for word := range bytes.FieldsFuncSeq(line, ends) {
		for _, old := range m.fixes[string(word)] {
			if was := bytes.Replace(line, word, []byte(old), 1); m.known(was) {
				m.fixed--
				return was
			}
		}
	}
	return line
}

// balance counts the lines that are only in the input, and only in the lists.
func (m *matcher) balance() (lost, made int) {
	slices.Sort(m.out)
	onlyIn, onlyOut := difference(m.lines, m.out)
	for _, e := range m.either {
		if onlyOut[e[0]] > 0 && onlyIn[e[1]] > 0 {
			onlyOut[e[0]]--
			onlyIn[e[1]]--
		}
	}
	for _, n := range onlyIn {
		lost += n
	}
	for _, n := range onlyOut {
		made += n
	}
	return lost, made
}

// eachLine calls f for every line that is not blank, in UTF-8 where the charset
// is UTF-16, without its line end and byte order mark.
func eachLine(ctx context.Context, r io.Reader, charset string, f func([]byte)) error {
	br := bufio.NewReaderSize(r, 1<<16)
	switch magic, _ := br.Peek(4); {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			return err
		}
		br = bufio.NewReaderSize(z, 1<<16)
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(br)
		if err != nil {
			return err
		}
		defer z.Close()
		br = bufio.NewReaderSize(z, 1<<16)
	}
	switch charset {
	case "UTF-16LE":
		br = bufio.NewReaderSize(transform.NewReader(br, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	case "UTF-16BE":
		br = bufio.NewReaderSize(transform.NewReader(br, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	}
	sc := bufio.NewScanner(br)
	sc.Buffer(make([]byte, 0, 1<<16), maxLine)
	sc.Split(splitLine)
	for n := 0; sc.Scan(); n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := sc.Bytes()
		if n == 0 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) > 0 {
			f(line)
		}
	}
	return sc.Err()
}

// maxLine is more than any run takes for a record.
const maxLine = 64 << 20

// splitLine is a bufio.SplitFunc: a line ends with LF, CR or both.
func splitLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil // between CR and LF is a blank line
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// eachRejected calls f for every line of the records in rejected.csv, whose last
// cell holds them as they came.
func eachRejected(ctx context.Context, r io.Reader, f func([]byte)) error {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	for n := 0; ; n++ {
		cells, err := c.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			continue // the header
		}
		if err := eachLine(ctx, strings.NewReader(cells[len(cells)-1]), "", f); err != nil {
			return err
		}
	}
}

// bare returns line without its last n cells, whose values it puts into cells;
// nil when the line does not end with so many.
func bare(line []byte, comma byte, n int, cells []string) []byte {
	for i := n - 1; i >= 0; i-- {
		end := len(line)
		at := -1
		if end > 0 && line[end-1] == '"' {
			// The opening quote is the one before which the delimiter stands, with only doubled quotes between.
			for p := end - 2; p > 0; p-- {
				if line[p] != '"' {
					continue
				}
				if line[p-1] == '"' {
					p--
					continue
				}
				if line[p-1] == comma {
					at = p - 1
				}
				break
			}
		} else {
			at = bytes.LastIndexByte(line, comma)
		}
		if at < 0 {
			return nil
		}
		if cells != nil {
			cell := string(line[at+1 : end])
			if strings.HasPrefix(cell, `"`) {
				cell = strings.ReplaceAll(cell[1:len(cell)-1], `""`, `"`)
			}
			cells[i] = cell
		}
		line = line[:at]
	}
	return line
}

// lineHash is FNV-1a with a finalizer: stable, and not the hash the run uses.
func lineHash(line []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range line {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h ^ h>>29) * 0xbf58476d1ce4e5b9
}

// difference counts what is only in a and only in b, both sorted.
func difference(a, b []uint64) (onlyA, onlyB map[uint64]int) {
	onlyA, onlyB = map[uint64]int{}, map[uint64]int{}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			onlyA[a[0]]++
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			onlyB[b[0]]++
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return onlyA, onlyB
}
