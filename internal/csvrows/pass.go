package csvrows

import (
	"context"
	"errors"
	"io"
)

// Each calls f for every record of the list, in order. buf is memory for f to
// use, of length 0.
func (l *List) Each(ctx context.Context, f func(c *Chunk, i int, buf []byte) error) (err error) {
	scan, err := l.Scan()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scan.Close()) }()
	var c Chunk
	buf := make([]byte, 0, 1<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch err := scan.Next(&c); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		for i := range c.Len() {
			if err := f(&c, i, buf); err != nil {
				return err
			}
		}
	}
}
