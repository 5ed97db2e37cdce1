// Package waves splits a cleaned list into the waves of a careful send.
package waves

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/anytime"
	"github.com/winnow-email/winnow/internal/csvrows"
	"github.com/winnow-email/winnow/validate"
)

// Job splits a cleaned list into waves for a careful send: a test wave
// drawn from the whole list, then one wave a day, each with the same mixture of
// mailbox providers and the most engaged people first.
type Job struct {
	List        string         // path of the list; "-" is standard input
	Column      string         // address column by name or number; "": detect
	Out         string         // the folder to make
	Test        int            // rows of the test wave; 0: none
	First       int            // rows of the first wave after it; further waves double until Daily; 0: Daily
	Daily       int            // rows of a wave at most; 0: no limit
	Hourly      int            // messages an hour at most, for the schedule; 0: not planned
	PerProvider map[string]int // rows of one provider in a wave at most
	LastEngaged string         // column with the date of the last open, click or order; "": none
	Sunset      time.Duration  // rows not engaged for longer go to stale.csv; 0: none
	Start       time.Time      // day of the test wave
	Now         time.Time      // against which Sunset is measured
	Stdin       io.Reader
}

// Plan is the schedule that a Job comes to.
type Plan struct {
	Waves    []Wave `json:"waves"`
	Records  int64  `json:"records"`
	Stale    int64  `json:"stale"`    // rows in stale.csv
	Undated  int64  `json:"undated"`  // rows whose date could not be read: they come last
	Rejected int64  `json:"rejected"` // rows that could not be read; in rejected.csv

	// SlashDates says how dates like 3/4/2026 are read: "day/month" or "month/day"
	// when one of the column shows it, "month/day assumed" when none does, "" when
	// there are none.
	SlashDates string `json:"slash_dates,omitempty"`

	// NoRows names the providers that have a limit and no row: misspelt, perhaps.
	NoRows []string `json:"limited_providers_without_rows,omitempty"`
}

// Wave is one sending.
type Wave struct {
	File      string    `json:"file"`
	Day       time.Time `json:"day"`
	Rows      int64     `json:"rows"`
	Hours     int       `json:"hours,omitempty"` // at Hourly
	Providers []Share   `json:"providers"`       // most rows first
}

// Share is the part of a provider in a wave.
type Share struct {
	Provider string `json:"provider"`
	Rows     int64  `json:"rows"`
}

// maxWaves bounds the files that are written at once.
const maxWaves = 400

// RuleOfThree returns the upper end of the 95% interval of a rate of which
// nothing was seen in n tries (J. A. Hanley and A. Lippman-Hand, 1983).
func RuleOfThree(n int) float64 { return 1 - math.Pow(0.05, 1/float64(n)) }

// plannedRow is what is held of a row between the passes: 12 bytes, and 8 more
// while it is assigned.
type plannedRow struct {
	engaged  int32 // days since 1970; noDate when not known
	provider uint16
	wave     uint16 // index into the files
	draw     uint32 // for the test wave: the smallest are drawn
}

const (
	noDate    = math.MinInt32
	fileStale = iota - 1 // the first files
	fileRejected
	fileTest
	fileWaves
)

// Run writes the waves. The rows keep their bytes and, inside a wave, their order.
func Run(ctx context.Context, job *Job) (_ *Plan, err error) {
	list, err := csvrows.Open(job.List, csvrows.Options{Column: job.Column, Stdin: job.Stdin, Done: ctx.Done()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	if csvrows.ColumnOf(list.Header, export.ReasonColumns()[0]) >= 0 {
		return nil, fmt.Errorf("%s holds rows that winnow kept back, with a reason for each: plan the sending of cleaned.csv", job.List)
	}
	dates := -1
	if job.LastEngaged != "" {
		if dates = csvrows.ColumnOf(list.Header, job.LastEngaged); dates < 0 {
			return nil, csvrows.NoColumn(job.List, list.Header, job.LastEngaged)
		}
	} else if job.Sunset > 0 {
		return nil, errors.New("a sunset needs the column of the last engagement")
	}
	dir, err := export.Create(job.Out, job.List)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()

	plan := &Plan{}
	if dates >= 0 {
		if plan.SlashDates, err = slashDates(ctx, list, dates); err != nil {
			return nil, err
		}
	}
	rows, providers, err := readPlan(ctx, list, dates, plan.SlashDates)
	if err != nil {
		return nil, err
	}
	plan.Records = int64(len(rows))
	for _, name := range slices.Sorted(maps.Keys(job.PerProvider)) {
		if !slices.Contains(providers, name) {
			plan.NoRows = append(plan.NoRows, name)
		}
	}
	if err := job.assign(plan, rows, providers); err != nil {
		return nil, err
	}
	job.schedule(plan, rows, providers)
	if err := writePlan(ctx, list, dir, rows); err != nil {
		return nil, err
	}
	s := &summary.Summary{Kind: "plan", Records: plan.Records, Lists: map[string]int64{"stale": plan.Stale, export.Rejected: plan.Rejected}}
	for _, w := range plan.Waves {
		s.Lists[strings.TrimSuffix(w.File, ".csv")] = w.Rows
	}
	return plan, dir.Commit(s)
}

// Values of Plan.SlashDates.
const (
	dayMonth        = "day/month"
	monthDay        = "month/day"
	monthDayAssumed = "month/day assumed"
)

// slashDates decides for a column as a whole how its dates like 3/4/2026 are
// read: the first that can be read in one way only shows it.
func slashDates(ctx context.Context, list *csvrows.List, dates int) (how string, err error) {
	found := errors.New("found")
	err = list.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		a, b, ok := slashDate(strings.TrimSpace(string(c.Cell(i, dates, buf[:0]))))
		switch {
		case !ok:
			return nil
		case a > 12 && b <= 12:
			how = dayMonth
			return found
		case b > 12 && a <= 12:
			how = monthDay
			return found
		}
		how = monthDayAssumed
		return nil
	})
	if errors.Is(err, found) {
		err = nil
	}
	return how, err
}

