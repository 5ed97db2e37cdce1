package csvrows

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A compressed input may not grow by more than maxRatio once ratioFrom bytes
// have come out of it. Real lists compress by 3 to 30; gzip packs zeros 1030 to 1.
const (
	maxRatio  = 200
	ratioFrom = 10 << 20
	maxWindow = 32 << 20 // of zstd: what its frames may make us hold
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
	mu   sync.Mutex
	uses int
}

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.uses--; f.uses > 0 {
		return nil
	}
	err := f.Close()
	if f.temp != "" {
		err = errors.Join(err, os.Remove(f.temp))
	}
	return err
}

func (s *source) Close() error { return s.file.close() }

// openSource opens the file at path, or spools the stream that it names.
func openSource(path string, opt Options) (*source, error) {
	s := &source{name: path}
	if path == "-" {
		s.name = "standard input"
		in := opt.Stdin
		if in == nil {
			in = os.Stdin
		}
		f, err := spool(in, opt)
		if err != nil {
			return nil, &Error{Name: s.name, What: err.Error(), Err: err}
		}
		s.file = f
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, openError(path, err)
		}
		info, err := f.Stat()
		switch {
		case err != nil:
			f.Close()
			return nil, openError(path, err)
		case info.IsDir():
			f.Close()
			return nil, &Error{Name: path, What: "is a directory", Next: "name a file in it"}
		case !info.Mode().IsRegular(): // a pipe, /dev/stdin, <(command)
			s.file, err = spool(f, opt)
			f.Close()
			if err != nil {
				return nil, &Error{Name: path, What: err.Error(), Err: err}
			}
		default:
			s.file = &file{File: f, info: info}
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

// spool copies a stream to a private temporary file (os.CreateTemp: mode 0600),
// which has no name any more, where the system allows that, so that nothing is
// left behind however the program ends.
func spool(in io.Reader, opt Options) (*file, error) {
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
		_, err := io.Copy(tmp, in)
		done <- err
	}()
	select {
	case err = <-done:
	case <-opt.Done: // the copy ends when its file is closed
		err = errors.New("interrupted while it was read")
	}
	if err == nil {
		f.info, err = tmp.Stat()
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// open starts a pass over the decompressed bytes. It adds to read what it takes
// from the file.
func (s *source) open(read *atomic.Int64) (io.ReadCloser, error) {
	now, err := s.file.Stat()
	if err != nil {
		return nil, readError(s.name, err)
	}
	if now.Size() != s.file.info.Size() || !now.ModTime().Equal(s.file.info.ModTime()) {
		return nil, &Error{Name: s.name, What: "was changed while it was read", Next: "run it again when nothing writes to the file"}
	}
	raw := &counted{r: io.NewSectionReader(s.file, 0, s.file.info.Size()), n: read}
	var in io.Reader
	switch closer := io.Closer(nil); s.packing {
	case gzipped:
		z, err := gzip.NewReader(bufio.NewReaderSize(raw, 64<<10))
		if err != nil {
			return nil, readError(s.name, err)
		}
		in = z
		return &unpacked{r: in, packed: read, name: s.name, close: closer}, nil
	case zstandard:
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, readError(s.name, err)
		}
		return &unpacked{r: z, packed: read, name: s.name, close: z.IOReadCloser()}, nil
	}
	return io.NopCloser(raw), nil
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// unpacked bounds what comes out of a decompressor.
type unpacked struct {
	r      io.Reader
	packed *atomic.Int64
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
	if u.close != nil {
		return u.close.Close()
	}
	return nil
}

func openError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	e := &Error{Name: path, What: err.Error(), Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Next = "check the path"
	case errors.Is(err, fs.ErrPermission):
		e.Next = "check who may read it (ls -l)"
	}
	return e
}

func readError(name string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	e = &Error{Name: name, What: "cannot be read: " + err.Error(), Err: err}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		e.What, e.Next = "is compressed and damaged or cut off", "fetch or export it again"
	}
	return e
}
