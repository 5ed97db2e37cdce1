package reader

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/internal/shown"
)

// What unpacks is bounded: a few bytes of a stranger must not become a disk full.
const (
	maxLayers = 4         // of archives within archives
	maxRatio  = 200       // of decompressed to compressed bytes …
	minRatio  = 10 << 20  // … once this much came out
	maxWindow = 128 << 20 // of zstd, as of --long: what its frames may make us hold
)

// packing tells by its first bytes how a file is compressed; "" when it is not.
func packing(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	case bytes.HasPrefix(head, []byte("BZh")) && len(head) > 4 && bytes.HasPrefix(head[4:], []byte("1AY&SY")):
		return "bzip2"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "zip"
	}
	return ""
}

// A budget bounds what comes out of all layers of a file together.
type budget struct {
	in  countingReader // the file itself
	out int64          // what was unpacked of it
}

// unpack returns a reader of what a compressed stream holds, and a function that
// ends it.
func unpack(kind string, r io.Reader, b *budget) (io.Reader, func(), error) {
	in := &countingReader{r: r}
	var z io.Reader
	end := func() {}
	switch kind {
	case "gzip":
		g, err := gzip.NewReader(in)
		if err != nil {
			return nil, end, in.blame(err, "damaged gzip file")
		}
		z = g
	case "zstd":
		s, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, end, in.blame(err, "damaged zstd file")
		}
		z, end = s, s.Close
	case "bzip2":
		z = bzip2.NewReader(in)
	}
	return &ratioReader{r: z, in: in, budget: b, kind: kind}, end, nil
}

// members calls each for every member of a zip archive, whose directory stands at
// its end: a stream is spooled to a private temporary file first. What is no file,
// or holds nothing but what macOS notes of the others, is passed over.
func members(r io.Reader, br *bufio.Reader, name string, b *budget, each func(member io.Reader, name string) error) error {
	f, ok := r.(*os.File)
	if ok {
		info, err := f.Stat()
		if ok = err == nil && info.Mode().IsRegular(); ok {
			b.in.n = info.Size()
		}
	}
	size := b.in.n
	if !ok {
		tmp, err := files.NewTemp("")
		if err != nil {
			return err
		}
		defer tmp.Close()
		if size, err = io.Copy(tmp, br); err != nil {
			return fmt.Errorf("%s: %w", shown.Name(name), err)
		}
		f = tmp.File
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return &damage{"damaged zip file: " + err.Error()}
	}
	for _, m := range z.File {
		if m.FileInfo().IsDir() || strings.HasPrefix(m.Name, "__MACOSX/") {
			continue
		}
		rc, err := m.Open()
		if err != nil {
			rc = io.NopCloser(unreadable{&damage{"cannot be unpacked: " + err.Error()}})
		}
		err = each(&ratioReader{r: rc, in: &countingReader{n: int64(m.CompressedSize64)}, budget: b, kind: "zip"}, name+"#"+m.Name)
		rc.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// unreadable is a file that fails.
type unreadable struct{ err error }

func (u unreadable) Read([]byte) (int, error) { return 0, u.err }

type countingReader struct {
	r   io.Reader
	n   int64
	err error // of the reader beneath: no fault of what it holds
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// blame tells whose fault an error of unpacking is: that of the reader beneath, or
// of the content, which is a *damage.
func (c *countingReader) blame(err error, what string) error {
	if c.err != nil {
		return c.err
	}
	return &damage{what + ": " + err.Error()}
}

// A damage is a fault of a file's content: one bad file among many costs no other.
type damage struct{ why string }

func (e *damage) Error() string { return e.why }

var (
	errBomb     = &damage{"unpacks to more than 200 times its size; unpack it yourself if that is right"}
	errCutShort = &damage{"the compressed file is cut short; get it again"}
	errLayers   = &damage{"too many layers of compression"}
)

// ratioReader stops a file that unpacks without end.
type ratioReader struct {
	r      io.Reader
	in     *countingReader
	out    int64
	budget *budget
	kind   string
}

func (c *ratioReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.out += int64(n)
	c.budget.out += int64(n)
	switch {
	case c.out > minRatio && c.out > maxRatio*c.in.n, c.budget.out > minRatio && c.budget.out > maxRatio*c.budget.in.n:
		return 0, errBomb
	case err == nil || err == io.EOF:
	case c.in.err != nil:
		err = c.in.err
	case err == io.ErrUnexpectedEOF:
		err = errCutShort
	default:
		if _, known := err.(*damage); !known {
			err = &damage{"damaged " + c.kind + " file: " + err.Error()}
		}
	}
	return n, err
}
