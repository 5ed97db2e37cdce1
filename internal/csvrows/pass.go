package csvrows

import (
	"context"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
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

// Pass is one reading of a list by several workers at once, one more than there
// are processors. It holds a few chunks more than workers, whatever the list is.
type Pass struct {
	// Worker makes one worker of the pass.
	Worker func() Worker

	// Turns is how many turns each chunk has: things that are done for one chunk
	// after the other, in the order of the list.
	Turns int

	// Read is told, as reading goes on, how many further bytes and records were
	// read. It may be nil.
	Read func(bytes, records int64)
}

// Worker is one of the goroutines of a pass.
type Worker struct {
	// Chunk is called with one chunk after the other. It must take every turn of the
	// chunk, each once.
	Chunk func(ctx context.Context, c *Chunk, t *Turns) error

	// End is called when there are no more chunks. It may be nil.
	End func() error
}

// Turns are the turns of one chunk.
type Turns struct{ mine, done []chan struct{} }

// Take calls f when all chunks before this one have had their turn of this number.
func (t *Turns) Take(ctx context.Context, turn int, f func() error) error {
	select {
	case <-t.mine[turn]:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := f(); err != nil {
		return err
	}
	close(t.done[turn])
	return nil
}

// after returns the turns of the chunk that follows t's.
func (t *Turns) after() *Turns {
	next := &Turns{mine: t.done, done: make([]chan struct{}, len(t.done))}
	for i := range next.done {
		next.done[i] = make(chan struct{})
	}
	return next
}

// handed is a chunk on its way to a worker. Their memory is used again and again.
type handed struct {
	chunk Chunk
	turns *Turns
}

// Run reads the list once and returns the number of its records. After the first
// error, or when ctx is done, all of the pass ends.
func (p *Pass) Run(ctx context.Context, l *List) (records int64, err error) {
	sc, err := l.Scan()
	if err != nil {
		return 0, err
	}
	defer func() {
		if cerr := sc.Close(); err == nil {
			err = cerr
		}
	}()
	workers := runtime.GOMAXPROCS(0) + 1
	free := make(chan *handed, workers+2)
	for range cap(free) {
		free <- new(handed)
	}
	work := make(chan *handed)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		var err error
		records, err = p.read(ctx, sc, free, work)
		return err
	})
	for range workers {
		g.Go(func() error {
			w := p.Worker()
			for h := range work {
				if err := w.Chunk(ctx, &h.chunk, h.turns); err != nil {
					return err
				}
				free <- h
			}
			if ctx.Err() != nil || w.End == nil {
				return ctx.Err()
			}
			return w.End()
		})
	}
	err = g.Wait()
	return records, err
}

// read hands the chunks of a list to the workers.
func (p *Pass) read(ctx context.Context, sc *Scanner, free <-chan *handed, work chan<- *handed) (records int64, err error) {
	first := &Turns{done: make([]chan struct{}, p.Turns)}
	for i := range first.done {
		first.done[i] = make(chan struct{})
		close(first.done[i])
	}
	turns := first
	seen := int64(0)
	for {
		var h *handed
		select {
		case h = <-free:
		case <-ctx.Done():
			return records, ctx.Err()
		}
		err := sc.Next(&h.chunk)
		n := int64(h.chunk.Len())
		if p.Read != nil {
			now := sc.Read()
			p.Read(now-seen, n)
			seen = now
		}
		if err == io.EOF {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records += n
		turns = turns.after()
		h.turns = turns
		select {
		case work <- h:
		case <-ctx.Done():
			return records, ctx.Err()
		}
	}
}
