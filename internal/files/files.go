// Package files touches files as a whole: it hashes and locks them, and writes
// private ones that appear complete or not at all.
package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// RunMark is the file that makes a folder a run folder. Such a folder stays as its
// run wrote it.
const RunMark = "summary.json"

// Plain returns what is wrong, without the path: who prints it names the file.
func Plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Hash returns the SHA-256, in hexadecimal, and the length of a file.
func Hash(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read %s: %w", path, Plain(err))
	}
	defer f.Close() // only read
	h := sha256.New()
	buf := make([]byte, 1<<18)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		size += int64(n)
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, fmt.Errorf("cannot read %s: %w", path, Plain(err))
		}
		if ctx.Err() != nil {
			return "", 0, ctx.Err()
		}
	}
}
