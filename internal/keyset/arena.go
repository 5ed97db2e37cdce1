package keyset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// arena keeps byte strings, up to limit bytes in memory, the rest in a file.
// The zero value keeps all of them in memory.
type arena struct {
	slabs [][]byte
	pool  pool
	held  int64
	limit int64 // 0: none
	spill *spillFile
	wbuf  []byte
	wbase int64 // offset in the file of wbuf
}

const (
	arenaSlab   = 1 << 18
	arenaOnDisk = int64(1) << 62
)

// bound keeps up to limit bytes in memory and the rest in a file in dir.
func (a *arena) bound(limit int64, dir string) {
	a.limit, a.spill = max(1, limit), &spillFile{dir: dir}
}

var errDamaged = errors.New("a temporary file of this run was damaged")

// put copies b and returns where it is.
func (a *arena) put(b []byte) (int64, error) {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(b)))
	need := n + len(b)
	k := len(a.slabs) - 1
	if k < 0 || cap(a.slabs[k])-len(a.slabs[k]) < need {
		if a.limit > 0 && a.held >= a.limit && a.spill != nil {
			ref := arenaOnDisk | (a.wbase + int64(len(a.wbuf)))
			a.wbuf = append(append(a.wbuf, head[:n]...), b...)
			if len(a.wbuf) >= arenaSlab {
				if _, err := a.spill.append(a.wbuf); err != nil {
					return 0, err
				}
				a.wbase += int64(len(a.wbuf))
				a.wbuf = a.wbuf[:0]
			}
			return ref, nil
		}
		size := max(need, arenaSlab)
		a.slabs = append(a.slabs, a.pool.alloc(size)[:0])
		a.held += int64(size)
		k++
	}
	s := a.slabs[k]
	ref := int64(k)<<32 | int64(len(s))
	a.slabs[k] = append(append(s, head[:n]...), b...)
	return ref, nil
}

// get returns what put kept at ref: a part of the arena, or of the file in buf.
func (a *arena) get(ref int64, buf *[]byte) ([]byte, error) {
	if ref&arenaOnDisk == 0 {
		s := a.slabs[ref>>32][ref&0xffffffff:]
		n, k := binary.Uvarint(s)
		return s[k : k+int(n)], nil
	}
	off := ref &^ arenaOnDisk
	if off >= a.wbase {
		s := a.wbuf[off-a.wbase:]
		n, k := binary.Uvarint(s)
		*buf = append((*buf)[:0], s[k:k+int(n)]...)
		return *buf, nil
	}
	var head [512]byte
	got, err := a.spill.readSome(head[:], off)
	if err != nil {
		return nil, err
	}
	n, k := binary.Uvarint(head[:got])
	if k <= 0 || n > uint64(a.wbase) {
		return nil, errDamaged
	}
	if k+int(n) <= got {
		*buf = append((*buf)[:0], head[k:k+int(n)]...)
		return *buf, nil
	}
	*buf = slices.Grow((*buf)[:0], int(n))[:n]
	return *buf, a.spill.read(*buf, off+int64(k))
}

// each calls f with all that was put, in no order. What f gets is valid until it
// returns.
func (a *arena) each(f func(b []byte) error) error {
	for _, s := range a.slabs {
		for len(s) > 0 {
			n, k := binary.Uvarint(s)
			if err := f(s[k : k+int(n)]); err != nil {
				return err
			}
			s = s[k+int(n):]
		}
	}
	var buf []byte
	for off := int64(0); off < a.wbase+int64(len(a.wbuf)); {
		b, err := a.get(arenaOnDisk|off, &buf)
		if err != nil {
			return err
		}
		var head [binary.MaxVarintLen64]byte
		off += int64(binary.PutUvarint(head[:], uint64(len(b))) + len(b))
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

// close gives back the arena's memory and file.
func (a *arena) close() {
	a.slabs = nil
	a.pool.free()
	if a.spill != nil {
		a.spill.close() // the folder it lies in is removed in any case
	}
}

// spillFile is a private temporary file that only this process can see; it is
// created when it is first needed.
type spillFile struct {
	dir  string
	mu   sync.Mutex
	f    *os.File
	size int64
}

func (s *spillFile) append(b []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		f, err := os.CreateTemp(s.dir, "spill-*")
		if err != nil {
			return 0, err
		}
		s.f = f
	}
	off := s.size
	if _, err := s.f.WriteAt(b, off); err != nil {
		return 0, fmt.Errorf("writing a temporary file in %s: %w", filepath.Dir(filepath.Dir(s.f.Name())), err)
	}
	s.size += int64(len(b))
	return off, nil
}

func (s *spillFile) read(b []byte, off int64) error {
	_, err := s.f.ReadAt(b, off)
	return err
}

// readSome reads up to len(b) bytes.
func (s *spillFile) readSome(b []byte, off int64) (int, error) {
	b = b[:min(int64(len(b)), s.size-off)]
	n, err := s.f.ReadAt(b, off)
	if err == io.EOF { // cut off by somebody
		err = errDamaged
	}
	return n, err
}

// close removes the file. It may be called twice.
func (s *spillFile) close() error {
	if s.f == nil {
		return nil
	}
	name := s.f.Name()
	err := s.f.Close()
	s.f = nil
	if rerr := os.Remove(name); err == nil {
		err = rerr
	}
	return err
}
