package winnow_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README shows is what winnow prints.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: builds winnow")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "winnow")
	if out, err := exec.Command("go", "build", "-o", bin, "./cmd/winnow").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Durations are the only thing that differs from run to run.
	seconds := regexp.MustCompile(`\d+(\.\d)? s\b`)
	asked := regexp.MustCompile(`( domains) \d+(\.\d)? s\b`) // shown only where it took a while
	shown := func(text []byte) string {
		return string(seconds.ReplaceAll(asked.ReplaceAll(bytes.TrimSpace(text), []byte("$1")), []byte("N s")))
	}
	blocks := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllSubmatch(readme, -1)

	out := filepath.Join(t.TempDir(), "out")
	demo := exec.Command(bin, "clean", "testdata/lists/demo.csv", "--bounces", "testdata/bounces/demo.csv", "--dns-replay", "testdata/dns/demo.tape", "-o", out)
	got, err := demo.Output()
	if err != nil {
		t.Fatal(err)
	}
	got = bytes.ReplaceAll(got, []byte("in "+out), []byte("in out/"))
	compare := func(what string, got, want []byte) {
		if shown(got) == shown(want) {
			return
		}
		if os.Getenv("UPDATE_GOLDEN") != "" {
			readme = bytes.Replace(readme, want, append(bytes.TrimSpace(got), '\n'), 1)
			if err := os.WriteFile("README.md", readme, 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("%s prints\n%s\nand the README shows something else (make golden shows it)", what, got)
	}
	if len(blocks) == 0 {
		t.Fatal("the README shows nothing")
	}
	compare("make demo", got, blocks[0][1])

	// Every "$ winnow …" in it runs, and prints what stands below it.
	for _, b := range blocks[1:] {
		line, want, _ := bytes.Cut(b[1], []byte("\n"))
		command, ok := strings.CutPrefix(string(line), "$ winnow ")
		if !ok {
			t.Errorf("no command in the block %q", b[1])
			continue
		}
		var args []string
		for _, a := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(command, -1) {
			args = append(args, strings.Trim(a, `"`))
		}
		got, err := exec.Command(bin, args...).Output()
		if err != nil {
			t.Errorf("winnow %s: %v", command, err)
		}
		compare("winnow "+command, got, want)
	}

	// Every command of the table is there.
	help, err := exec.Command(bin, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `winnow ([a-z]+)( [a-z]+)?").FindAllSubmatch(readme, -1) {
		if !regexp.MustCompile(`(?m)^  ` + string(m[1]) + ` `).Match(help) {
			t.Errorf("winnow %s is in the README and not in the help", m[1])
		}
		if len(m[2]) > 0 {
			if _, err := exec.Command(bin, string(m[1]), strings.TrimSpace(string(m[2])), "--help").Output(); err != nil {
				t.Errorf("winnow %s%s: %v", m[1], m[2], err)
			}
		}
	}
}
