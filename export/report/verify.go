package report

import (
	"bufio"
	"bytes"
	"cmp"
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

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"winnow/export"
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
// their place, every line of them is in exactly one list.
//
// It holds 8 bytes per line of the largest list. The error is about reading;
// what is wrong with the run stands in Proof.Problems.
func Verify(ctx context.Context, dir string) (*Proof, error) {
	v := verifier{ctx: ctx, dir: dir, proof: &Proof{}}
	if err := v.summary(); err != nil {
		return v.proof, err
	}
	if v.s != nil {
		if err := v.files(); err != nil {
			return v.proof, err
		}
		if v.s.Kind == "" {
			if err := v.lists(); err != nil {
				return v.proof, err
			}
		}
	}
	return v.proof, nil
}

type verifier struct {
	ctx   context.Context
	dir   string
	s     *export.Summary
	proof *Proof
}

func (v *verifier) holds(format string, args ...any) {
	v.proof.Checked = append(v.proof.Checked, fmt.Sprintf(format, args...))
}
func (v *verifier) wrong(format string, args ...any) {
	v.proof.Problems = append(v.proof.Problems, fmt.Sprintf(format, args...))
}
func (v *verifier) skip(format string, args ...any) {
	v.proof.Skipped = append(v.proof.Skipped, fmt.Sprintf(format, args...))
}

// summary checks that summary.json is what the run wrote, and adds up.
func (v *verifier) summary() error {
	raw, err := os.ReadFile(filepath.Join(v.dir, "summary.json"))
	if err != nil {
		return err
	}
	var s export.Summary
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
		v.holds("%s records in = %s in the lists", number(s.Records), number(lists))
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

// The lists of a run with the number of cells winnow adds to each record.
var added = []struct {
	list  string
	cells int
}{{export.Cleaned, 0}, {export.Suppressed, 5}, {export.Review, 5}, {export.Duplicates, 1}, {export.Rejected, 0}}

// lists checks each list against its input, and the reasons against the summary.
func (v *verifier) lists() error {
	reasons := map[export.ReasonCount]int64{}
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
		k := export.ReasonCount{List: r.List, Reason: r.Reason}
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
func (v *verifier) list(in export.InputFile, reasons map[export.ReasonCount]int64) error {
	lines, header, err := v.inputLines(in)
	if err != nil {
		return err
	}
	var out []uint64
	comma := byte(',')
	if in.Delimiter != "" {
		comma = in.Delimiter[0]
	}
	for _, a := range added {
		name := in.Folder + a.list + ".csv"
		f, err := os.Open(filepath.Join(v.dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if a.list == export.Rejected {
			err = eachRejected(v.ctx, f, func(line []byte) { out = append(out, lineHash(line)) })
			f.Close() // only read
			if err != nil {
				v.wrong("%s cannot be read: %v", name, err)
			}
			continue
		}
		first := true
		err = eachLine(v.ctx, f, in.Charset, func(line []byte) {
			if first && header != nil { // its own header, perhaps with winnow's cells
				first = false
				if bytes.Equal(bare(line, comma, a.cells, nil), header) {
					return
				}
			}
			first = false
			if a.cells > 0 {
				var cells [5]string
				b := bare(line, comma, a.cells, cells[:])
				if lines != nil && b != nil && !contains(lines, b) {
					b = unfilled(lines, b, comma)
				}
				if b != nil {
					line = b
					if a.cells == 5 {
						reasons[export.ReasonCount{List: a.list, Reason: cells[0]}]++
					}
				}
			}
			out = append(out, lineHash(line))
		})
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if lines == nil {
		return nil
	}
	slices.Sort(out)
	lost, made := difference(lines, out)
	switch {
	case made > 0:
		v.wrong("%s: %d lines of the lists are not in the input", in.Name, made)
	case lost > 0:
		v.wrong("%s: %d lines of the input are in no list", in.Name, lost)
	default:
		v.holds("%s: all %s lines of the input are in exactly one list", in.Name, number(int64(len(lines))))
	}
	return nil
}

// inputLines returns the sorted hashes of the lines of an input without its
// header, and the header; nil when the input cannot be compared.
func (v *verifier) inputLines(in export.InputFile) (lines []uint64, header []byte, err error) {
	if in.Name == "-" || strings.Contains(in.Name, "#") {
		v.skip("%s: it came through a pipe or out of an archive, so its lines were not compared", in.Name)
		return nil, nil, nil
	}
	size, sum, err := hashFile(in.Name)
	switch {
	case err != nil:
		v.skip("%s is not where it was, so its lines were not compared", in.Name)
		return nil, nil, nil
	case size != in.Bytes || sum != in.SHA256:
		v.skip("%s was changed since the run, so its lines were not compared", in.Name)
		return nil, nil, nil
	}
	f, err := os.Open(in.Name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() // only read
	lines = []uint64{}
	err = eachLine(v.ctx, f, in.Charset, func(line []byte) {
		if header == nil && in.Column != "" && !bytes.HasPrefix(line, []byte("sep=")) {
			header = bytes.Clone(line)
			return
		}
		if !bytes.HasPrefix(line, []byte("sep=")) {
			lines = append(lines, lineHash(line))
		}
	})
	slices.Sort(lines)
	return lines, header, err
}

// eachLine calls f for every line that is not blank, in UTF-8 where the charset
// is UTF-16, without its line end and byte order mark.
func eachLine(ctx context.Context, r io.Reader, charset string, f func([]byte)) error {
	br := bufio.NewReaderSize(r, 1<<16)
	switch magic, _ := br.Peek(4); {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			return err
		}
		br = bufio.NewReaderSize(z, 1<<16)
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(br)
		if err != nil {
			return err
		}
		defer z.Close()
		br = bufio.NewReaderSize(z, 1<<16)
	}
	switch charset {
	case "UTF-16LE":
		br = bufio.NewReaderSize(transform.NewReader(br, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	case "UTF-16BE":
		br = bufio.NewReaderSize(transform.NewReader(br, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()), 1<<16)
	}
	var line []byte
	for n, first := 0, true; ; n++ {
		if n&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
			first = false
		}
		for one := range bytes.SplitSeq(line, []byte{'\r'}) { // CR-only files
			if one = bytes.TrimRight(one, "\n"); len(bytes.TrimSpace(one)) > 0 {
				f(one)
			}
		}
		line = line[:0]
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// eachRejected calls f for every line of the records in rejected.csv, whose last
// cell holds them as they came.
func eachRejected(ctx context.Context, r io.Reader, f func([]byte)) error {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	for n := 0; ; n++ {
		cells, err := c.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			continue // the header
		}
		if err := eachLine(ctx, strings.NewReader(cells[len(cells)-1]), "", f); err != nil {
			return err
		}
	}
}

// bare returns line without its last n cells, whose values it puts into cells;
// nil when the line does not end with so many.
func bare(line []byte, comma byte, n int, cells []string) []byte {
	for i := n - 1; i >= 0; i-- {
		end := len(line)
		at := -1
		if end > 0 && line[end-1] == '"' {
			// The opening quote is the one before which the delimiter stands, with only doubled quotes between.
			for p := end - 2; p > 0; p-- {
				if line[p] != '"' {
					continue
				}
				if line[p-1] == '"' {
					p--
					continue
				}
				if line[p-1] == comma {
					at = p - 1
				}
				break
			}
		} else {
			at = bytes.LastIndexByte(line, comma)
		}
		if at < 0 {
			return nil
		}
		if cells != nil {
			cell := string(line[at+1 : end])
			if strings.HasPrefix(cell, `"`) {
				cell = strings.ReplaceAll(cell[1:len(cell)-1], `""`, `"`)
			}
			cells[i] = cell
		}
		line = line[:at]
	}
	return line
}

// unfilled returns the line of an input from which line was made by empty cells
// at its end, as a short record is filled up before winnow adds its own cells;
// nil when there is none.
func unfilled(lines []uint64, line []byte, comma byte) []byte {
	for len(line) > 0 && line[len(line)-1] == comma {
		line = line[:len(line)-1]
		if contains(lines, line) {
			return line
		}
	}
	return nil
}

// lineHash is FNV-1a with a finalizer: stable, and not the hash the run uses.
func lineHash(line []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range line {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return (h ^ h>>29) * 0xbf58476d1ce4e5b9
}

func contains(sorted []uint64, line []byte) bool {
	_, ok := slices.BinarySearch(sorted, lineHash(line))
	return ok
}

// difference counts what is only in a and only in b, both sorted.
func difference(a, b []uint64) (onlyA, onlyB int) {
	for len(a) > 0 && len(b) > 0 {
		switch cmp.Compare(a[0], b[0]) {
		case 0:
			a, b = a[1:], b[1:]
		case -1:
			onlyA, a = onlyA+1, a[1:]
		default:
			onlyB, b = onlyB+1, b[1:]
		}
	}
	return onlyA + len(a), onlyB + len(b)
}
