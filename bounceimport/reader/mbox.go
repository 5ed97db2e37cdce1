package reader

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/winnow-email/winnow/internal/shown"
)

// mbox reads a file of mails, each after a line "From sender date" that follows
// an empty line (RFC 4155 and its older relatives).
func (d *reading) mbox(r *bufio.Reader) error {
	d.format("mbox")
	var msg []byte
	var line, start int64
	begun, blank := false, true
	flush := func() error {
		if !begun {
			return nil
		}
		return d.oneMail(msg, start)
	}
	for {
		b, err := r.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return fmt.Errorf("%s: %w", shown.Name(d.name), err)
		}
		if len(b) == 0 && err == io.EOF {
			return flush()
		}
		if blank && bytes.HasPrefix(b, []byte("From ")) {
			if err := flush(); err != nil {
				return err
			}
			msg, begun, start = msg[:0], true, line+1
		} else if begun && len(msg) < maxMail {
			msg = append(msg, b...)
		}
		if err != bufio.ErrBufferFull {
			line++
		}
		blank = len(bytes.TrimRight(b, "\r\n")) == 0
	}
}
