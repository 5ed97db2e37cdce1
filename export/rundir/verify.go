package rundir

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-email/winnow/export"
	"github.com/winnow-email/winnow/export/summary"
	"github.com/winnow-email/winnow/internal/shown"
)

// Proof is what Verify found: what holds, what does not, and what could not be
// looked at.
type Proof struct {
	Checked  []string `json:"checked"`
	Problems []string `json:"problems"`
	Skipped  []string `json:"skipped"`
}

// Verify checks a run directory with code of its own, which shares nothing with
// the code that wrote it: summary.json is unchanged and adds up, every file is
// there with its size and hash and no other file is, the reasons in the lists
// are those that the summary counts, and, where the input lists are still in
// their place, every line of them is in exactly one list, and the evidence is what
// the run read.
//
// It holds 16 bytes per line of the largest list. The error is about reading;
// what is wrong with the run stands in Proof.Problems.
func Verify(ctx context.Context, dir string) (*Proof, error) {
	if _, err := summary.Read(dir); err != nil {
		return nil, err
	}
	v := verifier{ctx: ctx, dir: dir, proof: &Proof{}}
	if err := v.summary(); err != nil {
		return v.proof, err
	}
	if v.s != nil {
		if err := v.files(); err != nil {
			return v.proof, err
		}
		if v.s.Kind == "" {
			if err := errors.Join(v.lists(), v.evidence()); err != nil {
				return v.proof, err
			}
		}
	}
	return v.proof, nil
}

type verifier struct {
	ctx   context.Context
	dir   string
	s     *summary.Summary
	proof *Proof
}

func (v *verifier) holds(format string, args ...any) {
	v.proof.Checked = append(v.proof.Checked, plain(format, args))
}
func (v *verifier) wrong(format string, args ...any) {
	v.proof.Problems = append(v.proof.Problems, plain(format, args))
}
func (v *verifier) skip(format string, args ...any) {
	v.proof.Skipped = append(v.proof.Skipped, plain(format, args))
}

// plain prints one line, whatever stands in names: a summary that was changed can
// hold anything.
func plain(format string, args []any) string { return shown.Name(fmt.Sprintf(format, args...)) }

// summary checks that summary.json is what the run wrote, and adds up.
func (v *verifier) summary() error {
	raw, err := os.ReadFile(filepath.Join(v.dir, "summary.json"))
	if err != nil {
		return err
	}
	var s summary.Summary
	if err := json.Unmarshal(raw, &s); err != nil {
		v.wrong("summary.json cannot be read: %v", err)
		return nil
	}
	v.s = &s
	// The hash is that of the file with the hash itself left empty.
	bare := bytes.Replace(raw, []byte(s.Checksum), nil, 1)
	if sum := sha256.Sum256(bare); s.Checksum == "" || hex.EncodeToString(sum[:]) != s.Checksum {
		v.wrong("summary.json was changed after the run: its content does not have the hash it names")
	} else {
		v.holds("summary.json is as the run wrote it")
	}
	if s.Kind != "" {
		return nil
	}
	var lists int64
	for _, n := range s.Lists {
		lists += n
	}
	byReason := map[string]int64{}
	var reasons, verdicts, inputs int64
	for _, r := range s.Reasons {
		byReason[r.List] += r.N
		reasons += r.N
	}
	for _, n := range s.Verdicts {
		verdicts += n
	}
	for _, in := range s.Inputs {
		if in.Role == "list" {
			inputs += in.Records
		}
	}
	before := len(v.proof.Problems)
	for _, sum := range []struct {
		what string
		n    int64
	}{{"its lists", lists}, {"its reasons", reasons}, {"its inputs", inputs}} {
		if sum.n != s.Records {
			v.wrong("summary.json: %d records, but %s add up to %d", s.Records, sum.what, sum.n)
		}
	}
	for list, n := range s.Lists {
		if byReason[list] != n {
			v.wrong("summary.json: %s has %d records, but its reasons add up to %d", list, n, byReason[list])
		}
	}
	if len(v.proof.Problems) == before {
		v.holds("%s records in = %s in the lists", shown.Number(s.Records), shown.Number(lists))
	}
	return nil
}

