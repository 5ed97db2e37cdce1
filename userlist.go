package winnow

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/validate"
)

// digestKind is a way in which suppression lists hide their addresses. What is
// hashed is the key of the address: lower case, the domain as A-labels.
type digestKind uint8

const (
	md5Digest digestKind = iota
	sha1Digest
	sha256Digest
	hmacDigest // HMAC-SHA-256 under Job.HMACKey
	digestKinds
)

// digest is a kind of hash that stands in a suppression list.
type digest struct {
	kind   digestKind
	filter *filter // of the first 8 bytes of the digests of all addresses on the list
}

// digester computes digests. Each worker has its own.
type digester struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func (d *digester) of(k digestKind, key, secret []byte) []byte {
	switch k {
	case md5Digest:
		s := md5.Sum(key)
		return d.sum[:copy(d.sum[:], s[:])]
	case sha1Digest:
		s := sha1.Sum(key)
		return d.sum[:copy(d.sum[:], s[:])]
	case sha256Digest:
		d.sum = sha256.Sum256(key)
		return d.sum[:]
	}
	if d.mac == nil {
		d.mac = hmac.New(sha256.New, secret)
	}
	d.mac.Reset()
	d.mac.Write(key)
	return d.mac.Sum(d.sum[:0])
}

// digestKey is the key of a digest in the table of facts. No address key begins
// with a zero byte.
func digestKey(dst []byte, k digestKind, sum []byte) []byte {
	return append(append(dst, 0, byte(k)), sum...)
}

// digestHash is the hash of a digest in a filter of digests.
func digestHash(sum []byte) uint64 { return binary.BigEndian.Uint64(sum) | 1 }

// userList is a --suppress or --allow file.
type userList struct {
	*csvrows.List // nil: the file is empty
	path          string
	allow         bool
	source        uint16 // in run.sources, from 1
	records       int64
	unusable      atomic.Int64 // lines that are nothing
	first         atomic.Int64 // of them
	hits          atomic.Int64 // lines that speak of the list
	file          string       // path, or where a stream was kept
	closed        bool
	sum           string
	size          int64
}

