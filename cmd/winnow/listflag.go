package main

import (
	"encoding/csv"
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// listVar defines a flag that takes several values, with commas between or repeated.
func listVar(f *pflag.FlagSet, list *[]string, name, usage string) {
	f.Var(&listFlag{list: list}, name, usage)
}

// filesVar is listVar for names of files: the name of a file that is there stands for
// that file, whatever is in it.
func filesVar(f *pflag.FlagSet, list *[]string, name, usage string) {
	f.Var(&listFlag{list: list, files: true}, name, usage)
}

// listFlag is the value of a flag that takes several. Unlike pflag's own it never
// drops what stands behind a line end.
type listFlag struct {
	list  *[]string
	files bool
}

func (l *listFlag) Type() string { return "strings" }

func (l *listFlag) String() string {
	if l.list == nil || len(*l.list) == 0 {
		return ""
	}
	return "[" + strings.Join(*l.list, ",") + "]"
}

// Set adds what the command line says.
func (l *listFlag) Set(s string) error {
	if l.files {
		if _, err := os.Lstat(s); err == nil {
			*l.list = append(*l.list, s)
			return nil
		}
	}
	if strings.ContainsAny(s, "\r\n") {
		return errors.New("there is a line end in it: give each value a flag of its own")
	}
	if s == "" {
		return nil
	}
	values, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return errors.New(`a comma stands between values; a value with a comma or a quote is written "as, this"`)
	}
	*l.list = append(*l.list, values...)
	return nil
}

// Append, Replace and GetSlice make it a pflag.SliceValue: a job file has lists of its own.
func (l *listFlag) Append(s string) error         { *l.list = append(*l.list, s); return nil }
func (l *listFlag) Replace(values []string) error { *l.list = values; return nil }
func (l *listFlag) GetSlice() []string            { return *l.list }