// slashDate returns the first two numbers of a date like 3/4/2026.
func slashDate(s string) (a, b int, ok bool) {
	first, rest, ok1 := strings.Cut(s, "/")
	second, _, ok2 := strings.Cut(rest, "/")
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return a, b, ok1 && ok2 && err1 == nil && err2 == nil && a <= 31 && b <= 31
}

// readPlan reads what the plan needs of each row.
func readPlan(ctx context.Context, list *csvrows.List, dates int, slash string) (rows []plannedRow, providers []string, err error) {
	var v validate.Validator
	number := map[string]uint16{}
	ofDomain := map[string]uint16{}
	err = list.Each(ctx, func(c *csvrows.Chunk, i int, buf []byte) error {
		row := plannedRow{engaged: noDate, wave: fileRejected}
		if c.Problem(i) != "" {
			rows = append(rows, row)
			return nil
		}
		cell := string(c.Cell(i, list.Column, buf[:0]))
		provider := "not an address"
		if found := validate.ParseCell(nil, cell); len(found) > 0 {
			if a, err := validate.ParseAddress(found[0].Address); err == nil {
				n, known := ofDomain[a.Domain]
				if !known {
					d := v.CheckDomain(a.Domain)
					n = numberOf(number, &providers, cmp.Or(d.Provider, "other"))
					ofDomain[strings.Clone(a.Domain)] = n
				}
				provider = providers[n]
			}
		}
		row.provider = numberOf(number, &providers, provider)
		row.wave = fileWaves
		row.draw = draw(uint64(len(rows)), cell)
		if dates >= 0 {
			text := strings.TrimSpace(string(c.Cell(i, dates, buf[:0])))
			if _, _, ok := slashDate(text); ok && slash == dayMonth {
				text = strings.Replace(text, "/", ".", 2)
			}
			if t := anytime.Parse(text, time.UTC); !t.IsZero() {
				row.engaged = int32(t.Unix() / (24 * 60 * 60))
			}
		}
		rows = append(rows, row)
		return nil
	})
	return rows, providers, err
}

func numberOf(number map[string]uint16, names *[]string, name string) uint16 {
	n, ok := number[name]
	if !ok {
		n = uint16(len(*names))
		number[name] = n
		*names = append(*names, name)
	}
	return n
}

// draw returns a number that looks random and is always the same for the same
// row (the finalizer of SplitMix64 over an FNV-1a hash).
func draw(row uint64, cell string) uint32 {
	h := uint64(14695981039346656037)
	for i := range len(cell) {
		h = (h ^ uint64(cell[i])) * 1099511628211
	}
	h ^= row * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return uint32(h ^ h>>31)
}

