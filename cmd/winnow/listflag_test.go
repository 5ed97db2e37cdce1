package main

import (
	"os"
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// Nothing of a list on the command line is dropped in silence, and the name of a file
// that is there is one name.
func TestListFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a,b.csv", `q"uote`, "two\nlines"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want []string // nil: an error
	}{
		{[]string{"--suppress", "a.csv,b.csv", "--suppress=c.csv"}, []string{"a.csv", "b.csv", "c.csv"}},
		{[]string{"--suppress", `"x,y.csv",z.csv`}, []string{"x,y.csv", "z.csv"}},
		{[]string{"--suppress", "a,b.csv", "--suppress", `q"uote`, "--suppress", "two\nlines"}, []string{"a,b.csv", `q"uote`, "two\nlines"}},
		{[]string{"--suppress", "a.csv\nb.csv"}, nil},
		{[]string{"--suppress", `no"quote`}, nil},
		{[]string{"--suppress", ""}, []string{}},
	} {
		var list []string
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		filesVar(f, &list, "suppress", "")
		err := f.Parse(c.args)
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(list, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.args, list, err, c.want)
		}
	}
}
