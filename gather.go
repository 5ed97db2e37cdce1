package winnow

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/winnow-email/winnow/internal/columns"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/validate"
)

// gatherer reads the lists for the first time: it meets the domains, finds the
// addresses that occur more than once, and then collects what the user's lists and
// the evidence say of the addresses on the list.
type gatherer struct {
	job   *Job
	in    *inputs
	known *known.Known
	keys  *keyset.Store
	fixes *fixTable
	asker *known.Asker // nil: the DNS is not asked
	prog  *Progress
}

// gathered is what the first reading finds beside what is known.
type gathered struct {
	twice  *keyset.Twice  // keys that occur more than once
	marked *keyset.Filter // keys of which more is known, in twice or elsewhere; nil: none
	asked  *known.Asked   // nil: the DNS was not asked
}

func (g *gathered) close() {
	g.twice.Close()
	g.marked.Close()
}

// gather reads the lists while the domains that it meets are asked about and the
// inputs are hashed.
func (g *gatherer) gather(ctx context.Context) (*gathered, error) {
	g.prog.enter(phaseReading)
	found := &gathered{}
	group, ctx := errgroup.WithContext(ctx)
	if g.asker != nil {
		group.Go(func() (err error) {
			found.asked, err = g.known.Domains.Ask(ctx)
			return err
		})
	}
	group.Go(func() error { return g.in.hash(ctx) })
	group.Go(func() error {
		for _, l := range g.in.lists {
			if l.hasStatus() {
				l.sources = g.known.Columns(l.statusSources())
			}
			if err := g.collect(ctx, l); err != nil {
				return err
			}
		}
		if g.asker != nil {
			g.asker.End()
		}
		if err := g.settle(ctx, found); err != nil {
			return err
		}
		if g.asker != nil {
			g.prog.enter(phaseDNS)
		}
		return nil
	})
	return found, group.Wait()
}

// collect reads one list.
func (g *gatherer) collect(ctx context.Context, l *list) (err error) {
	pass := csvrows.Pass{Read: g.prog.read, Worker: func() csvrows.Worker {
		c := &collector{gatherer: g, list: l, p: newParser(g.known, g.fixes), keys: g.keys.Batch(), status: columns.NewJudge(l.Status, false), buf: make([]byte, 0, 512)}
		return csvrows.Worker{Chunk: c.chunk, End: c.keys.Flush}
	}}
	l.records, err = pass.Run(ctx, l.List)
	return err
}

// collector is one worker of the first reading.
type collector struct {
	*gatherer
	list   *list
	p      *parser
	keys   *keyset.Batch
	status *columns.Judge
	buf    []byte
}

func (w *collector) chunk(ctx context.Context, c *csvrows.Chunk, _ *csvrows.Turns) error {
	for i0 := 0; i0 < c.Len(); i0 += blockSize {
		i1 := min(i0+blockSize, c.Len())
		w.p.block(c, w.list.Column, i0, i1)
		if w.list.hasStatus() {
			if err := w.logStatus(c, i0, i1); err != nil {
				return err
			}
		}
		for k := range w.p.list {
			x := &w.p.list[k]
			if x.err != nil {
				continue
			}
			if err := w.keys.Add(x.hash); err != nil {
				return err
			}
			if x.dom == nil {
				w.known.Domains.Meet(x.addr.Domain)
			}
		}
	}
	return ctx.Err()
}

// logStatus notes the addresses of records that a status column blocks.
func (w *collector) logStatus(c *csvrows.Chunk, i0, i1 int) error {
	for i := i0; i < i1; i++ {
		from, to := w.p.from[i-i0], w.p.from[i-i0+1]
		if from == to {
			continue
		}
		block, column := w.list.blocked(w.status, c, i, w.buf)
		if block == known.NoBlock {
			continue
		}
		for k := from; k < to; k++ {
			x := &w.p.list[k]
			if x.err != nil {
				continue
			}
			if err := w.known.LogBlock(x.hash, w.p.keyOf(&x.addr), block, w.list.sources+uint32(column)); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle begins when the lists are read.
func (g *gatherer) settle(ctx context.Context, found *gathered) (err error) {
	// Somebody may be named by the address that a fix replaces.
	batch := g.keys.Batch()
	for a := range g.fixes.addresses() {
		if err := batch.Add(g.known.Hash(g.known.Key(nil, &a))); err != nil {
			return err
		}
	}
	if err := batch.Flush(); err != nil {
		return err
	}
	j, addresses := g.job, g.keys.Count()
	var onList *keyset.Filter
	if len(g.in.own)+len(j.Evidence) > 0 {
		onList = keyset.NewFilter(addresses)
		defer onList.Close()
	}
	if found.twice, err = g.keys.Settle(ctx, onList); err != nil {
		return err
	}
	if err := g.known.SettleLog(func(h uint64) bool { return found.twice.Find(h) >= 0 }); err != nil {
		return err
	}
	g.prog.enter(phaseLists)
	err = g.known.ReadLists(ctx, g.in.own, known.Reading{
		OnList: onList, Addresses: addresses, Again: g.again,
		Expect: func(n int64) { g.prog.Total.Add(n) },
		Read:   func(n, _ int64) { g.prog.Bytes.Add(n) },
	})
	if err != nil {
		return err
	}
	g.prog.enter(phaseBounces)
	if err := g.known.ReadEvidence(ctx, j.Evidence, j.now(), onList); err != nil {
		return err
	}
	for from, to := range g.fixes.addresses() {
		if err := g.known.Carry(&from, to); err != nil {
			return err
		}
	}
	if n := int64(found.twice.Len()) + g.known.Marks(); n > 0 {
		found.marked = keyset.NewFilter(n)
		found.twice.AddTo(found.marked)
		g.known.Mark(found.marked)
	}
	return nil
}

// again reads the lists once more, for their addresses.
func (g *gatherer) again(ctx context.Context, newWorker func() func(*validate.Address)) error {
	do := newWorker()
	for a := range g.fixes.addresses() {
		do(&a)
	}
	for _, l := range g.in.lists {
		g.prog.Total.Add(max(0, l.Size()))
	}
	for _, l := range g.in.lists {
		pass := csvrows.Pass{Read: g.prog.read, Worker: func() csvrows.Worker {
			p, do := newParser(g.known, g.fixes), newWorker()
			return csvrows.Worker{Chunk: func(ctx context.Context, c *csvrows.Chunk, _ *csvrows.Turns) error {
				for i := 0; i < c.Len(); i += blockSize {
					p.block(c, l.Column, i, min(i+blockSize, c.Len()))
					for k := range p.list {
						if x := &p.list[k]; x.err == nil {
							do(&x.addr)
						}
					}
				}
				return ctx.Err()
			}}
		}}
		if _, err := pass.Run(ctx, l.List); err != nil {
			return err
		}
	}
	return nil
}
