package known

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/validate"
)

// listReader reads the user's lists.
//
// In a file of people never to mail every address counts, in every cell and every
// column, also one of several in a text; so do hashes, and domains written as
// @domain, *@domain or *.domain. A bare domain counts in the column of addresses
// only: elsewhere it is where somebody works. In a file of people whom no list may
// condemn only the column of addresses counts: it must not say more than it seems to.
type listReader struct {
	k *Known
	Reading
	second bool // the hashes alone, which are noted in seen at first
	seen   [digestKinds]atomic.Bool
	kinds  [digestKinds + 1][]digestKind // what a hash may be, by what it is called

	mu       sync.Mutex // of suffixes
	suffixes map[string]fact
}

func newListReader(k *Known, r Reading) *listReader {
	rd := &listReader{k: k, Reading: r, suffixes: map[string]fact{}}
	for kind := range rd.kinds {
		rd.kinds[kind] = k.kinds(digestKind(kind))
	}
	return rd
}

// read reads one list.
func (rd *listReader) read(ctx context.Context, l *List) error {
	if l.list == nil {
		return nil // nobody has unsubscribed yet; Notes says so
	}
	head, err := rd.readPreamble(l)
	if err != nil {
		return err
	}
	pass := csvrows.Pass{Read: rd.Read, Worker: func() csvrows.Worker {
		w := rd.worker(l)
		return csvrows.Worker{Chunk: w.chunk}
	}}
	n, err := pass.Run(ctx, l.list)
	if err != nil || rd.second {
		return err
	}
	l.Records = head + n
	l.used.Add(head)
	if l.Records == 0 && !l.named {
		// All that there is was taken for a header, and it is none.
		l.unusable.Add(1)
		l.first.Store(1)
	}
	return nil
}

// readPreamble takes what stands above the first record. In a file that begins
// with hashes or domains nothing tells that its first lines are no titles or
// header: whatever they are taken for, they count.
func (rd *listReader) readPreamble(l *List) (records int64, err error) {
	w := rd.worker(l)
	text := l.list.Text(l.list.Preamble())
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		used := false
		for column, cell := range bytes.Split(line, []byte{l.list.Comma}) {
			ok, err := w.cell(bytes.Trim(cell, ` "`), column)
			if err != nil {
				return 0, err
			}
			used = used || ok
		}
		if used {
			records++
		}
	}
	return records, nil
}

// listWorker reads one list, for one goroutine.
type listWorker struct {
	*listReader
	list  *List
	cells [][]byte
	buf   []byte
	key   []byte
	addrs []validate.CellAddress
	sum   [sha256.Size]byte
}

func (rd *listReader) worker(l *List) *listWorker {
	return &listWorker{listReader: rd, list: l, buf: make([]byte, 0, 4<<10)}
}

func (w *listWorker) chunk(ctx context.Context, c *csvrows.Chunk, _ *csvrows.Turns) error {
	n := int64(0)
	defer func() { w.list.used.Add(n) }()
	for i := range c.Len() {
		used, blank, err := w.record(c, i)
		if err != nil {
			return err
		}
		if used {
			n++
		}
		if used || blank || w.second {
			continue
		}
		w.list.unusable.Add(1)
		for line := c.Line(i); ; {
			if old := w.list.first.Load(); old != 0 && old <= line || w.list.first.CompareAndSwap(old, line) {
				break
			}
		}
	}
	return ctx.Err()
}

// record reports whether a record says anything, and whether it is blank.
func (w *listWorker) record(c *csvrows.Chunk, i int) (used, blank bool, err error) {
	if c.Problem(i) != "" {
		return false, false, nil
	}
	if column := w.list.list.Column; w.list.Allow {
		cell := bytes.TrimSpace(c.Cell(i, column, w.buf))
		used, err = w.cell(cell, column)
		return used, len(cell) == 0, err
	}
	w.cells = c.Split(w.cells[:0], i, w.buf)
	blank = true
	for column, cell := range w.cells {
		if cell = bytes.TrimSpace(cell); len(cell) == 0 {
			continue
		}
		blank = false
		ok, err := w.cell(cell, column)
		if err != nil {
			return false, false, err
		}
		used = used || ok
	}
	return used, blank, nil
}

