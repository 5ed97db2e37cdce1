package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// TestMain lets the scripts run winnow itself, in the process of the test binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"winnow": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs every page in testdata/script: each shows a command, its
// input files and what comes out.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"lines":     lines,
			"private":   private,
			"empty":     empty,
			"dnsserver": dnsServer,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", filepath.Join(root, "testdata"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
	})
}

// private checks that a folder and all in it can be read by its owner only.
func private(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: private DIR")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = fmt.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}

// empty checks that a folder holds nothing.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %s", args[0], entries[0].Name())
	}
}

// lines writes a file of many lines: lines FILE HEADER COUNT TEMPLATE
// [COUNT TEMPLATE…]. In a template, {} stands for the number of the line.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || len(args)%2 != 0 {
		ts.Fatalf("usage: lines FILE HEADER COUNT TEMPLATE [COUNT TEMPLATE...]")
	}
	var b strings.Builder
	b.WriteString(args[1] + "\n")
	for n, i := 0, 2; i < len(args); i += 2 {
		count, err := strconv.Atoi(args[i])
		ts.Check(err)
		for range count {
			n++
			b.WriteString(strings.ReplaceAll(args[i+1], "{}", strconv.Itoa(n)) + "\n")
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// exits runs a command that must end with an exit code: exits CODE COMMAND [ARG…].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// dnsServer starts a resolver on the zone text of a file (see package dnstest)
// and sets $RESOLVER to its address: dnsserver FILE [VARIABLE].
func dnsServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: dnsserver FILE [VARIABLE]")
	}
	s, err := dnstest.New(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Defer(s.Close)
	name := "RESOLVER"
	if len(args) == 2 {
		name = args[1]
	}
	ts.Setenv(name, s.Addr)
}
