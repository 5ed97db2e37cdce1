package history

import "zombiezen.com/go/sqlite"

// words keeps one copy of each short string that comes up again and again.
type words struct {
	m    map[string]string
	last [colProvider + 1]string // of each column: the next row often has the same
	buf  []byte
}

func (w *words) column(st *sqlite.Stmt, col int) string {
	b := readColumn(st, col, &w.buf)
	if string(b) == w.last[col] {
		return w.last[col]
	}
	s, ok := w.m[string(b)]
	if !ok {
		if w.m == nil {
			w.m = make(map[string]string)
		}
		s = string(b)
		if len(w.m) < 4096 {
			w.m[s] = s
		}
	}
	w.last[col] = s
	return s
}

// readColumn reads a column into a buffer, which grows where it must.
func readColumn(st *sqlite.Stmt, col int, buf *[]byte) []byte {
	if *buf == nil {
		*buf = make([]byte, 1024)
	}
	n := st.ColumnBytes(col, *buf)
	if n < len(*buf) {
		return (*buf)[:n]
	}
	*buf = make([]byte, 2*st.ColumnLen(col))
	return (*buf)[:st.ColumnBytes(col, *buf)]
}

// The columns of selectEvents.
const (
	colKey = iota
	colCategory
	colAction
	colFirst
	colLast
	colSoft
	colReply
	colRule
	colSource
	colSum
	colProvider
)
