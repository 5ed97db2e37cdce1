package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/winnow-email/winnow"
	"github.com/winnow-email/winnow/internal/fault"
	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// TestMain makes the test binary be winnow where it is called by that name: tests
// find it in their PATH.
func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "winnow" {
		os.Exit(mainCode())
	}
	os.Exit(withWinnow(m.Run))
}

// withWinnow calls f with the program in the PATH.
func withWinnow(f func() int) int {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "winnow-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "winnow")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := errors.Join(os.Symlink(self, name), os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))); err != nil {
		panic(err)
	}
	return f()
}

// TestScripts runs every page in testdata/script: each shows a command, its
// input files and what comes out.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join(root, "cmd/winnow/testdata/script"), // absolute: commands change the folder
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"winnow":    inProcess,
			"exits":     exits,
			"lines":     lines,
			"private":   private,
			"empty":     empty,
			"dnsserver": dnsServer,
			"fault":     setFault,
			"zip":       zipFiles,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" { // who may read and write everything
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
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

// inProcess runs winnow in the process of the test: starting a process for each
// command takes longer than all that they do. "exec winnow" starts one, for what
// only a process has: standard input, signals, a shell around it.
func inProcess(ts *testscript.TestScript, neg bool, args []string) {
	if code := winnowHere(ts, args); (code != 0) != neg {
		ts.Fatalf("exit code %d", code)
	}
}

// oneAtATime guards what commands in this process share: the working directory
// and the environment.
var oneAtATime sync.Mutex

func winnowHere(ts *testscript.TestScript, args []string) int {
	oneAtATime.Lock()
	defer oneAtATime.Unlock()
	for _, name := range []string{"HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NO_COLOR"} {
		was, set := os.LookupEnv(name)
		ts.Check(os.Setenv(name, ts.Getenv(name)))
		defer func() {
			if ts.Check(os.Setenv(name, was)); !set {
				ts.Check(os.Unsetenv(name))
			}
		}()
	}
	was, err := os.Getwd()
	ts.Check(err)
	ts.Check(os.Chdir(ts.MkAbs(".")))
	defer func() { ts.Check(os.Chdir(was)) }()
	defer fault.Set(faults[ts.Getenv("FAULT")])()
	return run(context.Background(), args, strings.NewReader(""), ts.Stdout(), ts.Stderr())
}

// faults are mistakes that a run can make only by a fault of winnow itself.
var faults = map[string]func(*winnow.Summary){
	"lost":   func(s *winnow.Summary) { s.Records++ },
	"wishes": func(s *winnow.Summary) { n := int64(2); s.AgainstWish = &n },
}

// fault makes the commands that follow make a mistake: fault NAME, fault none.
func setFault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || faults[args[0]] == nil && args[0] != "none" {
		ts.Fatalf("usage: fault NAME")
	}
	ts.Setenv("FAULT", args[0])
}

// zipFiles makes an archive: zip ARCHIVE FILE [FILE...].
func zipFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: zip ARCHIVE FILE [FILE...]")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	z := zip.NewWriter(f)
	for _, name := range args[1:] {
		w, err := z.Create(name)
		ts.Check(err)
		_, err = io.WriteString(w, ts.ReadFile(name))
		ts.Check(err)
	}
	ts.Check(errors.Join(z.Close(), f.Close()))
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
	if args[1] == "winnow" {
		got = winnowHere(ts, args[2:])
	} else if err := ts.Exec(args[1], args[2:]...); err != nil {
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

// Every gate has a script in which it fails through the command line.
func TestEveryGateFails(t *testing.T) {
	source, err := os.ReadFile("../../export/report/gates.go")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range scripts {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	gates := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:Gate\{Name: |\t\t\{)"([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		gates[m[1]] = true
	}
	if len(gates) < 15 {
		t.Errorf("only %d gates in gates.go", len(gates))
	}
	for gate := range gates {
		if !regexp.MustCompile(`stderr 'gates failed: ([a-z_]+, )*` + gate + `\b|FAIL ` + gate + `: `).MatchString(all.String()) {
			t.Errorf("no script in which the gate %s fails", gate)
		}
	}
}
