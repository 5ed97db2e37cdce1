package csvrows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/files"
)

// Options tell Open what the user knows better than detection does. The zero
// value detects everything.
type Options struct {
	Comma   byte             // 0: detect
	Column  string           // header name or 1-based number of the address column; "": detect
	Status  []columns.Choice // what the user says of status columns
	TempDir string           // where a stream that can be read only once is spooled; "": os.TempDir
	Stdin   io.Reader        // what "-" means; nil: os.Stdin
	Done    <-chan struct{}  // closed to give up waiting for a stream; nil: never
}

// Error is a list that cannot be read. Its text is one line: what and where.
type Error struct {
	Name string
	Line int64 // from 1; 0 when it is not about one line
	What string
	Next string // what the user can do about it
	Err  error  // what the system said; may be nil
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.Name, e.Line, e.What)
	}
	return e.Name + ": " + e.What
}

// Hint returns what the user can do about the error, or "".
func (e *Error) Hint() string { return e.Next }

var errEmpty = errors.New("empty")

func tooLongError(name string, line int64) error {
	return &Error{
		Name: name, Line: line,
		What: fmt.Sprintf("the record that starts here is longer than %d KiB, the limit of one record", maxRecord>>10),
		Next: "check that the file is a delimited list with one contact a line, and that its line ends are intact",
	}
}

// A compressed input may not grow by more than maxRatio once ratioFrom bytes
// have come out of it. Real lists compress by 3 to 30; gzip packs zeros 1030 to 1.
const (
	maxRatio  = 200
	ratioFrom = 10 << 20
	maxWindow = 32 << 20 // of zstd: what its frames may make us hold
)

// waiting returns a context that ends with opt.Done, for what may wait for a stranger.
func (opt Options) waiting() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-opt.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func openError(path string, err error) error {
	var ie *files.InputError
	if errors.As(err, &ie) {
		return &Error{Name: ie.Path, What: ie.What, Next: ie.Next, Err: ie.Err}
	}
	return readError(path, err)
}

func readError(name string, err error) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	e = &Error{Name: name, What: "cannot be read: " + err.Error(), Err: err}
	if pe != nil && pe.Op == "write" {
		e.What = "cannot be kept in a temporary file: " + err.Error()
	}
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		e.What, e.Next = fmt.Sprintf("was compressed with a window of more than %d MiB (zstd --long or --ultra)", maxWindow>>20), "decompress it first"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		e.What, e.Next = "is compressed and damaged or cut off", "fetch or export it again"
	}
	return e
}