// cell takes one cell of the file. It reports whether anything in it is an entry.
func (w *listWorker) cell(cell []byte, column int) (used bool, err error) {
	main := column == w.list.list.Column
	if w.list.Allow && !main || column < len(w.list.skip) && w.list.skip[column] {
		return false, nil
	}
	cell = bytes.TrimSpace(cell)
	if used, err = w.entry(cell, main); err != nil || w.list.Allow || used && bytes.Count(cell, []byte("@")) < 2 {
		return used, err
	}
	among, err := w.among(cell)
	return used || among, err
}

// among takes the entries that stand in a text: a line of a mail program, or a
// sentence. A domain counts where there is nothing but entries.
func (w *listWorker) among(text []byte) (used bool, err error) {
	if bytes.IndexByte(text, '@') < 0 && bytes.IndexByte(text, '*') < 0 && len(text) < 2*md5.Size {
		return false, nil
	}
	var words [][]byte
	all := true
	for word := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r <= ' ' || r == ',' || r == ';' || r == '|' || r == '\u00a0' }) {
		if word = bytes.Trim(word, "<>()[]\"'.:!?"); len(word) == 0 {
			continue
		}
		words = append(words, word)
		_, _, hash := digestOf(w.sum[:], word)
		all = all && (hash || bytes.IndexByte(word, '@') >= 0 || word[0] == '*')
	}
	if len(words) < 2 {
		return false, nil // it was looked at
	}
	for _, word := range words {
		if _, domain := patternOf(word); domain && !all {
			continue
		}
		ok, err := w.entry(word, false)
		if err != nil {
			return false, err
		}
		used = used || ok
	}
	return used, nil
}

// entry takes one entry of the file: an address, a domain, or a hash. It reports
// whether it is one of these.
func (w *listWorker) entry(text []byte, bareDomain bool) (bool, error) {
	if kind, n, ok := digestOf(w.sum[:], text); ok {
		return w.digest(kind, w.sum[:n])
	}
	if w.second {
		return false, nil
	}
	if p, ok := patternOf(text); ok {
		return w.domain(p), nil
	}
	at := bytes.IndexByte(text, '@')
	if at < 0 && bareDomain && bytes.IndexByte(text, '.') > 0 && !bytes.ContainsAny(text, " \t") {
		return w.domain(pattern{domain: string(text)}), nil
	}
	if at == 0 || at < 0 && bytes.IndexByte(text, '&') < 0 && !bytes.Contains(text, []byte("＠")) && !bytes.Contains(text, []byte("﹫")) {
		return false, nil
	}
	return w.addresses(text)
}

// digest takes a hash. In the first reading it is counted.
func (w *listWorker) digest(kind digestKind, sum []byte) (bool, error) {
	k := w.k
	kinds := w.kinds[kind]
	if w.list.Allow || len(kinds) == 0 {
		return false, nil // a hash cannot allow: it is not known what it is
	}
	if !w.second {
		w.list.hashes.Add(1)
		for _, kind := range kinds {
			w.seen[kind].Store(true)
		}
		return true, nil
	}
	for i := range k.digests {
		d := &k.digests[i]
		if !slices.Contains(kinds, d.kind) || !d.filter.Has(digestHash(sum)) {
			continue
		}
		w.key = digestKey(w.key[:0], d.kind, sum)
		if err := k.putBlock(k.Hash(w.key), w.key, Suppressed, w.list.source); err != nil {
			return true, err
		}
	}
	return true, nil
}

// addresses takes the addresses in a text.
func (w *listWorker) addresses(text []byte) (used bool, err error) {
	k := w.k
	w.addrs = validate.ParseCell(w.addrs[:0], stringOf(text))
	for i := range w.addrs {
		a, err := validate.ParseAddress(w.addrs[i].Address)
		if err != nil {
			continue
		}
		used = true
		w.key = k.Key(w.key[:0], &a)
		h := k.Hash(w.key)
		if !w.OnList.Has(h) {
			continue
		}
		if w.list.Allow {
			err = k.putAllow(h, w.key, w.list.source)
		} else {
			err = k.putBlock(h, w.key, Suppressed, w.list.source)
		}
		if err != nil {
			return true, err
		}
	}
	return used, nil
}