// files checks the size and the hash of every file, and that no other is there.
func (v *verifier) files() error {
	known := map[string]bool{"summary.json": true}
	good := 0
	for _, o := range v.s.Outputs {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if !filepath.IsLocal(filepath.FromSlash(o.Name)) {
			v.wrong("summary.json names a file outside the folder: %s", o.Name)
			continue
		}
		known[o.Name] = true
		size, sum, err := hashFile(filepath.Join(v.dir, filepath.FromSlash(o.Name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			v.wrong("%s is missing", o.Name)
		case err != nil:
			return err
		case size != o.Bytes:
			v.wrong("%s has %d bytes, the run wrote %d", o.Name, size, o.Bytes)
		case sum != o.SHA256:
			v.wrong("%s was changed after the run: its hash is not that of the run", o.Name)
		default:
			good++
		}
	}
	if good == len(v.s.Outputs) {
		v.holds("%d files have the size and hash that the run wrote", good)
	}
	return filepath.WalkDir(v.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(v.dir, p)
		if err == nil && !known[filepath.ToSlash(rel)] {
			v.wrong("%s was not written by the run", rel)
		}
		return err
	})
}

// evidence checks that what judged the lists is what it was. A file that changed
// since proves nothing against the run: it is said, and skipped.
func (v *verifier) evidence() error {
	good := int64(0)
	for _, in := range v.s.Inputs {
		if in.Role == "list" || in.SHA256 == "" {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if info, err := os.Stat(in.Name); err != nil || !info.Mode().IsRegular() {
			v.skip("%s (%s) is not where it was, so it was not compared", in.Name, in.Role)
			continue
		}
		size, sum, err := hashFile(in.Name)
		switch {
		case err != nil:
			return err
		case size != in.Bytes || sum != in.SHA256:
			v.skip("%s (%s) was changed since the run, so what it said then cannot be seen", in.Name, in.Role)
		default:
			good++
		}
	}
	switch good {
	case 0:
	case 1:
		v.holds("1 further file that the run read is unchanged")
	default:
		v.holds("%s further files that the run read are unchanged", shown.Number(good))
	}
	return nil
}

func hashFile(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() // only read
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// The lists of a run with the number of cells winnow adds to each record: known here
// once more, as nothing is shared with the run (export.ReasonColumns).
var extra = []struct {
	list  string
	cells int
}{{export.Cleaned, 0}, {export.Suppressed, 5}, {export.Review, 5}, {export.Duplicates, 1}, {export.Rejected, 0}}

// lists checks each list against its input, and the reasons against the summary.
func (v *verifier) lists() error {
	reasons := map[summary.ReasonCount]int64{}
	for _, in := range v.s.Inputs {
		if in.Role == "list" {
			if err := v.list(in, reasons); err != nil {
				return err
			}
		}
	}
	bad := 0
	for _, r := range v.s.Reasons {
		if r.List != export.Suppressed && r.List != export.Review {
			continue
		}
		k := summary.ReasonCount{List: r.List, Reason: r.Reason}
		if reasons[k] != r.N {
			v.wrong("%s.csv has %d rows with the reason %s, summary.json says %d", r.List, reasons[k], r.Reason, r.N)
			bad++
		}
		delete(reasons, k)
	}
	for k, n := range reasons {
		v.wrong("%s.csv has %d rows with the reason %s, which summary.json does not name", k.List, n, k.Reason)
		bad++
	}
	if bad == 0 {
		v.holds("the reasons in the lists are those of summary.json")
	}
	return nil
}

// list proves that every line of an input is in exactly one list. Lines, not
// records: what a record is, is the run's own judgement; that no line is lost
// or invented needs no judgement.
func (v *verifier) list(in summary.InputFile, reasons map[summary.ReasonCount]int64) error {
	if !filepath.IsLocal(filepath.FromSlash(in.Folder + "x")) {
		v.wrong("summary.json names lists outside the folder: %s", in.Folder)
		return nil
	}
	m := matcher{comma: ',', reasons: map[summary.ReasonCount]bool{}}
	if in.Delimiter != "" {
		m.comma = in.Delimiter[0]
	}
	for _, r := range v.s.Reasons {
		m.reasons[summary.ReasonCount{List: r.List, Reason: r.Reason}] = true
	}
	head, err := v.preamble(in, m.comma)
	if err != nil {
		return err
	}
	if err := v.inputLines(in, head, &m); err != nil {
		return err
	}
	if err := v.fixes(in, &m); err != nil {
		return err
	}
	for _, a := range extra {
		name := in.Folder + a.list + ".csv"
		f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if a.list == export.Rejected {
			err = eachRejected(v.ctx, f, m.add)
			f.Close() // only read
			if err != nil {
				if v.ctx.Err() != nil {
					return err
				}
				v.wrong("%s cannot be read: %v", name, err)
			}
			continue
		}
		n := 0
		err = eachLine(v.ctx, f, in.Charset, func(line []byte) {
			if n++; n <= len(head) {
				want := m.trim(head[n-1])
				if !bytes.Equal(m.trim(line), want) && (n < len(head) || !bytes.Equal(m.trim(bare(line, m.comma, a.cells, nil)), want)) {
					v.wrong("%s does not begin as the input does", name)
				}
				return
			}
			if reason := m.match(line, a.list, a.cells); reason != "" {
				reasons[summary.ReasonCount{List: a.list, Reason: reason}]++
			}
		})
		f.Close() // only read
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if m.lines == nil {
		return nil
	}
	switch lost, made := m.balance(); {
	case made > 0:
		v.wrong("%s: %d lines of the lists are not in the input", in.Name, made)
	case lost > 0:
		v.wrong("%s: %d lines of the input are in no list", in.Name, lost)
	case m.fixed != 0:
		v.wrong("%s: fixed.csv names %d changed addresses more than cleaned.csv has", in.Name, m.fixed)
	default:
		v.holds("%s: all %s lines of the input are in exactly one list", in.Name, shown.Number(int64(len(m.lines))))
	}
	return nil
}

// The cells that winnow adds to the header of suppressed.csv.
const reasonHeader = "winnow_reason,winnow_detail,winnow_suggestion,winnow_evidence,winnow_date"

// maxHead is how many lines are searched for the header.
const maxHead = 200

// preamble returns the lines of an input up to its header, as suppressed.csv
// shows where it ends. A list without a header has at most the line in which
// Excel names the delimiter.
func (v *verifier) preamble(in summary.InputFile, comma byte) (head [][]byte, err error) {
	f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(in.Folder+export.Suppressed+".csv")))
	if err != nil {
		return nil, nil // that it is missing is said elsewhere
	}
	defer f.Close() // only read
	var lines, sep [][]byte
	names := strings.Split(reasonHeader, ",")
	var cells [5]string
	err = eachLine(v.ctx, f, in.Charset, func(line []byte) {
		if head != nil || len(lines) == maxHead {
			return
		}
		if len(lines) == 0 && bytes.HasPrefix(line, []byte("sep=")) {
			sep = [][]byte{bytes.Clone(line)}
		}
		b := bare(line, comma, len(cells), cells[:])
		if b == nil || !slices.Equal(cells[:], names) {
			lines = append(lines, bytes.Clone(line))
			return
		}
		head = append(lines, bytes.Clone(b))
	})
	if head == nil {
		head = sep
	}
	return head, err
}

// fixes reads what a run with accepted fixes changed.
func (v *verifier) fixes(in summary.InputFile, m *matcher) error {
	f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(in.Folder+"fixed.csv")))
	if err != nil {
		return nil // no fixes
	}
	defer f.Close() // only read
	m.fixes = map[string][]string{}
	c := csv.NewReader(f)
	c.ReuseRecord = true
	for n := 0; ; n++ {
		cells, err := c.Read()
		if err == io.EOF {
			return v.ctx.Err()
		}
		if err != nil || len(cells) != 3 {
			v.wrong("%sfixed.csv cannot be read: %v", in.Folder, err)
			return nil
		}
		if n == 0 {
			continue // the header
		}
		m.fixed++
		if old := m.fixes[cells[2]]; !slices.Contains(old, cells[1]) {
			m.fixes[strings.Clone(cells[2])] = append(old, strings.Clone(cells[1]))
		}
	}
}

