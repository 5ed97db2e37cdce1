//go:build unix

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A command that waits for a stranger (standard input that nobody closes, a pipe that
// nobody opens) ends on a signal, with the exit code of a shell, and has changed
// nothing. TestMain makes "winnow" a process of its own.
func TestSignals(t *testing.T) {
	const pipe = "pipe"
	signals := []struct {
		sig  syscall.Signal
		code int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}}
	for i, line := range []string{
		"check --no-dns -",
		"clean - --no-dns -o out",
		"clean pipe --no-dns -o out",
		"clean list.csv --bounces pipe --no-dns -o out",
		"clean list.csv --bounces pipe --history new.db --no-dns -o out",
		"clean list.csv --suppress pipe --no-dns -o out",
		"clean list.csv --apply-fixes pipe --no-dns -o out",
		"clean list.csv --suppress - --no-dns -o out",
		"clean list.csv --hmac-key-file pipe --no-dns -o out",
		"domains -",
		"domains pipe",
		"domains --column 1 pipe",
		"domains --domains pipe list.csv",
		"domains --dns-replay pipe list.csv",
		"bounces read -",
		"bounces read pipe",
		"bounces report pipe",
		"bounces explain -",
		"bounces explain --rules pipe x",
		"bounces eval pipe",
		"bounces test-rules pipe",
		"bounces test-rules rules.txt pipe",
		"bounces read --sent-ids pipe real.eml",
		"bounces import - --history new.db",
		"bounces import pipe --history new.db",
		"plan - -o waves",
		"plan pipe -o waves",
		"run list.toml",
		"run bounces.toml",
		"lists update --from pipe --lists-dir lists",
	} {
		t.Run(strings.ReplaceAll(line, " ", "_"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range map[string]string{
				"list.csv":     "Email\nann@acme.com\n",
				"rules.txt":    "",
				"real.eml":     "Subject: hi\n\nhi\n",
				"list.toml":    "inputs = [\"pipe\"]\noutput = \"out\"\n[clean]\nno-dns = true\n",
				"bounces.toml": "inputs = [\"list.csv\"]\noutput = \"out\"\nbounces = [\"pi*\"]\nhistory = \"new.db\"\n[clean]\nno-dns = true\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, pipe), 0o600), os.MkdirAll(filepath.Join(dir, "lists", "updated"), 0o700)); err != nil {
				t.Fatal(err)
			}
			before := names(t, dir)
			s := signals[i%len(signals)]
			// The signal may come before the process can catch it: then it comes later.
			for wait := 100 * time.Millisecond; ; wait *= 3 {
				code, took, out := interrupted(t, dir, s.sig, wait, strings.Fields(line))
				if code == -1 && wait < 20*time.Second {
					continue
				}
				if code != s.code || took > 2*time.Second || !strings.Contains(out, "winnow: interrupted; nothing was changed\n") {
					t.Errorf("%v: exit code %d after %v\n%s", s.sig, code, took, out)
				}
				break
			}
			if after := names(t, dir); !slices.Equal(before, after) {
				t.Errorf("%q are there, and before it were %q", after, before)
			}
		})
	}
}

// interrupted runs winnow in a folder, with an open standard input, and sends it a
// signal. The exit code is -1 when the signal itself ended it.
func interrupted(t *testing.T, dir string, sig syscall.Signal, wait time.Duration, args []string) (code int, took time.Duration, out string) {
	t.Helper()
	cmd := exec.Command("winnow", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir+".home", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("it does not wait: %v\n%s", err, b.String())
	case <-time.After(wait):
	}
	begin := time.Now()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		cmd.Process.Kill()
		<-ended
		t.Fatalf("it does not end on %v\n%s", sig, b.String())
	}
	return cmd.ProcessState.ExitCode(), time.Since(begin), b.String()
}

// names returns the files below a folder, with their sizes.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			all = append(all, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
