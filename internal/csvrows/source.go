package csvrows

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/winnow-email/winnow/internal/files"
)

type packing uint8

const (
	plain packing = iota
	gzipped
	zstandard
	zipped
)

// source is where the bytes of a list come from, as often as they are asked for.
// Compressed input is decompressed again in every pass: that costs less than a
// second copy of personal data on disk would.
type source struct {
	name    string
	file    *file
	member  *zip.File // nil: the whole file
	packing packing
	size    int64
}

// file is an open file that one or more lists share.
type file struct {
	*os.File
	info fs.FileInfo
	temp string // to be removed
	lent bool   // not ours to close
	mu   sync.Mutex
	uses int
}

// unchanged returns an error when the file is not any more what it was when it
// was opened.
func (f *file) unchanged(name string) error {
	now, err := f.Stat()
	if err != nil {
		return readError(name, err)
	}
	if now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()) {
		return &Error{Name: name, What: "was changed while it was read", Next: "run it again when nothing writes to the file"}
	}
	return nil
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.uses--; f.uses > 0 {
		return nil
	}
	if f.lent {
		return nil
	}
	err := f.Close()
	if f.temp != "" {
		err = errors.Join(err, os.Remove(f.temp))
	}
	return err
}

func (s *source) Close() error { return s.file.close() }

// limit returns a bound of the bytes that come out of s, for the size of a buffer.
func (s *source) limit() int64 {
	if s.packing == plain || s.packing == zipped && s.size > 0 {
		return s.size
	}
	return sampleSize
}

// openSource opens the file called name, or spools the stream that it names.
func openSource(name string, opt Options) (*source, error) {
	s := &source{name: name}
	if name == "-" {
		s.name = "standard input"
		in := opt.Stdin
		if in == nil {
			in = os.Stdin
		}
		if s.file = redirected(in); s.file == nil {
			f, err := spool(s.name, in, opt)
			if err != nil {
				return nil, readError(s.name, err)
			}
			s.file = f
		}
	} else {
		ctx, cancel := opt.waiting()
		defer cancel()
		in, err := files.Open(ctx, name)
		if err != nil {
			return nil, openError(name, err)
		}
		if f, ok := in.(*os.File); ok {
			info, err := f.Stat()
			if err != nil {
				f.Close()
				return nil, openError(name, err)
			}
			s.file = &file{File: f, info: info}
		} else { // a pipe, /dev/stdin, <(command)
			s.file, err = spool(name, in, opt)
			in.Close() // only read
			if err != nil {
				return nil, readError(name, err)
			}
		}
	}
	s.file.uses = 1
	s.size = s.file.info.Size()
	head := make([]byte, 4)
	n, err := s.file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		s.Close()
		return nil, readError(s.name, err)
	}
	s.packing = packingOf(head[:n])
	return s, nil
}

func packingOf(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstandard
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return zipped
	}
	return plain
}

// redirected returns the file that standard input is redirected from, if it is
// at its start, so that it need not be copied; nil otherwise.
func redirected(in io.Reader) *file {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 0 {
		return nil
	}
	return &file{File: f, info: info, lent: true}
}

// spool copies a stream to a private temporary file (os.CreateTemp: mode 0600),
// which has no name any more, where the system allows that, so that nothing is
// left behind however the program ends. What is no list is refused before the
// rest of it is waited for.
func spool(name string, in io.Reader, opt Options) (*file, error) {
	tmp, err := os.CreateTemp(opt.TempDir, "winnow-stdin-*")
	if err != nil {
		return nil, err
	}
	f := &file{File: tmp, uses: 1}
	if os.Remove(tmp.Name()) != nil {
		f.temp = tmp.Name()
	}
	done := make(chan error, 1)
	go func() {
		buf := bufio.NewReaderSize(in, sampleSize)
		sample, err := buf.Peek(sampleSize)
		if err == nil && packingOf(sample) == plain {
			err = refuse(name, sample, opt)
		}
		if err == nil || err == io.EOF {
			_, err = io.Copy(tmp, buf)
		}
		done <- err
	}()
	select {
	case err = <-done:
	case <-opt.Done: // the copy ends when its file is closed
		err = context.Canceled
	}
	if err == nil {
		f.info, err = tmp.Stat()
	}
	if err != nil {
		f.close() // it is of no use any more
		return nil, err
	}
	return f, nil
}

// refuse returns an error when the start of a stream shows that it is no list.
func refuse(name string, sample []byte, opt Options) error {
	d, err := detect(name, sample, false, opt)
	if err != nil || d.charset == utf16LE || d.charset == utf16BE {
		return err
	}
	line := d.lines + 1
	for at := len(d.preamble); at < len(sample); {
		r, ok := d.read(sample, at, false)
		if !ok {
			if len(sample)-at > maxRecord {
				return tooLongError(name, line)
			}
			break
		}
		at = r.next
		line += int64(r.lines)
	}
	return nil
}

// open starts a pass over the decompressed bytes. It adds to read what it takes
// from the file.
func (s *source) open(read *atomic.Int64) (io.ReadCloser, error) {
	if err := s.file.unchanged(s.name); err != nil {
		return nil, err
	}
	raw := &counted{r: io.NewSectionReader(s.file, 0, s.file.info.Size()), n: read, end: func() error { return s.file.unchanged(s.name) }}
	switch s.packing {
	case zipped:
		z, err := s.member.Open()
		if err != nil {
			return nil, readError(s.name, err)
		}
		// What a member takes of the file is not seen: count what comes out of it.
		packed := new(atomic.Int64)
		packed.Store(int64(min(s.member.CompressedSize64, math.MaxInt64)))
		return &unpacked{r: &counted{r: z, n: read, end: raw.end}, packed: packed, name: s.name, close: z}, nil
	case gzipped:
		z, err := gzip.NewReader(bufio.NewReaderSize(raw, 64<<10))
		if err != nil {
			return nil, readError(s.name, err)
		}
		return &unpacked{r: z, packed: read, name: s.name, close: z}, nil
	case zstandard:
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, readError(s.name, err)
		}
		return &unpacked{r: z, packed: read, name: s.name, close: z.IOReadCloser()}, nil
	}
	return io.NopCloser(raw), nil
}

// counted counts what is read, and asks at the end whether that was all.
type counted struct {
	r   io.Reader
	n   *atomic.Int64
	end func() error
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	if err == io.EOF {
		if changed := c.end(); changed != nil {
			return n, changed
		}
	}
	return n, err
}

// unpacked bounds what comes out of a decompressor.
type unpacked struct {
	r      io.Reader
	packed *atomic.Int64 // bytes that went in
	out    int64
	name   string
	close  io.Closer
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.out += int64(n)
	if u.out > ratioFrom && u.out/maxRatio > u.packed.Load() {
		return 0, &Error{
			Name: u.name,
			What: fmt.Sprintf("grows more than %d times when decompressed, which no list does", maxRatio),
			Next: "decompress it yourself if you trust it, and look at what comes out",
		}
	}
	if err != nil && err != io.EOF {
		err = readError(u.name, err)
	}
	return n, err
}

func (u *unpacked) Close() error {
	return u.close.Close()
}
