package reader

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

const (
	peekSize = 64 << 10
	maxDepth = 4        // of archives within archives
	maxRatio = 200      // of decompressed to compressed bytes …
	minRatio = 10 << 20 // … once this much came out
)

// stream finds out what r holds by its first bytes and reads it. Compressed
// streams are unpacked on the way, archives member by member.
func (d *reading) stream(r io.Reader, name string, depth int) error {
	d.name = name
	if depth > maxDepth {
		return fmt.Errorf("%s: too many layers of compression", name)
	}
	br := bufio.NewReaderSize(r, peekSize)
	head, err := br.Peek(peekSize)
	if err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		in := &countingReader{r: br}
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: damaged gzip file: %w", name, err)
		}
		return d.unpacked(z, in, name, depth)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		in := &countingReader{r: br}
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return fmt.Errorf("%s: damaged zstd file: %w", name, err)
		}
		defer z.Close()
		return d.unpacked(z, in, name, depth)
	case bytes.HasPrefix(head, []byte("BZh")) && len(head) > 4 && bytes.HasPrefix(head[4:], []byte("1AY&SY")):
		in := &countingReader{r: br}
		return d.unpacked(bzip2.NewReader(in), in, name, depth)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return d.zip(r, br, name, depth)
	}

	if enc := wideText(head); enc != nil {
		br = bufio.NewReaderSize(enc.NewDecoder().Reader(br), peekSize)
		head, _ = br.Peek(peekSize)
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		br.Discard(3)
		head = head[3:]
	}
	body := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(body) == 0:
		if len(head) < peekSize {
			d.format("empty")
			return nil
		}
		return unknownForm(name)
	case bytes.IndexByte(body, 0) >= 0:
		return unknownForm(name)
	}
	switch form(head) {
	case "json":
		return d.json(br)
	case "log":
		return d.logs(br)
	case "mbox":
		return d.mbox(br)
	case "mail":
		return d.mail(br)
	}
	return d.csv(br)
}

// form tells what text it is by how it begins.
func form(head []byte) string {
	body := bytes.TrimLeft(head, " \t\r\n")
	if bytes.IndexByte(body, '\n') < 0 && bytes.IndexByte(body, '\r') >= 0 {
		body = unixLines(bytes.Clone(body))
	}
	line, rest := cutLine(body)
	if bytes.HasPrefix(line, []byte("From ")) {
		if next, _ := cutLine(rest); isField(next) {
			return "mbox"
		}
	}
	if looksLikeJSON(body) {
		return "json"
	}
	if looksLikeMail(body) {
		return "mail"
	}
	if looksLikeLog(body) {
		return "log"
	}
	return "csv"
}

// looksLikeMail tells whether b begins with header fields, one of which at
// least is a field of mails (RFC 5322 3.6).
func looksLikeMail(b []byte) bool {
	known := false
	for n := 0; n < 40 && len(b) > 0; n++ {
		var line []byte
		line, b = cutLine(b)
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return known
		}
		if n > 0 && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		if !isField(line) {
			return known && n > 1
		}
		for _, f := range []string{"received", "return-path", "from", "date", "message-id", "delivered-to", "mime-version", "subject", "to", "x-original-to", "dkim-signature", "x-apparently-to", "content-type", "x-mozilla-status", "authentication-results"} {
			if hasName(line, f) {
				known = true
			}
		}
	}
	return known
}

func unknownForm(name string) error {
	return &formError{name, "not a form of bounces that winnow knows"}
}

func (d *reading) unpacked(z io.Reader, in *countingReader, name string, depth int) error {
	return d.stream(&ratioReader{r: z, in: in}, name, depth+1)
}

// zip reads the members of a zip archive, whose directory stands at its end: a
// stream is spooled to a private temporary file first.
func (d *reading) zip(r io.Reader, br *bufio.Reader, name string, depth int) error {
	f, ok := r.(*os.File)
	var size int64
	if ok {
		info, err := f.Stat()
		if err != nil || !info.Mode().IsRegular() {
			ok = false
		} else {
			size = info.Size()
		}
	}
	if !ok {
		tmp, err := os.CreateTemp("", "winnow-*.zip")
		if err != nil {
			return err
		}
		defer os.Remove(tmp.Name())
		defer tmp.Close()
		if size, err = io.Copy(tmp, br); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f = tmp
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("%s: damaged zip file: %w", name, err)
	}
	for _, m := range z.File {
		if m.FileInfo().IsDir() || strings.HasPrefix(m.Name, "__MACOSX/") {
			continue
		}
		rc, err := m.Open()
		if err != nil {
			return fmt.Errorf("%s#%s: %w", name, m.Name, err)
		}
		in := &countingReader{n: int64(m.CompressedSize64)}
		err = d.stream(&ratioReader{r: rc, in: in}, name+"#"+m.Name, depth+1)
		rc.Close()
		if fe := (*formError)(nil); errors.As(err, &fe) {
			d.acct.skip(fe)
		} else if err != nil {
			return err
		}
	}
	d.name = name
	return nil
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

var errBomb = errors.New("unpacks to more than 200 times its size; unpack it yourself if that is right")

var errCutShort = errors.New("the compressed file is cut short; get it again")

// ratioReader stops a file that unpacks without end.
type ratioReader struct {
	r   io.Reader
	in  *countingReader
	out int64
}

func (c *ratioReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.out += int64(n)
	switch {
	case c.out > minRatio && c.out > maxRatio*c.in.n:
		return 0, errBomb
	case err == io.ErrUnexpectedEOF:
		err = errCutShort
	}
	return n, err
}

// wideText tells UTF-16 by its mark, or by the NUL bytes of ASCII characters.
func wideText(head []byte) encoding.Encoding {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case len(head) >= 8 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0 && head[5] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	case len(head) >= 8 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0 && head[4] == 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	}
	return nil
}

// looksLikeJSON tells an object or an array of objects, arrays or strings.
func looksLikeJSON(b []byte) bool {
	if len(b) == 0 || b[0] != '{' && b[0] != '[' {
		return false
	}
	t := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(t) == 0 {
		return len(b) == 1
	}
	if b[0] == '{' {
		return t[0] == '"' || t[0] == '}'
	}
	return t[0] == '{' || t[0] == '"' || t[0] == ']' || t[0] == '['
}
