package history

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/bounceimport/reply"
	"github.com/winnow-email/winnow/validate"

	"zombiezen.com/go/sqlite/sqlitex"
)

// File is one imported file, as the stats list it.
type File struct {
	Name    string `json:"name"`   // without its folder
	SHA256  string `json:"sha256"` // "" for folders and pipes
	Format  string `json:"format"`
	Records int64  `json:"records"`
}

// Counts says what an import did.
type Counts struct {
	Events    int64 `json:"events"`              // added by the caller
	Changed   int64 `json:"changed"`             // rows that are new or hold something new: 0 when all was known
	Ignored   int64 `json:"ignored"`             // of categories that say nothing of an address: delays, auto-replies, greylisting
	Foreign   int64 `json:"foreign,omitempty"`   // the recipient is not an address that can be on a list
	Forgotten int64 `json:"forgotten,omitempty"` // addresses that were forgotten, and stay so
}

// Import adds events to a history. It sorts them first, in memory or, when they
// are many, in a temporary file: a B-tree takes rows in the order of its keys
// several times faster. Nothing is written before Done, which writes in
// transactions of moderate size so that other processes need not wait long.
type Import struct {
	Counts Counts

	s         *Store
	ctx       context.Context
	rows      []row
	order     []entry // of rows, while a batch is written
	bytes     int
	limit     int // of bytes
	txRows    int
	intern    map[string]string // words that come up again and again in a batch
	alive     map[string]int    // the rows of domains that answered, of which each batch needs one
	providers bounceimport.Providers
	buf       []byte
	files     []File
	spill     *spill // nil while everything is in memory
}

// batchBytes bounds what an Import holds in memory.
const batchBytes = 64 << 20

// Begin starts an import. The caller must call Done.
func (s *Store) Begin(ctx context.Context) *Import {
	return &Import{s: s, ctx: ctx, limit: batchBytes, txRows: txRows, intern: make(map[string]string), alive: make(map[string]int)}
}

// Add adds one event; it keeps no reference to e. Its signature is that of the
// yield of [reader.Read].
func (m *Import) Add(e *bounceimport.Event) error {
	if err := m.collect(e); err != nil {
		return err
	}
	if m.bytes >= m.limit {
		return m.flush()
	}
	return nil
}

// collect adds the rows of an event to the batch.
func (m *Import) collect(e *bounceimport.Event) error {
	m.Counts.Events++
	a, err := validate.ParseAddress(e.Recipient)
	if err != nil {
		m.Counts.Foreign++
		return nil
	}
	address, domain := e.AddressCategory(), e.DomainCategory()
	if e.Action == bounceimport.Ignore {
		address = ""
	}
	if address == "" && domain == "" {
		m.Counts.Ignored++
		return nil
	}
	var t int64
	if !e.Time.IsZero() {
		t = e.Time.Unix()
	}
	r := row{first: t, last: t, soft: e.Soft(), rule: m.share(e.Rule), provider: m.share(m.providers.Of(e)),
		code: int64(e.Code), status: m.share(e.Status), phase: m.share(e.Phase), remote: m.share(e.Remote), hint: m.share(e.Hint)}
	if r.hint == "delayed" && e.Category != "delayed" {
		r.hint = "" // the reader saw a cause in the reply that trying again will not remove
	}
	m.buf = a.AppendKey(m.buf[:0])
	key := string(m.buf)
	var domainKey string
	if domain != "" {
		m.buf = append(append(m.buf[:0], '@'), a.Domain...)
		domainKey = m.shareBytes(m.buf)
	}
	text := e.Reply
	if text == "" {
		text = e.Verdict
	}
	m.buf = reply.AppendMasked(m.buf[:0], text, a.Local)
	r.reply = string(m.buf)
	r.whole = e.Reply != "" && len(m.buf) < reply.MaxMasked-utf8.UTFMax
	r.source = source(e.Source)
	if address != "" {
		r.key, r.category, r.action, r.day = key, address, e.Action, dayOf(t, e.Action)
		m.add(r)
	}
	if domain != "" {
		r.key, r.category, r.action = domainKey, domain, e.Action
		if domain == "delivered" {
			// A server that answered; by which of its millions of answers does not matter.
			r = row{key: r.key, category: r.category, action: bounceimport.Clear, first: t, last: t}
		}
		r.day = dayOf(t, r.action)
		if i, ok := m.alive[domainKey]; domain == "delivered" && ok {
			m.rows[i].merge(&r)
			return nil
		} else if domain == "delivered" {
			m.alive[domainKey] = len(m.rows)
		}
		m.add(r)
	}
	return nil
}

func (m *Import) add(r row) {
	m.rows = append(m.rows, r)
	m.bytes += int(unsafe.Sizeof(r)+unsafe.Sizeof(entry{})) + len(r.key) + len(r.reply) + len(r.source)
}

