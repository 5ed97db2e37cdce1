package winnow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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

	"winnow/bounceimport"
	"winnow/export"
	"winnow/internal/csvrows"
	"winnow/validate"
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
		SchemaVersion: export.SchemaVersion, Version: j.Version, Command: j.Command, Started: now(), FactLists: j.FactLists,
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
			return fmt.Errorf("cannot read %s: %w", in, plainError(err))
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
				return fmt.Errorf("cannot read %s: %w", path, plainError(err))
			}
		}
		opened, err := csvrows.OpenAll(path, csvrows.Options{Column: r.job.Column, TempDir: r.out.Temp(), Stdin: r.job.Stdin, Done: ctx.Done()})
		if err != nil {
			return err
		}
		for _, o := range opened {
			l := &list{List: o, index: len(r.lists), path: path, stat: stat}
			if r.job.By != "" {
				if l.by = 1 + columnOf(l.Header, r.job.By); l.by == 0 {
					return noColumn(path, l.Header, r.job.By)
				}
			}
			r.lists = append(r.lists, l)
			if stat == nil || !stat.Mode().IsRegular() || len(opened) > 1 {
				l.text = sha256.New()
				l.text.Write(l.Preamble())
			}
			r.prog.Total.Add(2 * max(0, l.Size()))
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

// readEvidence keeps what the sources know of addresses and domains of the list.
func (r *run) readEvidence(ctx context.Context) error {
	now := r.job.Now
	if now.IsZero() {
		now = time.Now()
	}
	var key []byte
	var mu sync.Mutex
	hash := func(k string) uint64 {
		key = r.identity(append(key[:0], k...))
		return r.hash(key)
	}
	want := func(k string) bool {
		if name, ok := strings.CutPrefix(k, "@"); ok {
			return r.domains.find(name) != nil
		}
		mu.Lock()
		defer mu.Unlock()
		return r.onList.has(hash(k))
	}
	for _, src := range r.job.Evidence {
		if src, ok := src.(bounceimport.HashedSource); ok {
			look, err := src.Hashed(ctx)
			if err != nil {
				return err
			}
			if look != nil {
				r.hashed = append(r.hashed, look)
			}
		}
		err := src.Records(ctx, now, want, func(k string, rec bounceimport.Record) error {
			if rec.Held == "" && (rec.Action == bounceimport.Ignore || rec.Action == bounceimport.Clear) {
				return nil // says nothing against the address
			}
			if name, ok := strings.CutPrefix(k, "@"); ok {
				if rec.Action == bounceimport.Report {
					return nil // what was said to one address of the domain is no evidence on another
				}
				if d := r.domains.find(name); d != nil && (d.rec == nil || heavier(&rec, d.rec)) {
					d.rec = &rec
				}
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if h := hash(k); r.onList.has(h) {
				return r.facts.putRecord(h, key, &rec)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// identity makes of an address key what the run takes for one and the same
// person. It changes key.
func (r *run) identity(key []byte) []byte {
	if r.job.Dedupe == "provider" {
		return foldProvider(key)
	}
	return key
}

// foldProvider folds a key at a provider that is known to deliver several
// spellings to one mailbox: Gmail ignores dots and what follows a plus sign
// (support.google.com/mail/answer/7436150). Domains hosted at Google follow
// rules of their own and are not folded.
func foldProvider(key []byte) []byte {
	at := bytes.LastIndexByte(key, '@')
	if at <= 0 || key[0] == '"' {
		return key
	}
	if d := string(key[at+1:]); d != "gmail.com" && d != "googlemail.com" {
		return key
	}
	n := 0
	for _, c := range key[:at] {
		if c == '+' && n > 0 {
			break
		}
		if c != '.' {
			key[n] = c
			n++
		}
	}
	return append(key[:n], "@gmail.com"...)
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

// logStatus notes the addresses of records that a status column blocks.
func (r *run) logStatus(p *cellParser, c *csvrows.Chunk, l *list, i0, i1 int, buf *[]byte) error {
	for i := i0; i < i1; i++ {
		if p.from[i-i0] == p.from[i-i0+1] {
			continue
		}
		block, column := l.blocked(c, i, buf)
		if block == noBlock {
			continue
		}
		for k := p.from[i-i0]; k < p.from[i-i0+1]; k++ {
			if x := &p.list[k]; x.err == nil {
				if err := r.log.add(x.hash, p.identity(x), block, l, column); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// blocked returns what the status columns of the exporting ESP say of record i,
// and the place in Status of the column that says it.
func (l *list) blocked(c *csvrows.Chunk, i int, buf *[]byte) (blockKind, int) {
	best, at := noBlock, 0
	if l.Whole != "" { // a file of people who must not be mailed
		best, at = blockOf(l.Whole), len(l.Status)
	}
	for k := range l.Status {
		st := &l.Status[k]
		kind := st.Hit(c.Cell(i, st.Column, *buf))
		if kind == "" {
			continue
		}
		if b := blockOf(kind); best == noBlock || b < best {
			best, at = b, k
		}
	}
	return best, at
}

func blockOf(kind string) blockKind {
	switch kind {
	case csvrows.KindComplaint:
		return blockComplained
	case csvrows.KindUnsubscribe:
		return blockUnsubscribed
	case csvrows.KindBounce:
		return blockBounced
	}
	return blockBlocked
}

// statusLog keeps the addresses of records that a status column blocks, until
// it is known which of them occur in other records too: those must be blocked
// as well.
type statusLog struct {
	mu   sync.Mutex
	keys arena
	refs []int64
}

func (s *statusLog) add(h uint64, key []byte, k blockKind, l *list, column int) error {
	var b [32]byte
	e := binary.LittleEndian.AppendUint64(b[:0], h)
	e = append(e, byte(k))
	e = binary.AppendUvarint(e, uint64(l.index))
	e = binary.AppendUvarint(e, uint64(column))
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, err := s.keys.put(append(e, key...))
	if err != nil {
		return err
	}
	s.refs = append(s.refs, ref)
	return nil
}

// replay tells r.facts of the addresses in the log that occur more than once.
func (s *statusLog) replay(r *run) error {
	if len(s.refs) == 0 {
		return nil
	}
	// Sources are numbered by list and column, so that they do not depend on the
	// order in which the workers came.
	at := make([]uint16, len(r.lists))
	for i, l := range r.lists {
		at[i] = uint16(len(r.sources))
		for k := range len(l.Status) + 1 {
			r.sources = append(r.sources, l.statusSource(k))
		}
	}
	var buf []byte
	for _, ref := range s.refs {
		b, err := s.keys.get(ref, &buf)
		if err != nil {
			return err
		}
		h := binary.LittleEndian.Uint64(b)
		k := blockKind(b[8])
		b = b[9:]
		list, n := binary.Uvarint(b)
		b = b[n:]
		column, n := binary.Uvarint(b)
		b = b[n:]
		if r.dups.find(h) >= 0 {
			if err := r.facts.putUser(h, b, k, at[list]+uint16(column)+1, false); err != nil {
				return err
			}
		}
	}
	s.refs = nil
	s.keys.close()
	return nil
}

// statusSource names what blocked says.
func (l *list) statusSource(at int) string {
	if at == len(l.Status) {
		return filepath.Base(l.Name)
	}
	return fmt.Sprintf("column %q of %s", l.Status[at].Name, filepath.Base(l.Name))
}

// hasStatus reports whether blocked can say anything.
func (l *list) hasStatus() bool { return len(l.Status) > 0 || l.Whole != "" }

// asker hands the domains to the resolver as they are found. It never makes the
// reading wait: the names are in memory anyway.
type asker struct {
	mu    sync.Mutex
	queue []string
	ended bool
	wake  chan struct{}
}

func (a *asker) add(name string) {
	a.mu.Lock()
	a.queue = append(a.queue, name)
	a.mu.Unlock()
	a.poke()
}

func (a *asker) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.poke()
}

func (a *asker) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// feed sends every name once, and returns when there are no more or stop is closed.
func (a *asker) feed(out chan<- string, stop <-chan struct{}) {
	defer close(out)
	for {
		a.mu.Lock()
		names, ended := a.queue, a.ended
		a.queue = nil
		a.mu.Unlock()
		for _, n := range names {
			select {
			case out <- n:
			case <-stop:
				return
			}
		}
		if len(names) > 0 {
			continue
		}
		if ended {
			return
		}
		select {
		case <-a.wake:
		case <-stop:
			return
		}
	}
}

// ask runs the resolver. That it fails is not an error of the run.
func (r *run) ask(ctx context.Context) error {
	sub, stop := context.WithCancel(ctx)
	defer stop()
	names := make(chan string, 256)
	go r.asker.feed(names, sub.Done())
	start := time.Now()
	err := r.job.Resolver.Resolve(ctx, names, func(a validate.Answer) {
		if d := r.domains.find(a.Domain); d != nil {
			r.domains.judgeMX(&r.job.Validator, d, &a)
			r.domains.setAnswer(d, a)
			r.prog.Answered.Add(1)
			if a.Verdict == validate.Unknown {
				r.prog.Unknown.Add(1)
			}
		}
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.domains.suspectNeighbours()
	r.summary.DNS = &export.DNSSummary{Seconds: time.Since(start).Seconds(), Verdicts: map[string]int64{}, Reasons: map[string]int64{}}
	if err != nil {
		r.summary.DNS.Unusable = err.Error()
	}
	return nil
}

func plainError(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func now() time.Time { return time.Now().UTC() }

// hashFile returns the SHA-256 and the length of a file.
func hashFile(ctx context.Context, path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("cannot read %s: %w", path, plainError(err))
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
			return "", 0, fmt.Errorf("cannot read %s: %w", path, plainError(err))
		}
		if ctx.Err() != nil {
			return "", 0, ctx.Err()
		}
	}
}