// assign gives every row its wave.
func (job *Job) assign(plan *Plan, rows []plannedRow, providers []string) error {
	oldest := int32(math.MinInt32)
	if job.Sunset > 0 {
		oldest = int32(job.Now.Add(-job.Sunset).Unix() / (24 * 60 * 60))
	}
	queues := make([][]int32, len(providers))
	var all []int32
	for i := range rows {
		r := &rows[i]
		switch {
		case r.wave == fileRejected:
			plan.Rejected++
			continue
		case r.engaged == noDate && job.LastEngaged != "":
			plan.Undated++
		case r.engaged != noDate && r.engaged < oldest:
			r.wave = fileStale
			plan.Stale++
			continue
		}
		all = append(all, int32(i))
	}
	// The test wave is drawn from everybody, so that what it shows holds for everybody.
	slices.SortFunc(all, func(a, b int32) int { return cmp.Or(cmp.Compare(rows[a].draw, rows[b].draw), cmp.Compare(a, b)) })
	test := all[:min(job.Test, len(all))]
	for _, i := range test {
		rows[i].wave = fileTest
	}
	rest := all[len(test):]
	slices.Sort(rest)
	for _, i := range rest {
		queues[rows[i].provider] = append(queues[rows[i].provider], i)
	}
	for _, q := range queues {
		slices.SortStableFunc(q, func(a, b int32) int { return cmp.Compare(rows[b].engaged, rows[a].engaged) })
	}
	left := len(rest)
	size := cmp.Or(job.First, job.Daily, left)
	for wave := uint16(fileWaves); left > 0; wave++ {
		if wave-fileWaves == maxWaves {
			return fmt.Errorf("the plan needs more than %d waves: raise the daily limit, or the limit of a provider", maxWaves)
		}
		if job.Daily > 0 {
			size = min(size, job.Daily)
		}
		taken := 0
		for p, n := range job.shares(size, queues, providers) {
			for _, i := range queues[p][:n] {
				rows[i].wave = wave
			}
			queues[p] = queues[p][n:]
			taken += n
		}
		left -= taken
		size *= 2
	}
	return nil
}

// schedule says when each wave is sent and what is in it.
func (job *Job) schedule(plan *Plan, rows []plannedRow, providers []string) {
	counts := map[uint16]map[uint16]int64{}
	for _, r := range rows {
		if r.wave < fileTest {
			continue
		}
		if counts[r.wave] == nil {
			counts[r.wave] = map[uint16]int64{}
		}
		counts[r.wave][r.provider]++
	}
	for day, wave := range slices.Sorted(maps.Keys(counts)) {
		w := Wave{File: waveFile(wave), Day: job.Start.AddDate(0, 0, day)}
		for p, n := range counts[wave] {
			w.Rows += n
			w.Providers = append(w.Providers, Share{providers[p], n})
		}
		slices.SortFunc(w.Providers, func(a, b Share) int {
			return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Provider, b.Provider))
		})
		if job.Hourly > 0 {
			w.Hours = int((w.Rows + int64(job.Hourly) - 1) / int64(job.Hourly))
		}
		plan.Waves = append(plan.Waves, w)
	}
}

func waveFile(wave uint16) string {
	switch wave {
	case fileStale:
		return "stale.csv"
	case fileRejected:
		return "rejected.csv"
	case fileTest:
		return "wave-000-test.csv"
	}
	return fmt.Sprintf("wave-%03d.csv", wave-fileWaves+1)
}

// shares divides a wave among the providers by what is left of each, by the
// method of the largest remainder, below the limit of each.
func (job *Job) shares(size int, queues [][]int32, providers []string) []int {
	n := make([]int, len(queues))
	room := func(p int) int {
		r := len(queues[p]) - n[p]
		if limit, ok := job.PerProvider[providers[p]]; ok {
			r = min(r, max(limit, 1)-n[p])
		}
		return r
	}
	for size > 0 {
		open, total := []int{}, 0
		for p := range queues {
			if room(p) > 0 {
				open = append(open, p)
				total += len(queues[p]) - n[p]
			}
		}
		if total == 0 {
			break
		}
		given := 0
		for _, p := range open {
			give := min(room(p), size*(len(queues[p])-n[p])/total)
			n[p] += give
			given += give
		}
		if given == 0 { // less than one each: the largest remainders first
			slices.SortStableFunc(open, func(a, b int) int { return cmp.Compare(len(queues[b])-n[b], len(queues[a])-n[a]) })
			for _, p := range open[:min(size, len(open))] {
				n[p]++
				given++
			}
		}
		size -= given
	}
	return n
}

// writePlan writes each row into the file of its wave.
func writePlan(ctx context.Context, list *csvrows.List, dir *export.Dir, rows []plannedRow) error {
	type file struct {
		*export.File
		*bufio.Writer
	}
	files := map[uint16]*file{}
	open := func(wave uint16) (*file, error) {
		f, err := dir.File(waveFile(wave))
		if err != nil {
			return nil, err
		}
		w := &file{f, bufio.NewWriterSize(f, 1<<15)}
		files[wave] = w
		_, err = w.Writer.Write(list.Preamble())
		return w, err
	}
	at := 0
	err := list.Each(ctx, func(c *csvrows.Chunk, i int, _ []byte) error {
		wave := rows[at].wave
		at++
		f := files[wave]
		if f == nil {
			var err error
			if f, err = open(wave); err != nil {
				return err
			}
		}
		f.Records++
		raw := c.Raw(i)
		if _, err := f.Writer.Write(raw); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := f.Flush(); err != nil {
			return err
		}
	}
	return nil
}