// share returns a copy of s that the batch holds once.
func (m *Import) share(s string) string {
	if s == "" {
		return ""
	}
	if t, ok := m.intern[s]; ok {
		return t
	}
	t := strings.Clone(s)
	m.intern[t] = t
	m.bytes += 2*int(unsafe.Sizeof(t)) + len(t) + 16
	return t
}

func (m *Import) shareBytes(b []byte) string {
	if t, ok := m.intern[string(b)]; ok {
		return t
	}
	return m.share(string(b))
}

// source shortens "folder/file#member:line" to its last part: where a file lay
// is nobody's business and would make the same file twice look like two.
func source(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	return strings.Clone(s)
}

// AddFile notes that a file was imported.
func (m *Import) AddFile(f File) { m.files = append(m.files, f) }

// Done writes what was added, looks for incidents and ends the import.
func (m *Import) Done() error {
	if err := m.writeAll(); err != nil {
		return err
	}
	err := m.s.during(m.ctx, func() error {
		return m.s.change(func(t *totals) error {
			t.small = len(m.files) > 0 || m.Counts.Changed > 0
			for _, f := range m.files {
				err := sqlitex.Execute(m.s.conn, `INSERT INTO file (name, sha256, format, records) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
					&sqlitex.ExecOptions{Args: []any{source(f.Name), f.SHA256, f.Format, f.Records}})
				if err != nil {
					return err
				}
			}
			if m.Counts.Changed == 0 {
				return nil
			}
			return m.s.findIncidents()
		})
	})
	m.files = nil
	return err
}

// writeAll writes the rows that were added: those in memory, or, when there
// were more than one batch, the merged runs.
func (m *Import) writeAll() error {
	if len(m.rows) == 0 && m.spill == nil {
		return nil
	}
	m.sort()
	next := m.sorted()
	if m.spill != nil {
		defer func() {
			m.spill.close()
			m.spill = nil
		}()
		if err := m.flush(); err != nil {
			return err
		}
		var err error
		if next, err = m.spill.merge(); err != nil {
			return err
		}
	}
	for more := true; more; {
		err := m.s.during(m.ctx, func() error {
			return m.s.change(func(t *totals) (err error) {
				more, err = m.put(t, next, m.txRows)
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	m.rows, m.bytes = nil, 0
	clear(m.intern)
	clear(m.alive)
	return nil
}

// txRows is how many rows a transaction writes: other processes wait for it.
const txRows = 100_000

// flush moves the batch to the spill file.
func (m *Import) flush() error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if m.spill == nil {
		var err error
		if m.spill, err = newSpill(m.s.path); err != nil {
			return err
		}
	}
	m.sort()
	err := m.spill.add(m.sorted())
	m.rows, m.bytes = m.rows[:0], 0
	clear(m.intern)
	clear(m.alive)
	return err
}

// entry is a row in a batch to be sorted: the first bytes of its key decide
// nearly always, without a look at the row.
type entry struct {
	prefix uint64
	row    int32
}

func prefix(key string) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// sort puts the rows in the order of the table, and those that belong together
// into one.
func (m *Import) sort() {
	m.order = m.order[:0]
	if len(m.rows) == 0 {
		return
	}
	for i := range m.rows {
		m.order = append(m.order, entry{prefix(m.rows[i].key), int32(i)})
	}
	slices.SortFunc(m.order, func(a, b entry) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return m.rows[a.row].compare(&m.rows[b.row])
	})
	n := 0
	for _, e := range m.order[1:] {
		if r := &m.rows[m.order[n].row]; r.compare(&m.rows[e.row]) == 0 {
			r.merge(&m.rows[e.row])
		} else {
			n++
			m.order[n] = e
		}
	}
	m.order = m.order[:n+1]
}

// sorted returns a function that gives the rows that sort has sorted, and nil
// at the end.
func (m *Import) sorted() func() (*row, error) {
	i := -1
	return func() (*row, error) {
		if i++; i < len(m.order) {
			return &m.rows[m.order[i].row], nil
		}
		return nil, nil
	}
}

// put writes at most limit rows, within a write transaction, and says whether
// there may be more.
func (m *Import) put(t *totals, next func() (*row, error), limit int) (more bool, err error) {
	forgotten, err := m.s.forgotten()
	if err != nil {
		return false, err
	}
	var key string
	var skip bool
	for range limit {
		r, err := next()
		if err != nil {
			return false, err
		}
		if more = r != nil; !more {
			break
		}
		if forgotten != nil && r.key != key && r.key[0] != '@' {
			key = r.key
			if skip, err = forgotten(key); err != nil {
				return false, err
			}
			if skip {
				m.Counts.Forgotten++
			}
		}
		if skip && r.key == key {
			continue
		}
		changed, err := m.s.merge(t, r)
		if err != nil {
			return false, err
		}
		if changed {
			m.Counts.Changed++
		}
	}
	return more, nil
}
