// Package winnow separates a mailing list into what may be sent and what must
// not, and says why for every row. A Job names the list, the evidence and the
// policy; Run does the work. How evidence becomes an action is in package decide.
package winnow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/report"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/internal/fault"
	"github.com/winnow-email/winnow/internal/keyset"
	"github.com/winnow-email/winnow/internal/known"
	"github.com/winnow-email/winnow/validate"
	"github.com/winnow-email/winnow/validate/lists"
)

// Run does the job: it reads the lists twice, asks the DNS and the evidence in
// between, and makes the run directory appear when everything is in it. After
// an error, or when ctx is done, nothing has changed. An unusable DNS is not an
// error: what depends on it is unknown, and Summary.DNS.Unusable says why. Nor is
// a gate that fails: Summary.Gates says so.
func Run(ctx context.Context, j *Job) (*Summary, error) {
	prog := j.Progress
	if prog == nil {
		prog = new(Progress)
	}
	if err := j.check(); err != nil {
		return nil, err
	}
	s, err := run(ctx, j, prog)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // what the pieces say when they are stopped tells nothing
		}
		return nil, err
	}
	prog.enter(phaseDone)
	return s, nil
}

// check refuses a job before anything is created.
func (j *Job) check() error {
	if len(j.Lists) == 0 {
		return errors.New("no list to clean")
	}
	if j.Out == "" {
		return errors.New("no output folder")
	}
	switch j.Dedupe {
	case "", ByKey, ByBytes, ByProvider, NoDedupe:
	default:
		return fmt.Errorf("dedupe %q is not known: use %s, %s, %s or %s", j.Dedupe, ByBytes, ByKey, ByProvider, NoDedupe)
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
	if err := j.Policy.Check(); err != nil {
		return err
	}
	return j.checkFiles()
}

// run is Run: it opens what is read, gathers what is known, judges and writes,
// and closes the account.
func run(ctx context.Context, j *Job, prog *Progress) (s *Summary, err error) {
	s = j.begin()
	dir, err := export.Create(j.Out, j.paths()...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	in, err := openInputs(ctx, j, dir.Temp(), prog)
	defer func() { err = errors.Join(err, in.close()) }()
	if err != nil {
		return nil, err
	}
	fixes, err := loadFixes(ctx, j.ApplyFixes)
	if err != nil {
		return nil, err
	}

	memory := j.Memory
	if memory <= 0 {
		memory = keyset.MachineMemory() / 4
	}
	var asker *known.Asker
	if j.Resolver != nil {
		asker = known.NewAsker(j.Resolver, &prog.Domains, &prog.Answered, &prog.Unknown)
	}
	domains := known.NewDomains(&j.Validator, asker)
	know := known.New(domains, known.Options{Fold: j.Dedupe == ByProvider, Secret: j.HMACKey, Memory: memory / 4, Temp: dir.Temp()})
	defer know.Close()
	keys := keyset.NewStore(memory/4, dir.Temp())
	defer keys.Close()
	g := &gatherer{job: j, in: in, known: know, keys: keys, fixes: fixes, asker: asker, prog: prog}
	found, err := g.gather(ctx)
	defer found.close()
	if err != nil {
		return nil, err
	}
	found.twice.Spill(memory/4, dir.Temp())

	prog.enter(phaseWriting)
	prog.Rows.Store(0)
	s.DNS = dnsSummary(found.asked, domains)
	providers := numberProviders(domains)
	c := &cleaner{
		prog:   prog,
		judge:  &judge{job: j, known: know, fixes: fixes, twice: found.twice, marked: found.marked, asked: found.asked != nil},
		copies: &copies{twice: found.twice},
		writer: newWriter(dir, in.lists),
		found:  fixList{limit: max(memory/8, 4<<20)},
		tally:  newTally(len(providers)),
	}
	for _, l := range in.lists {
		if err := c.clean(ctx, l); err != nil {
			return nil, err
		}
	}

	prog.enter(phaseFinishing)
	if err := c.tally.account(s, in, c.writer); err != nil {
		return nil, err
	}
	if s.Records == 0 { // an export that broke: the last good run stays
		return nil, &csvrows.Error{Name: strings.Join(j.Lists, ", "), What: "no record is in it; nothing was changed", Next: "check that the list was exported as a whole"}
	}
	c.tally.tell(s, providers)
	if err := j.finish(s, dir, c); err != nil {
		return nil, err
	}
	if err := in.close(); err != nil { // while an error still changes nothing
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s, dir.Commit(s)
}

// begin returns a summary with what is known before anything is read.
func (j *Job) begin() *Summary {
	s := &Summary{SchemaVersion: summary.SchemaVersion, Version: j.Version, Command: j.Command, Started: j.Began.UTC(), SegmentBy: j.By, FactLists: j.FactLists, Dedupe: string(cmp.Or(j.Dedupe, ByKey))}
	if j.Began.IsZero() {
		s.Started = time.Now().UTC()
	}
	if len(j.Evidence) > 0 || j.Bounces != nil {
		s.Bounces = &summary.BounceSummary{}
		if j.Bounces != nil {
			*s.Bounces = *j.Bounces
		}
	}
	if s.FactLists == nil {
		s.FactLists = factLists(&j.Validator)
	}
	return s
}

// cleaner reads the lists for the second time, judges and writes.
type cleaner struct {
	prog   *Progress
	judge  *judge
	copies *copies
	writer *writer
	found  fixList // suggestions
	mu     sync.Mutex
	tally  *tally
}

// clean takes the records of one list through the stages, by chunks. What depends
// on the records before it is done in turn: the copies, and the writing.
func (c *cleaner) clean(ctx context.Context, l *list) error {
	if err := c.writer.begin(l); err != nil {
		return err
	}
	pass := csvrows.Pass{Turns: 2, Read: c.prog.read, Worker: func() csvrows.Worker {
		judge, page, tally, rows := c.judge.worker(l), c.writer.page(l), newTally(len(c.tally.provs)), &rows{}
		return csvrows.Worker{
			Chunk: func(ctx context.Context, chunk *csvrows.Chunk, turns *csvrows.Turns) error {
				if err := judge.chunk(chunk, rows); err != nil {
					return err
				}
				err := turns.Take(ctx, 0, func() error {
					c.found.addAll(rows.fixes)
					return c.copies.place(rows, chunk.First)
				})
				if err != nil {
					return err
				}
				page.format(chunk, rows)
				err = turns.Take(ctx, 1, func() error {
					c.tally.countBy(chunk, l, rows, page.cell)
					return page.write(chunk)
				})
				tally.count(rows)
				return err
			},
			End: func() error {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.tally.add(tally)
				c.tally.addStatus(l, judge.status.Counts())
				return nil
			},
		}
	}}
	n, err := pass.Run(ctx, l.List)
	if err != nil {
		return err
	}
	if n != l.records {
		return l.changedError()
	}
	if err := c.writer.end(l); err != nil {
		return err
	}
	return l.changed()
}

// finish writes what comes after the lists and completes the summary.
func (j *Job) finish(s *Summary, dir *export.Dir, c *cleaner) (err error) {
	if err := c.found.write(dir); err != nil {
		return err
	}
	if note := c.found.note(); note != "" {
		s.Notes = append(s.Notes, note)
	}
	if j.SpreadsheetSafe {
		if err := c.writer.safeCopies(); err != nil {
			return err
		}
	}
	if s.Outputs, err = dir.Outputs(); err != nil {
		return err
	}
	s.Finished = time.Now().UTC()
	s.Seconds = s.Finished.Sub(s.Started).Seconds()
	previous := cmp.Or(j.Previous, dir.Earlier())
	fault.Inject(s)
	report.Judge(s, previous, j.Gates, j.now())
	if !j.Page {
		return nil
	}
	w, err := dir.File("report.html")
	if err != nil {
		return err
	}
	return report.Page(w, s, report.PageOptions{Previous: previous})
}

// factLists says which lists of facts a validator judges by.
func factLists(v *validate.Validator) (all []summary.FactList) {
	set := v.Lists
	if set == nil {
		set = lists.Embedded()
	}
	for _, l := range set.All() {
		f := summary.FactList{Name: l.Name, Source: strings.Join(l.Head("source"), "; "), Entries: l.Len()}
		if l.Path != "" {
			f.Source = l.Path
		}
		if d := l.Date(); !d.IsZero() {
			f.Date = d.Format(time.DateOnly)
		}
		all = append(all, f)
	}
	return all
}
