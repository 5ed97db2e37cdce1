package dnsmx

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/validate"
)

// The cache file keeps answers between runs. It is private (0600), replaced as
// a whole by a rename, and believed only when its checksum is right:
//
//	header   magic, share of the last run, fingerprint, number of records and slots, checksums
//	records  one after the other: length, hash, expiry, observed, strings
//	slots    a hash table of offsets of records, 0 for an empty slot
const (
	cacheMagic   = "winnow dns cache 1\n"
	cacheHeader  = 64
	tableVersion = 2 // of the decision table: a new one asks everything anew
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cacheFile is a cache file that was read.
type cacheFile struct {
	data  []byte
	slots []byte
	end   int // of the records
	share share
}

// hashName is FNV-1a: the file outlives the process.
func hashName(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

var (
	errDamaged  = errors.New("damaged")
	errNotCache = errors.New("not a cache")
)

// readCache reads a cache file. A missing file is empty; one that is damaged is
// an error, and to be written anew; one that is something else, such as the
// user's list named by mistake, is an error too, and stays. fingerprint 0 fits
// every file.
func readCache(path string, fingerprint uint64) (*cacheFile, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &cacheFile{}, nil
	}
	if err != nil {
		return nil, err
	}
	if start := data[:min(len(data), len(cacheMagic))]; !strings.HasPrefix(cacheMagic, string(start)) && len(bytes.Trim(start, "\x00")) > 0 {
		return nil, errNotCache // a file of zeros is what a crash can leave
	}
	if len(data) < cacheHeader || !bytes.HasPrefix(data, []byte(cacheMagic)) || binary.LittleEndian.Uint32(data[60:]) != crc32.Checksum(data[:60], castagnoli) {
		return nil, errDamaged
	}
	end, n := binary.LittleEndian.Uint64(data[40:]), uint64(binary.LittleEndian.Uint32(data[48:]))
	if end < cacheHeader || end > uint64(len(data)) || uint64(len(data))-end != 8*n || n&(n-1) != 0 ||
		binary.LittleEndian.Uint32(data[52:]) != crc32.Checksum(data[cacheHeader:], castagnoli) {
		return nil, errDamaged
	}
	if f := binary.LittleEndian.Uint64(data[32:]); fingerprint != 0 && f != fingerprint {
		return &cacheFile{}, nil // other resolvers may see another Internet
	}
	return &cacheFile{data: data, slots: data[end:], end: int(end), share: shareOf(data)}, nil
}

// record is one answer in the file.
type record struct {
	hash     uint64
	expires  int64 // Unix seconds
	observed int64
	strings  string // domain, reason, provider, hosts, warnings, evidence: separated by \x1f, their parts by \x1e and \x1d
}

const recordHead = 4 + 8 + 8 + 8

// at returns the record at an offset and the offset after it.
func (c *cacheFile) at(off int) (r record, next int, ok bool) {
	if off < cacheHeader || off+recordHead > c.end {
		return r, 0, false
	}
	b := c.data[off:c.end]
	n := int(binary.LittleEndian.Uint32(b))
	if n < recordHead || n > len(b) {
		return r, 0, false
	}
	r.hash = binary.LittleEndian.Uint64(b[4:])
	r.expires = int64(binary.LittleEndian.Uint64(b[12:]))
	r.observed = int64(binary.LittleEndian.Uint64(b[20:]))
	r.strings = string(b[recordHead:n])
	return r, off + n, true
}

// find returns the record of a domain.
func (c *cacheFile) find(domain string) (record, bool) {
	n := uint64(len(c.slots) / 8)
	if n == 0 {
		return record{}, false
	}
	h := hashName(domain)
	for i := h & (n - 1); ; i = (i + 1) & (n - 1) {
		off := int(binary.LittleEndian.Uint64(c.slots[8*i:]))
		if off == 0 || off+recordHead > c.end {
			return record{}, false
		}
		if binary.LittleEndian.Uint64(c.data[off+4:]) != h {
			continue
		}
		r, _, ok := c.at(off)
		if !ok || !strings.HasPrefix(r.strings, domain) || r.strings[len(domain)] != 0x1f {
			continue
		}
		return r, true
	}
}

// get returns the answer for a domain if there is one that is still good.
func (c *cacheFile) get(domain string, now int64) (validate.Answer, bool) {
	r, ok := c.find(domain)
	// A clock that was set back must not make an answer live longer.
	if !ok || r.expires <= now || r.observed > now+60 || r.expires-r.observed > int64(7*24*time.Hour/time.Second) {
		return validate.Answer{}, false
	}
	return r.answer()
}

// answer unpacks a record.
func (r *record) answer() (a validate.Answer, ok bool) {
	var f [6]string
	rest := r.strings
	for i := range f {
		f[i], rest, ok = strings.Cut(rest, "\x1f")
		if ok != (i < len(f)-1) {
			return a, false
		}
	}
	a = validate.Answer{Domain: f[0], Reason: f[1], Verdict: verdictOf(f[1]), Detail: Explain(f[1]), Provider: f[2], ObservedAt: time.Unix(r.observed, 0).UTC()}
	if f[3] != "" {
		a.MX = strings.Split(f[3], "\x1e")
	}
	if f[4] != "" {
		a.Warnings = strings.Split(f[4], "\x1e")
	}
	if f[5] != "" {
		a.Evidence = make([]validate.Evidence, 0, 2)
		for more := true; more; {
			var e string
			e, f[5], more = strings.Cut(f[5], "\x1e")
			what, from, _ := strings.Cut(e, "\x1d")
			a.Evidence = append(a.Evidence, validate.Evidence{What: what, From: from, When: a.ObservedAt})
		}
	}
	return a, a.Verdict != validate.Unknown
}

func appendRecord(b []byte, a validate.Answer, expires time.Time) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint64(b, hashName(a.Domain))
	b = binary.LittleEndian.AppendUint64(b, uint64(expires.Unix()))
	b = binary.LittleEndian.AppendUint64(b, uint64(a.ObservedAt.Unix()))
	for i, s := range []string{a.Domain, a.Reason, a.Provider} {
		if i > 0 {
			b = append(b, 0x1f)
		}
		b = append(b, s...)
	}
	for _, l := range [][]string{a.MX, a.Warnings} {
		b = append(b, 0x1f)
		for i, s := range l {
			if i > 0 {
				b = append(b, 0x1e)
			}
			b = append(b, s...)
		}
	}
	b = append(b, 0x1f)
	for i, e := range a.Evidence {
		if i > 0 {
			b = append(b, 0x1e)
		}
		b = append(b, e.What...)
		b = append(b, 0x1d)
		b = append(b, e.From...)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// cacheWriter writes a new cache file. Records go to the disk as they come; in
// memory stay 16 bytes of each.
type cacheWriter struct {
	fingerprint uint64
	f           *files.Whole
	w           *bufio.Writer
	crc         uint32
	off         int64
	entries     []cacheEntry
	gone        map[uint64]bool // not to be taken over from the old file
	share       share
	err         error
}

type cacheEntry struct {
	hash uint64
	off  int64
}

// newCacheWriter starts a file that commit puts at path. damaged says that the
// file that is there was found to be what is left of a cache.
func newCacheWriter(path string, fingerprint uint64, damaged bool) (*cacheWriter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := files.Create(path, cacheMagic)
	if damaged {
		f, err = files.Replace(path)
	}
	if err != nil {
		return nil, err
	}
	w := &cacheWriter{fingerprint: fingerprint, f: f, w: bufio.NewWriterSize(f, 1<<16), off: cacheHeader, gone: map[uint64]bool{}}
	_, w.err = w.w.Write(make([]byte, cacheHeader))
	return w, nil
}

func (w *cacheWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	w.crc = crc32.Update(w.crc, castagnoli, b)
	w.off += int64(len(b))
	_, w.err = w.w.Write(b)
}

// add writes a record.
func (w *cacheWriter) add(b []byte) {
	w.entries = append(w.entries, cacheEntry{binary.LittleEndian.Uint64(b[4:]), w.off})
	w.write(b)
}

// keep copies the records of old that are still good and not written yet.
func (w *cacheWriter) keep(old *cacheFile, now int64, drop func(domain string) bool) {
	fresh := make(map[uint64]bool, len(w.entries))
	for _, e := range w.entries {
		fresh[e.hash] = true
	}
	for off := cacheHeader; off < old.end; {
		r, next, ok := old.at(off)
		if !ok {
			return
		}
		domain, _, _ := strings.Cut(r.strings, "\x1f")
		if r.expires > now && !fresh[r.hash] && !w.gone[r.hash] && !drop(domain) {
			w.add(old.data[off:next])
		}
		off = next
	}
}

// commit writes the table and the header and puts the file in its place.
func (w *cacheWriter) commit() error {
	end := w.off
	n := 0
	if len(w.entries) > 0 {
		for n = 16; n < 2*len(w.entries); n *= 2 {
		}
		slots := make([]byte, 8*n)
		for _, e := range w.entries {
			i := e.hash & uint64(n-1)
			for binary.LittleEndian.Uint64(slots[8*i:]) != 0 {
				i = (i + 1) & uint64(n-1)
			}
			binary.LittleEndian.PutUint64(slots[8*i:], uint64(e.off))
		}
		w.write(slots)
	}
	var h [cacheHeader]byte
	copy(h[:], cacheMagic)
	w.share.put(h[:])
	binary.LittleEndian.PutUint64(h[32:], w.fingerprint)
	binary.LittleEndian.PutUint64(h[40:], uint64(end))
	binary.LittleEndian.PutUint32(h[48:], uint32(n))
	binary.LittleEndian.PutUint32(h[52:], w.crc)
	binary.LittleEndian.PutUint32(h[60:], crc32.Checksum(h[:60], castagnoli))
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err == nil {
		_, w.err = w.f.WriteAt(h[:], 0)
	}
	if w.err != nil {
		w.f.Abandon()
		return files.Plain(w.err)
	}
	return w.f.Commit()
}

// share is how many domains of a run the DNS condemned.
type share struct{ domains, condemned uint32 }

// shareAt is where the share of the last large run stands in the header.
const shareAt = 20

func (s share) put(header []byte) {
	binary.LittleEndian.PutUint32(header[shareAt:], s.domains)
	binary.LittleEndian.PutUint32(header[shareAt+4:], s.condemned)
}

func shareOf(header []byte) share {
	return share{binary.LittleEndian.Uint32(header[shareAt:]), binary.LittleEndian.Uint32(header[shareAt+4:])}
}
