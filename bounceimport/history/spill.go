package history

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"

	"github.com/winnow-email/winnow/internal/files"
)

// spill holds the sorted runs of an import that is larger than memory, in a
// temporary file beside the history. Merged, they reach the B-tree in the order
// of its keys: every page is written once, where batches in their own order
// would each rewrite nearly all of them.
type spill struct {
	f    *files.Temp
	ends []int64 // of each run
	buf  []byte
}

// newSpill makes the file.
func newSpill(history string) (*spill, error) {
	f, err := files.NewTemp(filepath.Dir(history))
	if err != nil {
		return nil, &Error{history, "cannot make a temporary file beside itself: " + reason(err), "the folder of a history must be writable and have room", err}
	}
	return &spill{f: f}, nil
}

func (s *spill) close() error { return s.f.Close() }

// add writes a run.
func (s *spill) add(next func() (*row, error)) error {
	w := bufio.NewWriterSize(s.f, 1<<18)
	for {
		r, err := next()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		s.buf = r.encode(s.buf[:0])
		if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(s.buf)))); err != nil {
			return s.explain(err)
		}
		if _, err := w.Write(s.buf); err != nil {
			return s.explain(err)
		}
	}
	if err := w.Flush(); err != nil {
		return s.explain(err)
	}
	end, err := s.f.Seek(0, io.SeekCurrent)
	s.ends = append(s.ends, end)
	return err
}

func (s *spill) explain(err error) error {
	return fmt.Errorf("temporary file of the import: %w", err)
}

// run is one run while it is merged.
type run struct {
	r      *bufio.Reader
	row    row
	shared map[string]string
	buf    []byte
}

// advance reads the next row; it returns false at the end.
func (u *run) advance() (bool, error) {
	n, err := binary.ReadUvarint(u.r)
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if uint64(cap(u.buf)) < n {
		u.buf = make([]byte, 2*n)
	}
	u.buf = u.buf[:n]
	if _, err := io.ReadFull(u.r, u.buf); err != nil {
		return false, err
	}
	return true, u.row.decode(u.buf, u.shared)
}

// merge returns a function that gives the rows of all runs in the order of the
// table, those that belong together as one, and nil at the end. The row is valid
// until the next call.
func (s *spill) merge() (func() (*row, error), error) {
	shared := make(map[string]string)
	size := min(max(16<<20/len(s.ends), 4<<10), 256<<10)
	var heap []*run // the smallest row first
	less := func(a, b int) bool { return heap[a].row.compare(&heap[b].row) < 0 }
	down := func() {
		for i := 0; ; {
			c := 2*i + 1
			if c >= len(heap) {
				return
			}
			if c+1 < len(heap) && less(c+1, c) {
				c++
			}
			if !less(c, i) {
				return
			}
			heap[i], heap[c] = heap[c], heap[i]
			i = c
		}
	}
	from := int64(0)
	for _, end := range s.ends {
		u := &run{r: bufio.NewReaderSize(io.NewSectionReader(s.f, from, end-from), size), shared: shared}
		from = end
		ok, err := u.advance()
		if err != nil {
			return nil, err
		}
		if ok {
			heap = append(heap, u)
			for i := len(heap) - 1; i > 0 && less(i, (i-1)/2); i = (i - 1) / 2 {
				heap[i], heap[(i-1)/2] = heap[(i-1)/2], heap[i]
			}
		}
	}
	// pop puts the smallest row into r and moves its run on.
	pop := func(r *row) error {
		*r = heap[0].row
		ok, err := heap[0].advance()
		if err != nil {
			return err
		}
		if !ok {
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		down()
		return nil
	}
	var out, same row
	return func() (*row, error) {
		if len(heap) == 0 {
			return nil, nil
		}
		if err := pop(&out); err != nil {
			return nil, err
		}
		for len(heap) > 0 && out.compare(&heap[0].row) == 0 {
			if err := pop(&same); err != nil {
				return nil, err
			}
			out.merge(&same)
		}
		return &out, nil
	}, nil
}