// domain takes a domain. It reports whether it is one.
func (w *listWorker) domain(p pattern) bool {
	a, err := validate.ParseAddress("x@" + p.domain)
	if p.below { // it may be a top-level domain
		a, err = validate.ParseAddress("x@a." + p.domain)
	}
	if err != nil {
		return false
	}
	merge := func(f *fact) {
		if w.list.Allow {
			f.addAllow(w.list.source)
		} else {
			f.addBlock(Suppressed, w.list.source)
		}
	}
	if p.below {
		a.Domain = strings.TrimPrefix(a.Domain, "a.")
		w.mu.Lock()
		f := w.suffixes[a.Domain]
		merge(&f)
		w.suffixes[a.Domain] = f
		w.mu.Unlock()
	}
	if d := w.k.Domains.Find(a.Domain); d != nil {
		w.k.Domains.saidMu.Lock()
		merge(&d.said)
		w.k.Domains.saidMu.Unlock()
	}
	return true
}

// settleSuffixes tells the domains of the list what is said of all subdomains of
// one of theirs.
func (rd *listReader) settleSuffixes() {
	if len(rd.suffixes) == 0 {
		return
	}
	rd.k.Domains.Each(func(d *Domain) {
		for name := d.Name; ; {
			_, parent, ok := strings.Cut(name, ".")
			if !ok {
				return
			}
			f := rd.suffixes[parent]
			if f.block != NoBlock {
				d.said.addBlock(f.block, f.source)
			}
			if f.allow != 0 {
				d.said.addAllow(f.allow)
			}
			name = parent
		}
	})
}

// kinds returns what a hash may be. A keyed one is nothing without the key.
func (k *Known) kinds(kind digestKind) []digestKind {
	keyed := len(k.opt.Secret) > 0
	switch {
	case kind == eitherDigest && keyed:
		return []digestKind{sha256Digest, hmacDigest}
	case kind == eitherDigest:
		return []digestKind{sha256Digest}
	case kind == hmacDigest && !keyed:
		return nil
	}
	return []digestKind{kind}
}

// fill puts the digests of all addresses on the list into the filters of the kinds
// that were seen. again reads the list once more.
func (k *Known) fill(ctx context.Context, kinds []digestKind, addresses int64, again Again) error {
	for _, kind := range kinds {
		k.digests = append(k.digests, digest{kind, keyset.NewFilter(addresses)})
	}
	return again(ctx, func() func(a *validate.Address) {
		var d digester
		return func(a *validate.Address) {
			d.key = a.AppendKey(d.key[:0])
			for j := range k.digests {
				k.digests[j].filter.Add(digestHash(d.of(k.digests[j].kind, d.key, k.opt.Secret)))
			}
		}
	})
}

// Again reads the mailing list once more: what newWorker makes is called, by one
// goroutine each, with every address that is one.
type Again func(ctx context.Context, newWorker func() func(a *validate.Address)) error

// Reading is what reading the user's lists needs to know of the mailing list.
type Reading struct {
	OnList    *keyset.Filter             // of the keys of its addresses
	Addresses int64                      // how many there are
	Again     Again                      // reads it once more
	Expect    func(bytes int64)          // is told when more is to be read than each list once
	Read      func(bytes, records int64) // is told how far reading is; see csvrows.Pass
}

// ReadLists streams the user's lists past the keys of the mailing list and keeps
// what speaks of its addresses.
func (k *Known) ReadLists(ctx context.Context, lists []*List, r Reading) error {
	for _, l := range lists {
		l.source = k.source(filepath.Base(l.Path))
		k.matched[l.source] = &l.matched
	}
	// Hashes are looked for in a second reading, when it is known which kinds
	// there are: for those alone the mailing list is hashed.
	rd := newListReader(k, r)
	for _, l := range lists {
		if err := rd.read(ctx, l); err != nil {
			return err
		}
	}
	for _, l := range lists {
		// A list of the user's of which nothing is used is a mistake, and not let pass.
		if n := l.unusable.Load(); n > 0 && l.used.Load() == 0 {
			what := "an address, a domain or a hash"
			if l.Allow {
				what = "an address or a domain"
			}
			return fmt.Errorf("%s:%d: no line of the file is %s", l.Path, l.first.Load(), what)
		}
	}
	rd.settleSuffixes()
	var kinds []digestKind
	for kind := range digestKinds {
		if rd.seen[kind].Load() {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	for _, l := range lists {
		if l.hashes.Load() > 0 {
			r.Expect(l.Size())
		}
	}
	if err := k.fill(ctx, kinds, r.Addresses, r.Again); err != nil {
		return err
	}
	rd.second = true
	for _, l := range lists {
		if l.hashes.Load() == 0 {
			continue
		}
		if err := rd.read(ctx, l); err != nil {
			return err
		}
	}
	for i := range k.digests {
		k.digests[i].filter.Close()
		k.digests[i].filter = nil
	}
	return nil
}
