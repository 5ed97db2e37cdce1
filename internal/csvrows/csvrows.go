// Package csvrows reads the records of a delimited file as raw bytes, in order
// and in bounded memory, and hands them on unchanged: the preamble and the raw
// records of a list, one after the other, are the bytes of its (decompressed) file.
//
// Open detects what is in front of it: the delimiter (comma, semicolon, tab, "|",
// an Excel sep= line), UTF-8 and UTF-16 with or without a byte order mark, line
// ends of every kind, a header or none, titles above the header, lines that were
// quoted as a whole, the address column, and the columns by which sending services
// mark people who must not be mailed. Other encodings are passed through as bytes.
//
// What is bounded: a record to 1 MiB and 2,000 cells, a quoted cell to 64 KiB and
// 50 lines (else only its record is given up, and reading goes on with the next
// line), decompression to 200 times the input. A pass holds about 3 MiB.
package csvrows

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/winnow-email/winnow/internal/shown"
)

// Open detects the dialect of the list at path ("-" is standard input) and its
// address column. Its errors are for people: what, where, what to do next. A zip
// archive must hold one list; OpenAll takes more.
func Open(path string, opt Options) (*List, error) {
	lists, _, err := OpenAll(path, opt)
	if err != nil {
		return nil, err
	}
	if len(lists) == 1 {
		return lists[0], nil
	}
	names := make([]string, len(lists))
	for i, l := range lists {
		names[i] = l.Name
		l.Close() // only read
	}
	return nil, &Error{
		Name: path, What: fmt.Sprintf("holds %d lists where one is wanted: %s", len(names), strings.Join(names, ", ")),
		Next: "unpack it and name the file",
	}
}

// OpenAll opens the lists at path: one, or every CSV file of a zip archive, as
// Mailchimp exports an audience by status. Each must be closed. The note, one
// sentence or "", names what of an archive was not read.
func OpenAll(path string, opt Options) (lists []*List, note string, err error) {
	src, err := openSource(path, opt)
	if err != nil {
		return nil, "", err
	}
	members := []*source{src}
	if src.packing == zipped {
		a, err := openArchive(src)
		if err == nil {
			note, err = a.leftOut(src.name)
		}
		if err != nil {
			src.Close() // only read
			return nil, "", err
		}
		members = a.lists
		src.file.uses = len(members)
	}
	var empty error
	var empties []string
	for i, m := range members {
		l, err := open(m, opt)
		if errors.Is(err, errEmpty) && len(members) > 1 {
			empty = err
			empties = append(empties, shown.Name(m.member.Name))
			m.Close() // only read
			continue
		}
		if err != nil {
			for _, l := range lists {
				l.Close() // only read
			}
			for _, m := range members[i:] {
				m.Close() // only read
			}
			return nil, "", err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, "", empty
	}
	if len(empties) > 0 {
		note = strings.TrimSpace(note + " In " + shown.Name(filepath.Base(path)) + " these are empty: " + someNames(empties) + ".")
	}
	return lists, note, nil
}
