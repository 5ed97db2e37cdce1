package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/winnow-email/winnow/internal/files"
)

// maxLine bounds a reply read from standard input; what is longer is cut, and
// its line still gets its answer.
const maxLine = 1 << 16

// readLine returns the next line without its end; io.EOF after the last.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line) < maxLine {
			line = append(line, part[:min(len(part), maxLine-len(line))]...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(line) > 0, err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		default:
			return "", err
		}
	}
}

// eachLine calls yield for every line of a file, from number 1 on.
func eachLine(ctx context.Context, path string, yield func(n int, line string) error) error {
	f, err := files.Open(ctx, path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	in := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(in)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%s:%d: %w", path, n, files.Plain(err))
		case n%1024 == 0 && ctx.Err() != nil:
			return ctx.Err()
		}
		if err := yield(n, line); err != nil {
			return err
		}
	}
}
