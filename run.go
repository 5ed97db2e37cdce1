package winnow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/winnow-email/winnow/bounceimport"
	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/files"
	"github.com/winnow-email/winnow/validate"
)

// run is one Run.
type run struct {
	job       *Job
	prog      *Progress
	out       *export.Dir
	lists     []*list
	seed      maphash.Seed
	store     *hashStore
	domains   *domainTable
	asker     *asker  // nil: the DNS is not asked
	onList    *filter // keys on the list; nil when nobody asks
	dups      *dups
	hashed    []func(key string) (bounceimport.Record, bool) // what sources know by a keyed hash alone
	special   *filter                                        // keys of which more is known, in dups or facts; nil when there are none
	facts     factTable
	digests   []digest
	sources   []string // of user facts; a fact's source is the index + 1
	log       statusLog
	fixes     fixTable // accepted ones
	found     fixList  // new ones
	userLists []*userList
	addresses int64 // on the lists, copies counted
	providers []provider
	userMu    sync.Mutex // of domain.user
	tallyMu   sync.Mutex
	tally     tally
	summary   Summary
	memory    int64
	dupBuf    []byte
}

// list is one list of the job.
type list struct {
	*csvrows.List
	path    string // as the user named it
	index   int    // -1: not a list to clean, but one to compare with
	folder  string // of its files in the run directory, "" or with a final slash
	by      int    // the column of Job.By, from 1; 0: none
	records int64  // counted in the first pass
	closed  bool
	stat    os.FileInfo
	files   [fates]*export.File
	fixed   *export.File
	sum     string    // SHA-256 of the file
	text    hash.Hash // of a list that is not a file: of the text that was read
}

// fate is the list of the run in which a record ends.
type fate uint8

const (
	kept fate = iota
	duplicate
	review
	suppressed
	rejected
	fates
)

var fateNames = [fates]string{export.Cleaned, export.Duplicates, export.Review, export.Suppressed, export.Rejected}

// Run does the job: it reads the lists twice, asks the DNS and the evidence in
// between, and makes the run directory appear when everything is in it. After
// an error, or when ctx is done, nothing has changed. An unusable DNS is not an
// error: what depends on it is unknown, and Summary.DNS.Unusable says why.
func Run(ctx context.Context, j *Job) (*Summary, error) {
	r := &run{job: j, prog: j.Progress, seed: maphash.MakeSeed(), domains: newDomainTable(), memory: j.Memory}
	if r.prog == nil {
		r.prog = new(Progress)
	}
	if r.memory <= 0 {
		r.memory = machineMemory() / 4
	}
	if err := j.check(); err != nil {
		return nil, err
	}
	r.summary = Summary{
		SchemaVersion: summary.SchemaVersion, Version: j.Version, Command: j.Command, Started: now(), FactLists: j.FactLists,
		Lists: map[string]int64{}, Verdicts: map[string]int64{},
	}
	err := r.do(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // what the pieces say when they are stopped tells nothing
		}
		return nil, err
	}
	r.prog.phase.Store(phaseDone)
	return &r.summary, nil
}

func (j *Job) check() error {
	if len(j.Lists) == 0 {
		return errors.New("no list to clean")
	}
	if j.Out == "" {
		return errors.New("no output folder")
	}
	switch j.Dedupe {
	case "", "exact", "key", "provider", "off":
	default:
		return fmt.Errorf("dedupe %q is not known: use exact, key, provider or off", j.Dedupe)
	}
	stdin := 0
	for _, n := range slices.Concat(j.Lists, j.Suppress, j.Allow) {
		if n == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return errors.New("standard input can be one of the inputs only")
	}
	return j.Policy.check()
}

