package csvrows

import (
	"archive/zip"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"github.com/winnow-email/winnow/internal/shown"
)

// archive is what a zip archive holds, in its order.
type archive struct {
	lists []*source // its CSV and TSV files, or else its text files
	rest  []*source // all other files
}

// openArchive looks into the zip archive that s is.
func openArchive(s *source) (*archive, error) {
	z, err := zip.NewReader(s.file, s.size)
	if err != nil {
		return nil, &Error{Name: s.name, What: "is a damaged zip archive: " + err.Error(), Next: "fetch or export it again", Err: err}
	}
	z.RegisterDecompressor(zip.Deflate, flate.NewReader)
	var csv, txt, rest archive
	for _, f := range z.File {
		base := strings.ToLower(path.Base(f.Name))
		if f.Name == "[Content_Types].xml" || f.Name == "mimetype" || strings.HasSuffix(base, ".iwa") {
			return nil, &Error{Name: s.name, What: "is a workbook or document, not a delimited file", Next: "open it in the program that made it and save it as CSV (UTF-8)"}
		}
		if f.FileInfo().IsDir() {
			continue
		}
		m := &source{name: s.name + "/" + shown.Name(f.Name), file: s.file, member: f, packing: zipped, size: int64(min(f.UncompressedSize64, math.MaxInt64))}
		to := &rest
		if !strings.HasPrefix(base, ".") && !strings.HasPrefix(f.Name, "__MACOSX/") {
			switch path.Ext(base) {
			case ".csv", ".tsv":
				to = &csv
			case ".txt":
				to = &txt
			}
		}
		to.lists = append(to.lists, m)
	}
	a := &archive{lists: csv.lists, rest: append(txt.lists, rest.lists...)}
	if len(a.lists) == 0 {
		a = &archive{lists: txt.lists, rest: rest.lists}
	}
	for _, m := range a.lists {
		if m.member.Flags&1 != 0 {
			return nil, &Error{Name: s.name, What: "is encrypted", Next: "unpack it with its password first"}
		}
	}
	return a, nil
}

// packedLists are the endings of files that may hold a list and cannot be read
// within an archive.
var packedLists = []string{".gz", ".zst", ".bz2", ".xz", ".7z", ".zip", ".tar", ".tgz", ".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers"}

// maxNames is how many files of an archive a note or an error names.
const maxNames = 20

// leftOut says which files of the archive are not read. That one of them looks
// like a list is an error: its people would be on no list of the run.
func (a *archive) leftOut(name string) (note string, err error) {
	var all, lists []string
	for _, m := range a.rest {
		inside := shown.Name(m.member.Name)
		all = append(all, inside)
		if m.looksLikeList() {
			lists = append(lists, inside)
		}
	}
	switch {
	case len(lists) > 0 && len(a.lists) == 0:
		return "", &Error{
			Name: name, What: "is a zip archive without a CSV file; these in it look like lists: " + someNames(lists),
			Next: "unpack it and name the list",
		}
	case len(lists) > 0:
		return "", &Error{
			Name: name, What: "holds files that would not be read and look like lists: " + someNames(lists),
			Next: "unpack it and name the lists you want, or take these files out of the archive",
		}
	case len(a.lists) == 0:
		return "", &Error{Name: name, What: "is a zip archive without a CSV file", Next: "unpack it and name the list"}
	case len(all) == 0:
		return "", nil
	case len(all) == 1:
		return "1 file of " + shown.Name(path.Base(name)) + " is no list and was not read: " + all[0] + ".", nil
	}
	return fmt.Sprintf("%d files of %s are no lists and were not read: %s.", len(all), shown.Name(path.Base(name)), someNames(all)), nil
}

func someNames(names []string) string {
	if n := len(names) - maxNames; n > 0 {
		return strings.Join(names[:maxNames], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}

// looksLikeList reports whether a file of an archive that is not read may be a list.
func (s *source) looksLikeList() bool {
	base := strings.ToLower(path.Base(s.member.Name))
	if slices.Contains(packedLists, path.Ext(base)) {
		return true
	}
	if s.member.Flags&1 != 0 {
		return slices.Contains([]string{".csv", ".tsv", ".txt"}, path.Ext(base))
	}
	_, err := open(s, Options{})
	return err == nil
}
