package esp

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/winnow-email/winnow/internal/files"
)

// record is one line of the journal.
type record struct {
	T        string      `json:"t"` // plan, begin, job, done, end
	Set      string      `json:"set,omitempty"`
	Report   *Report     `json:"report,omitempty"`
	B        int         `json:"b"`
	Hash     string      `json:"hash,omitempty"`
	N        int         `json:"n,omitempty"`
	Jobs     []jobRef    `json:"jobs,omitempty"`
	Rejected []rejection `json:"rejected,omitempty"`
	Unknown  int         `json:"unknown,omitempty"`
	Why      string      `json:"why,omitempty"`
	Time     time.Time   `json:"time"`
}

type batchState struct {
	hash  string
	jobs  []jobRef
	first outcome // of the calls that started the jobs
	done  *record
}

type jobRef struct {
	ID   string `json:"id"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// journal is what a push has done so far, one line a step, on the disk before
// the next step begins. It holds no addresses; the plan beside it does, until
// the push is finished.
type journal struct {
	dir     string
	set     string
	f       *os.File
	unlock  func() error
	resumed bool
	report  Report
	state   map[int]*batchState
}

const (
	journalName = "journal.jsonl"
	planName    = "plan.jsonl"
)

// openJournal opens the journal in dir and reads what an earlier push of the
// same set has done, if that one did not finish.
func openJournal(dir, set string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := files.Lock(filepath.Join(dir, "lock"))
	switch {
	case err == files.ErrLocked:
		return nil, fmt.Errorf("another push works on %s; wait until it has ended", dir)
	case err != nil:
		return nil, err
	}
	j := &journal{dir: dir, set: set, unlock: unlock}
	b, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.close()
		return nil, err
	}
	good := j.read(b)
	if _, err := os.Stat(filepath.Join(dir, planName)); err != nil || !j.resumed {
		j.resumed, j.state = false, map[int]*batchState{}
		return j, nil
	}
	if j.f, err = os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR, 0o600); err == nil {
		if err = j.f.Truncate(int64(good)); err == nil {
			_, err = j.f.Seek(0, io.SeekEnd)
		}
	}
	if err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// read takes up the steps of a journal, and returns how many of its bytes are
// whole: a step that was torn by a crash did not happen, and is done again.
func (j *journal) read(b []byte) (good int) {
	j.state = map[int]*batchState{}
	for line := range strings.Lines(string(b)) {
		var r record
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &r) != nil {
			break
		}
		good += len(line)
		switch r.T {
		case "plan":
			j.resumed = r.Set == j.set && r.Report != nil
			if j.resumed {
				j.report = *r.Report
			}
		case "begin":
			j.state[r.B] = &batchState{hash: r.Hash}
		case "job":
			if st := j.state[r.B]; st != nil {
				st.jobs, st.first = r.Jobs, outcome{rejected: r.Rejected, unknown: r.Unknown, why: r.Why}
			}
		case "done":
			if st := j.state[r.B]; st != nil {
				st.done = &r
			}
		case "end":
			j.resumed = false
		}
	}
	return good
}

func (j *journal) close() {
	if j.f != nil {
		j.f.Close()
	}
	j.unlock()
}

// misfit is the error of a journal that is about something else than its plan.
func (j *journal) misfit() error {
	return fmt.Errorf("the journal in %s does not fit its plan; delete that directory to start anew", j.dir)
}

// write appends a step and waits until it is on the disk.
func (j *journal) write(r record) error {
	r.Time = time.Now().UTC().Truncate(time.Second)
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	if r.T == "begin" {
		j.state[r.B] = &batchState{hash: r.Hash}
	} else if r.T == "done" && j.state[r.B] != nil {
		j.state[r.B].done = &r
	}
	return j.f.Sync()
}

// end closes the books, and removes the plan, which holds addresses that nobody
// needs any more.
func (j *journal) end() error {
	if err := j.write(record{T: "end"}); err != nil {
		return err
	}
	return os.Remove(filepath.Join(j.dir, planName))
}

// planWriter writes the plan; it counts only once it is committed.
type planWriter struct {
	j    *journal
	file *files.Whole
	buf  *bufio.Writer
	enc  *json.Encoder
}

func (j *journal) newPlan() (*planWriter, error) {
	f, err := files.Replace(filepath.Join(j.dir, planName))
	if err != nil {
		return nil, err
	}
	w := &planWriter{j: j, file: f, buf: bufio.NewWriter(f)}
	w.enc = json.NewEncoder(w.buf)
	return w, nil
}

func (w *planWriter) add(it *item) error { return w.enc.Encode(it) }

func (w *planWriter) abort() {
	if w.file != nil {
		w.file.Abandon()
	}
}

// commit makes the plan the one that the journal is about, without the lists of an
// earlier push. The journal is begun anew first: a crash between the two leaves no
// plan, and so nothing to resume.
func (w *planWriter) commit(rep *Report, lists ...string) error {
	if err := w.buf.Flush(); err != nil {
		return err
	}
	for _, old := range append(lists, planName) {
		if err := os.Remove(filepath.Join(w.j.dir, old)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(filepath.Join(w.j.dir, journalName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w.j.f = f
	if err := w.j.write(record{T: "plan", Set: w.j.set, Report: rep}); err != nil {
		return err
	}
	plan := w.file
	w.file = nil
	return errors.Join(plan.Commit(), syncDir(w.j.dir))
}

// batches cuts the plan into the batches of single calls, always alike.
func (j *journal) batches(t *Target, lane func(word string) string, yield func(n int, lane string, items []item) error) error {
	f, err := os.Open(filepath.Join(j.dir, planName))
	if err != nil {
		return err
	}
	defer f.Close()
	type pending struct {
		items []item
		bytes int
	}
	lanes := map[string]*pending{}
	var order []string
	n := 0
	flush := func(l string) error {
		p := lanes[l]
		items := p.items
		p.items, p.bytes = nil, 0
		n++
		return yield(n, l, items)
	}
	dec := json.NewDecoder(bufio.NewReader(f))
	for {
		var it item
		if err := dec.Decode(&it); err == io.EOF {
			break
		} else if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(j.dir, planName), err)
		}
		l := lane(it.Say)
		p := lanes[l]
		if p == nil {
			p = &pending{}
			lanes[l], order = p, append(order, l)
		}
		// What an item takes in a body, from above: both its rows, escaped.
		size := 2*len(it.Address) + 2*len(it.Word) + 6*min(len(it.Text), 512) + 256
		if len(p.items) > 0 && (len(p.items) >= t.Batch || t.BatchBytes > 0 && p.bytes+size > t.BatchBytes) {
			if err := flush(l); err != nil {
				return err
			}
		}
		p.items, p.bytes = append(p.items, it), p.bytes+size
	}
	for _, l := range order {
		if len(lanes[l].items) > 0 {
			if err := flush(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func batchHash(items []item) string {
	h := sha256.New()
	for i := range items {
		io.WriteString(h, items[i].Say+"\x00"+items[i].ID+"\n")
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