func (r *run) do(ctx context.Context) (err error) {
	j := r.job
	inputs := slices.Concat(j.Lists, j.Suppress, j.Allow, j.Protect)
	if j.ApplyFixes != "" {
		inputs = append(inputs, j.ApplyFixes)
	}
	for _, in := range inputs { // before anything is created
		if in == "-" {
			continue
		}
		if _, err := os.Stat(in); err != nil {
			return fmt.Errorf("cannot read %s: %w", in, files.Plain(err))
		}
	}
	if r.out, err = export.Create(j.Out, inputs...); err != nil {
		return err
	}
	defer func() {
		r.closeTables()
		err = errors.Join(err, r.out.Close())
	}()
	defer func() { err = errors.Join(err, r.closeLists()) }()
	for _, p := range j.Suppress {
		r.userLists = append(r.userLists, &userList{path: p})
	}
	for _, p := range j.Allow {
		r.userLists = append(r.userLists, &userList{path: p, allow: true})
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.fixes.load(j.ApplyFixes); err != nil {
		return err
	}
	if err := r.firstPass(ctx); err != nil {
		return err
	}
	if err := r.secondPass(ctx); err != nil {
		return err
	}
	if err := r.finish(); err != nil {
		return err
	}
	if err := r.closeLists(); err != nil { // while an error still changes nothing
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.out.Commit(&r.summary)
}

// closeLists closes the lists once.
func (r *run) closeLists() error {
	var errs []error
	for _, l := range r.lists {
		if !l.closed {
			l.closed = true
			errs = append(errs, l.Close())
		}
	}
	for _, u := range r.userLists {
		if u.List != nil && !u.closed {
			u.closed = true
			errs = append(errs, u.Close())
		}
	}
	return errors.Join(errs...)
}

// closeTables gives back what the tables hold in memory and on disk.
func (r *run) closeTables() {
	if r.store != nil {
		r.store.pool.free()
		r.store.spill.close()
	}
	r.facts.keys.close()
	r.log.keys.close()
	if r.dups != nil {
		r.dups.close()
	}
	r.onList.free()
	r.special.free()
	for i := range r.digests {
		r.digests[i].filter.free()
	}
}

// open opens the lists and gives each its folder. A zip archive holds several.
func (r *run) open(ctx context.Context) error {
	for _, path := range r.job.Lists {
		var stat os.FileInfo
		if path != "-" {
			var err error
			if stat, err = os.Stat(path); err != nil {
				return fmt.Errorf("cannot read %s: %w", path, files.Plain(err))
			}
		}
		opened, err := csvrows.OpenAll(path, csvrows.Options{Column: r.job.Column, TempDir: r.out.Temp(), Stdin: r.job.Stdin, Done: ctx.Done()})
		if err != nil {
			return err
		}
		for _, o := range opened {
			l := &list{List: o, index: len(r.lists), path: path, stat: stat}
			r.lists = append(r.lists, l)
			if stat == nil || !stat.Mode().IsRegular() || len(opened) > 1 {
				l.text = sha256.New()
				l.text.Write(l.Preamble())
			}
			r.prog.Total.Add(2 * max(0, l.Size()))
		}
	}
	for _, l := range r.lists {
		if r.job.By != "" {
			if l.by = 1 + csvrows.ColumnOf(l.Header, r.job.By); l.by == 0 {
				return csvrows.NoColumn(l.Name, l.Header, r.job.By)
			}
		}
	}
	for _, u := range r.userLists {
		if err := r.openUserList(ctx, u); err != nil {
			return err
		}
	}
	if len(r.lists) > 1 {
		names := map[string]bool{}
		for _, l := range r.lists {
			l.folder = folderName(l, names) + "/"
		}
	}
	return ctx.Err()
}

// folderName names the folder of one of several lists: the file's name without
// its endings, and a number where that is taken.
func folderName(l *list, taken map[string]bool) string {
	n := filepath.Base(l.Name)
	if l.path == "-" {
		n = "stdin"
	}
	for _, ext := range []string{".gz", ".zst", ".zip", ".csv", ".tsv", ".txt"} {
		if len(n) > len(ext) && strings.EqualFold(n[len(n)-len(ext):], ext) {
			n = n[:len(n)-len(ext)]
		}
	}
	if strings.HasPrefix(n, ".") {
		n = "list" + n
	}
	name := n
	for i := 2; taken[strings.ToLower(name)]; i++ {
		name = n + "-" + strconv.Itoa(i)
	}
	taken[strings.ToLower(name)] = true
	return name
}

// slot is a chunk of a list on its way, and what is found out about it. Slots
// are used again and again; there are a few more than processors.
type slot struct {
	chunk csvrows.Chunk
	list  *list

	rows  []row
	decs  []Decision
	cands []candidate
	keys  []byte // of cands
	fixes []foundFix
	out   [fates][]byte
	fixed []byte // for fixed.csv

	resolveTurn, resolved, writeTurn, written chan struct{}
}

// row is what is found out about one record.
type row struct {
	fate     fate
	provider uint16            // of dom, beside it because dom may have left the cache
	dec      int32             // in decs, -1: none is needed
	count    int32             // addresses in the cell
	firstIn  uint32            // list of the first copy
	first    int64             // and its record number
	reason   string            // why it is where it is
	dom      *domain           // nil: no address
	fix      *validate.Address // accepted, to be written in place of the address
}

// candidate is an address whose hash occurs more than once.
type candidate struct {
	row      int32
	at       int32 // in dups
	from, to int32 // in keys
	seen     bool  // in a record before
}

// scan reads a list once, handing its chunks to workers. newWorker makes one
// worker's function and what is called when that worker has no more to do.
func (r *run) scan(ctx context.Context, l *list, newWorker func() (work func(context.Context, *slot) error, end func() error)) (records int64, err error) {
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
	free := make(chan *slot, workers+2)
	for range cap(free) {
		free <- new(slot)
	}
	work := make(chan *slot)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		turn := closedChan
		turn2 := closedChan
		read := int64(0)
		for {
			var s *slot
			select {
			case s = <-free:
			case <-ctx.Done():
				return ctx.Err()
			}
			err := sc.Next(&s.chunk)
			now := sc.Read()
			r.prog.Bytes.Add(now - read)
			read = now
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			records += int64(s.chunk.Len())
			if l.index >= 0 { // not a list of the user's to compare with
				r.prog.Rows.Add(int64(s.chunk.Len()))
			}
			s.list = l
			s.resolveTurn, s.resolved = turn, make(chan struct{})
			s.writeTurn, s.written = turn2, make(chan struct{})
			turn, turn2 = s.resolved, s.written
			select {
			case work <- s:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for range workers {
		g.Go(func() error {
			do, end := newWorker()
			for s := range work {
				if err := do(ctx, s); err != nil {
					return err
				}
				free <- s
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return end()
		})
	}
	err = g.Wait()
	return records, err
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// firstPass reads the lists: it finds the domains and starts asking for them,
// finds the addresses that occur more than once, and then collects what the
// user's lists and the evidence say of the addresses on the list.
func (r *run) firstPass(ctx context.Context) error {
	r.prog.phase.Store(phaseReading)
	r.store = &hashStore{limit: min(r.memory/4, maxHashes)}
	r.store.spill.dir = r.out.Temp()
	for _, a := range []*arena{&r.facts.keys, &r.log.keys} {
		a.limit, a.spill = 1+r.memory/4, &spillFile{dir: r.out.Temp()}
	}
	g, ctx := errgroup.WithContext(ctx)
	if r.job.Resolver != nil {
		r.asker = &asker{wake: make(chan struct{}, 1)}
		g.Go(func() error { return r.ask(ctx) })
	}
	g.Go(func() error { return r.hashInputs(ctx) })
	g.Go(func() error {
		for _, l := range r.lists {
			n, err := r.scan(ctx, l, r.newCollector)
			if err != nil {
				return err
			}
			l.records = n
		}
		if r.asker != nil {
			r.asker.end()
		}
		if err := r.settle(ctx); err != nil {
			return err
		}
		if r.asker != nil {
			r.prog.phase.Store(phaseDNS)
		}
		return nil
	})
	return g.Wait()
}

// settle is the part of the first pass that begins when the lists are read.
func (r *run) settle(ctx context.Context) error {
	j := r.job
	if len(j.Suppress)+len(j.Allow)+len(j.Evidence) > 0 {
		r.onList = newFilter(r.store.count())
	}
	r.addresses = r.store.count()
	var err error
	if r.dups, err = r.store.settle(ctx, r.onList); err != nil {
		return err
	}
	r.dups.keys.limit, r.dups.keys.spill = 1+r.memory/4, &spillFile{dir: r.out.Temp()}
	if err := r.log.replay(r); err != nil {
		return err
	}
	r.prog.phase.Store(phaseLists)
	if err := r.readUserLists(ctx); err != nil {
		return err
	}
	r.prog.phase.Store(phaseBounces)
	if err := r.readEvidence(ctx); err != nil {
		return err
	}
	r.onList.free()
	r.onList = nil
	if n := len(r.dups.hashes) + r.facts.n; n > 0 {
		r.special = newFilter(int64(n))
		for _, h := range r.dups.hashes {
			r.special.add(h)
		}
		for i := range r.facts.slots {
			if h := r.facts.slots[i].hash; h != 0 {
				r.special.add(h)
			}
		}
	}
	return nil
}

// hash returns the hash of a key. It is odd: 0 can mark a free slot.
func (r *run) hash(key []byte) uint64 { return maphash.Bytes(r.seed, key) | 1 }

// newCollector returns a worker of the first pass.
func (r *run) newCollector() (func(context.Context, *slot) error, func() error) {
	batch := &hashBatch{store: r.store}
	p := newParser(r)
	other := make([]byte, 0, 512)
	work := func(ctx context.Context, s *slot) error {
		c, l := &s.chunk, s.list
		for i0 := 0; i0 < c.Len(); i0 += blockSize {
			i1 := min(i0+blockSize, c.Len())
			p.block(c, l, i0, i1)
			if l.hasStatus() {
				if err := r.logStatus(&p, c, l, i0, i1, &other); err != nil {
					return err
				}
			}
			for k := range p.list {
				x := &p.list[k]
				if x.err != nil {
					continue
				}
				if err := batch.add(x.hash); err != nil {
					return err
				}
				if x.dom == nil {
					r.meet(x.addr.Domain)
				}
			}
		}
		return ctx.Err()
	}
	return work, batch.flush
}

// meet notes a domain of the list, and asks about it when it is new.
func (r *run) meet(name string) {
	d, fresh := r.domains.add(name)
	if !fresh {
		return
	}
	d.facts = r.domains.shareFacts(r.job.Validator.CheckDomain(d.name))
	if r.asker != nil && d.asked() {
		r.prog.Domains.Add(1)
		r.asker.add(d.name)
	}
}

func now() time.Time { return time.Now().UTC() }