// inputLines reads the lines of an input but for those of its header, when it
// can be compared.
func (v *verifier) inputLines(in summary.InputFile, head [][]byte, m *matcher) error {
	path, member := in.Name, "" // of an archive: archive.zip/member.csv
	info, err := os.Stat(path)
	for i := 1; err != nil && i < len(in.Name); i++ {
		if in.Name[i] == '/' {
			if at, aerr := os.Stat(in.Name[:i]); aerr == nil && at.Mode().IsRegular() {
				path, member = in.Name[:i], in.Name[i+1:]
				info, err = at, nil
			}
		}
	}
	switch {
	case err == nil && !info.Mode().IsRegular(), err != nil && path == "standard input":
		v.skip("%s: it came through a pipe, so its lines were not compared", in.Name)
		return nil
	case err != nil:
		v.skip("%s is not where it was, so its lines were not compared", in.Name)
		return nil
	}
	f, err := openInput(path, member, in)
	if err != nil {
		return err
	}
	if f == nil {
		v.skip("%s was changed since the run, so its lines were not compared", in.Name)
		return nil
	}
	defer f.Close() // only read
	m.lines = []uint64{}
	n := 0
	err = eachLine(v.ctx, f, in.Charset, func(line []byte) {
		line = m.trim(line)
		if n++; n <= len(head) {
			if !bytes.Equal(line, m.trim(head[n-1])) {
				v.wrong("%s: the lists do not begin as it does", in.Name)
			}
		} else if line != nil {
			m.lines = append(m.lines, lineHash(line))
		}
	})
	slices.Sort(m.lines)
	return err
}

// openInput opens a list, or a member of a zip archive; it returns nil when that
// is not what the run read. The hash of one list of several in an archive is
// that of its own bytes, else it is that of the file.
func openInput(path, member string, in summary.InputFile) (io.ReadCloser, error) {
	size, sum, err := hashFile(path)
	if err != nil {
		return nil, err
	}
	same := size == in.Bytes && sum == in.SHA256
	if member == "" {
		if !same {
			return nil, nil
		}
		return os.Open(path)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, nil
	}
	if !same {
		h := sha256.New()
		if r, err := z.Open(member); err == nil {
			_, err = io.Copy(h, r)
			same = err == nil && hex.EncodeToString(h.Sum(nil)) == in.SHA256
			r.Close() // only read
		}
	}
	if same {
		var r io.ReadCloser
		if r, err = z.Open(member); err == nil {
			return &zipped{r, z}, nil
		}
	}
	z.Close() // only read
	return nil, err
}

// zipped is a member of an archive that is closed with it.
type zipped struct {
	io.ReadCloser
	archive *zip.ReadCloser
}

func (z *zipped) Close() error { return errors.Join(z.ReadCloser.Close(), z.archive.Close()) }