// readUserLists streams the user's lists past the index of the mailing list and
// keeps what speaks of its addresses. How long they are does not matter.
func (r *run) readUserLists(ctx context.Context) error {
	for _, u := range r.userLists {
		r.sources = append(r.sources, filepath.Base(u.path))
		u.source = uint16(len(r.sources))
	}
	// Hashes are looked for in a second reading, when it is known which kinds
	// there are: for those alone the list is hashed.
	var seen [digestKinds]atomic.Bool
	for _, u := range r.userLists {
		if err := r.readUserList(ctx, u, nil, &seen); err != nil {
			return err
		}
	}
	for _, u := range r.userLists {
		// A suppression list that suppresses nobody by mistake is not let pass.
		if n := u.unusable.Load(); n > 0 && n >= u.records {
			return fmt.Errorf("%s:%d: no line of the file is an address, a domain or a hash", u.path, u.first.Load())
		}
	}
	var kinds []digestKind
	for k := range digestKinds {
		if seen[k].Load() {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	n := r.addresses
	for _, k := range kinds {
		r.digests = append(r.digests, digest{k, newFilter(n)})
	}
	for _, l := range r.lists { // read once more
		r.prog.Total.Add(max(0, l.Size()))
	}
	for _, u := range r.userLists {
		if u.List != nil && !u.allow {
			r.prog.Total.Add(max(0, u.Size()))
		}
	}
	for _, l := range r.lists {
		if _, err := r.scan(ctx, l, r.newHasher); err != nil {
			return err
		}
	}
	for _, u := range r.userLists {
		if u.allow {
			continue
		}
		if err := r.readUserList(ctx, u, r.digests, nil); err != nil {
			return err
		}
	}
	for i := range r.digests {
		r.digests[i].filter.free()
		r.digests[i].filter = nil
	}
	return nil
}

// openUserList opens a --suppress or --allow file. A stream is kept in a private
// file first: the list may have to be read twice.
func (r *run) openUserList(ctx context.Context, u *userList) error {
	u.file = u.path
	var size int64
	if u.path == "-" {
		in := r.job.Stdin
		if in == nil {
			in = os.Stdin
		}
		var err error
		if u.file, size, err = r.spool(ctx, in); err != nil {
			return fmt.Errorf("cannot read standard input: %w", files.Plain(err))
		}
	} else {
		st, err := os.Stat(u.path)
		if err == nil && st.IsDir() {
			err = errors.New("it is a folder")
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", u.path, files.Plain(err))
		}
		if size = st.Size(); !st.Mode().IsRegular() {
			in, err := os.Open(u.path)
			if err == nil {
				u.file, size, err = r.spool(ctx, in)
				in.Close() // only read; it also ends a spool that was given up
			}
			if err != nil {
				return fmt.Errorf("cannot read %s: %w", u.path, files.Plain(err))
			}
		}
	}
	if size == 0 {
		return nil
	}
	var err error
	if u.List, err = csvrows.Open(u.file, csvrows.Options{TempDir: r.out.Temp()}); err != nil {
		// Hashes and domains do not look like an address column.
		u.List, err = csvrows.Open(u.file, csvrows.Options{TempDir: r.out.Temp(), Column: "1"})
		if err == nil {
			err = u.chooseColumn()
		}
	}
	var ce *csvrows.Error
	if errors.As(err, &ce) {
		ce.Name = u.path
	}
	if err != nil {
		return err
	}
	r.prog.Total.Add(max(0, u.Size()))
	return nil
}

// chooseColumn takes the column that holds most hashes and domains at the
// beginning of the file.
func (u *userList) chooseColumn() error {
	sc, err := u.Scan()
	if err != nil {
		return err
	}
	defer sc.Close() // only read
	var c csvrows.Chunk
	if err := sc.Next(&c); err != nil && err != io.EOF {
		return err
	}
	var w listWorker
	best := 0
	for column := range max(1, len(u.Header)) {
		n := 0
		for i := range min(c.Len(), 200) {
			cell := bytes.TrimSpace(c.Cell(i, column, w.cell))
			if _, _, hex := w.hexDigest(cell); hex || len(cell) > 3 && cell[0] == '@' {
				n++
			}
		}
		if n > best {
			best, u.Column = n, column
		}
	}
	return nil
}

// spool copies a stream to a private file.
func (r *run) spool(ctx context.Context, in io.Reader) (path string, size int64, err error) {
	f, err := os.CreateTemp(r.out.Temp(), "stream-*")
	if err != nil {
		return "", 0, err
	}
	done := make(chan error, 1)
	go func() {
		var err error
		size, err = io.Copy(f, in)
		done <- errors.Join(err, f.Close())
	}()
	select {
	case err = <-done:
		return f.Name(), size, err
	case <-ctx.Done():
		return "", 0, ctx.Err()
	}
}

// newHasher returns a worker that puts the digests of a list into r.digests.
func (r *run) newHasher() (func(context.Context, *slot) error, func() error) {
	var d digester
	p := newParser(r)
	work := func(ctx context.Context, s *slot) error {
		for i := 0; i < s.chunk.Len(); i += blockSize {
			p.block(&s.chunk, s.list, i, min(i+blockSize, s.chunk.Len()))
			for k := range p.list {
				if p.list[k].err != nil {
					continue
				}
				p.key = p.list[k].addr.AppendKey(p.key[:0])
				for j := range r.digests {
					r.digests[j].filter.add(digestHash(d.of(r.digests[j].kind, p.key, r.job.HMACKey)))
				}
			}
		}
		return ctx.Err()
	}
	return work, func() error { return nil }
}

// digested returns the source that lists a digest of key, or 0.
func (w *judgeWorker) digested(key []byte) (uint16, error) {
	r := w.r
	for _, d := range r.digests {
		w.dkey = digestKey(w.dkey[:0], d.kind, w.digester.of(d.kind, key, r.job.HMACKey))
		var u userFact
		if _, err := r.facts.get(r.hash(w.dkey), w.dkey, &u, nil, &w.fact); err != nil {
			return 0, err
		}
		if u.block != noBlock {
			return u.source, nil
		}
	}
	return 0, nil
}

// readUserList reads one file: with digests nil everything but the hashes, whose
// kinds are noted in seen, else the hashes alone.
func (r *run) readUserList(ctx context.Context, u *userList, digests []digest, seen *[digestKinds]atomic.Bool) error {
	l := u.List
	if l == nil {
		return nil // nobody has unsubscribed yet; finish says so
	}
	rd := &listReader{run: r, list: u, digests: digests, seen: seen}
	// In a file that begins with hashes or domains nothing tells that its first
	// lines are no titles or header: whatever they are taken for, they count.
	w := rd.worker()
	for line := range bytes.FieldsFuncSeq(text(l.Preamble(), l.Charset), func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		cells := bytes.Split(line, []byte{l.Comma})
		if l.Column >= len(cells) {
			continue
		}
		used, err := w.entry(bytes.Trim(cells[l.Column], ` "`))
		if err != nil {
			return err
		}
		if used && seen != nil {
			u.records++
		}
	}
	n, err := r.scan(ctx, &list{List: l, index: -1}, func() (func(context.Context, *slot) error, func() error) {
		w := rd.worker()
		return w.do, func() error { return nil }
	})
	if seen != nil {
		u.records += n
	}
	return err
}

type listReader struct {
	run     *run
	list    *userList
	digests []digest
	seen    *[digestKinds]atomic.Bool
}

type listWorker struct {
	*listReader
	cell, key []byte
	addrs     []validate.CellAddress
	sum       [sha256.Size]byte
}

func (rd *listReader) worker() *listWorker {
	return &listWorker{listReader: rd, cell: make([]byte, 0, 512)}
}

func (w *listWorker) do(ctx context.Context, s *slot) error {
	c := &s.chunk
	for i := range c.Len() {
		used := false
		if c.Problem(i) == "" {
			cell := c.Cell(i, s.list.Column, w.cell)
			if len(bytes.TrimSpace(cell)) == 0 {
				continue
			}
			var err error
			if used, err = w.entry(cell); err != nil {
				return err
			}
		}
		if !used && w.seen != nil {
			w.list.unusable.Add(1)
			for line := c.Line(i); ; {
				if old := w.list.first.Load(); old != 0 && old <= line || w.list.first.CompareAndSwap(old, line) {
					break
				}
			}
		}
	}
	return ctx.Err()
}

// entry takes one entry of the file: an address, @domain or domain, or a hash
// in hexadecimal. It reports whether it is one of these.
func (w *listWorker) entry(cell []byte) (bool, error) {
	r := w.run
	cell = bytes.TrimSpace(cell)
	if k, sum, ok := w.hexDigest(cell); ok {
		if w.list.allow {
			return false, nil // a hash cannot allow: it is not known what it is
		}
		if w.seen != nil {
			w.seen[k].Store(true)
			if k == sha256Digest && len(r.job.HMACKey) > 0 {
				w.seen[hmacDigest].Store(true)
			}
			return true, nil
		}
		for i := range w.digests {
			d := &w.digests[i]
			if d.kind != k && !(d.kind == hmacDigest && k == sha256Digest) || !d.filter.has(digestHash(sum)) {
				continue
			}
			w.key = digestKey(w.key[:0], d.kind, sum)
			w.list.hits.Add(1)
			if err := r.facts.putUser(r.hash(w.key), w.key, blockSuppressed, w.list.source, false); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	if w.seen == nil {
		return true, nil // read before
	}
	at := bytes.IndexByte(cell, '@')
	if at == 0 || at < 0 && bytes.IndexByte(cell, '.') > 0 && !bytes.ContainsAny(cell, " \t") {
		name := cell
		if at == 0 {
			name = cell[1:]
		}
		a, err := validate.ParseAddress("x@" + string(name))
		if err != nil {
			return false, nil
		}
		if d := r.domains.find(a.Domain); d != nil {
			w.list.hits.Add(1)
			r.userMu.Lock()
			if w.list.allow {
				d.user.addAllow(w.list.source)
			} else {
				d.user.addBlock(blockSuppressed, w.list.source)
			}
			r.userMu.Unlock()
		}
		return true, nil
	}
	if at < 0 {
		return false, nil
	}
	used := false
	w.addrs = validate.ParseCell(w.addrs[:0], stringOf(cell))
	for i := range w.addrs {
		a, err := validate.ParseAddress(w.addrs[i].Address)
		if err != nil {
			continue
		}
		used = true
		w.key = r.identity(a.AppendKey(w.key[:0]))
		h := r.hash(w.key)
		if !r.onList.has(h) {
			continue
		}
		w.list.hits.Add(1)
		if err := r.facts.putUser(h, w.key, blockSuppressed, w.list.source, w.list.allow); err != nil {
			return true, err
		}
	}
	return used, nil
}

// hexDigest reads a hash by its width.
func (w *listWorker) hexDigest(cell []byte) (digestKind, []byte, bool) {
	var k digestKind
	switch len(cell) {
	case 2 * md5.Size:
		k = md5Digest
	case 2 * sha1.Size:
		k = sha1Digest
	case 2 * sha256.Size:
		k = sha256Digest
	default:
		return 0, nil, false
	}
	n, err := hex.Decode(w.sum[:], cell)
	return k, w.sum[:n], err == nil
}

// hashInputs takes the SHA-256 of all files that are read.
func (r *run) hashInputs(ctx context.Context) error {
	for _, l := range r.lists {
		if l.text != nil {
			continue
		}
		var err error
		if l.sum, _, err = files.Hash(ctx, l.path); err != nil {
			return err
		}
	}
	for _, u := range r.userLists {
		var err error
		if u.sum, u.size, err = files.Hash(ctx, u.file); err != nil {
			return err
		}
	}
	return nil
}
