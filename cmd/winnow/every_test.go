//go:build unix

package main

import (
	"bytes"
	"context"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/winnow-email/winnow/validate/dnsmx/dnstest"
)

// everyCommand are lines that run every command there is, good and bad. LIST and the
// other capital words stand for files of the test; the lines build on one another.
var everyCommand = []string{
	"clean LIST --bounces BOUNCES --suppress NEVER --allow ALLOW --resolver DNS --dns-timeout 300ms --dns-record TAPE --metrics METRICS --spreadsheet-safe -o RUN",
	"clean LIST OTHER --bounces BOUNCES --history HISTORY --no-dns -o RUNS",
	"clean LIST --history HISTORY --dns-replay TAPE --json -o RUN2",
	"clean LIST --no-dns --apply-fixes FIXES -o RUN3",
	"clean LIST --no-dns --column nosuch -o RUN4",
	"clean LIST --no-dns --by nosuch -o RUN4",
	"clean LIST LIST --no-dns -o RUN4",
	"clean BROKEN --no-dns -o RUN4",
	"clean BARE --no-dns -o RUN4",
	"clean BARE --no-dns --column nosuch -o RUN4",
	"clean LIST --no-dns --suppress LIST -o RUN4",
	"clean LIST --no-dns --rules LIST -o RUN4",
	"clean LIST --no-dns --apply-fixes LIST -o RUN4",
	"clean LIST --no-dns --hmac-key-file LIST -o RUN4",
	"clean LIST --no-dns --history LIST -o RUN4",
	"clean LIST --domains LIST -o RUN4",
	"clean NOSUCH --no-dns -o RUN4",
	"clean LIST --no-dns -o NOSUCH/RUN",
	"clean LIST --no-dns -o RUN --metrics LIST",
	"check --no-dns --json @LINES",
	"domains --resolver DNS --dns-timeout 300ms --dns-cache CACHE LINES",
	"domains --column 1 --dns-replay TAPE LIST",
	"domains --resolver DNS --dns-record LIST LINES",
	"domains NOSUCH",
	"domains show --dns-cache CACHE",
	"domains show --dns-cache LIST",
	"domains forget --all --dns-cache CACHE",
	"bounces explain REPLY",
	"bounces explain --rules LIST x",
	"bounces test-rules RULES",
	"bounces test-rules NOSUCH",
	"bounces eval LABELS",
	"bounces eval LIST",
	"bounces report BOUNCES --history HISTORY",
	"bounces report NOSUCH",
	"bounces import BOUNCES MAIL --history HISTORY",
	"bounces import NOSUCH --history HISTORY",
	"bounces import HISTORY --history HISTORY",
	"bounces import BOUNCES --history LIST",
	"bounces import DIR --history HISTORY",
	"bounces stats --history HISTORY",
	"bounces stats --history LIST",
	"bounces reclassify --history HISTORY",
	"bounces verify --history HISTORY",
	"bounces verify --history LIST",
	"bounces export --history HISTORY -o STANDING",
	"bounces export --history HISTORY -o LIST",
	"bounces export --history HISTORY -o NOSUCH/x",
	"bounces forget kanarie.odd@acme.com --history HISTORY",
	"bounces show @nosuch.acme.com --history HISTORY",
	"bounces read NOSUCH",
	"lists show --lists-dir DIR",
	"lists show --lists-dir NOSUCH",
	"lists which acme.com --lists-dir DIR",
	"lists update --from LIST --lists-dir DIR",
	"explain --no-dns info@acme.com",
	"export --to csv --from RUN -o ESP",
	"export --to mailgun --history HISTORY -o ESP2",
	"export --to csv --from RUN -o ESP3 --since LIST --against OTHER",
	"export --to csv --from NOSUCH -o ESP4",
	"export --to csv --from RUN -o DIR",
	"export --to hmac --hmac-key-file KEY --from RUN -o ESP5",
	"export --to hmac --hmac-key-file LIST --from RUN -o ESP6",
	"push --to mailgun --scope mg.acme.com --from RUN --key-file KEYS --base-url API --journal JOURNAL",
	"push --to mailgun --scope mg.acme.com --from RUN --key-file KEYS --base-url API --journal JOURNAL --yes",
	"push --to mailgun --scope mg.acme.com --from RUN --key-file LIST --base-url API",
	"report RUN",
	"report RUN --examples 5 -o PAGE",
	"report RUN --text",
	"report RUN -o LIST",
	"report NOSUCH",
	"diff RUN RUN3",
	"diff RUN NOSUCH",
	"verify RUN",
	"verify DIR",
	"plan RUN/cleaned.csv -o WAVES",
	"plan BROKEN -o WAVES2",
	"run --check JOB",
	"run JOB",
	"run LIST",
	"run --check BADJOB",
	"run BADJOB",
	"init TEMPLATE",
	"init LIST",
	"nosuch LIST",
	"clean --nosuch LIST",
	"version",
	"help clean",
	"completion bash",
}

// revealing are the commands whose purpose is to print addresses.
var revealing = regexp.MustCompile(`^(check|explain|bounces (show|read|export|explain)|report .*--reveal|diff .*--reveal)\b`)

// everyRun is a folder in which every command was run, and what each printed.
type everyRun struct {
	dir  string
	out  map[string]string
	code map[string]int
}

// runEvery runs all lines in a new folder, with files named by name and a canary in
// every address, key and header.
func runEvery(t *testing.T, name func(string) string) *everyRun {
	t.Helper()
	dir := t.TempDir()
	work, temp := filepath.Join(dir, "work"), filepath.Join(dir, "tmp")
	if err := os.MkdirAll(filepath.Join(work, name("DIR")), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	for key, value := range map[string]string{"TMPDIR": temp, "HOME": dir, "XDG_CACHE_HOME": filepath.Join(dir, "cache"), "XDG_CONFIG_HOME": filepath.Join(dir, "config"), "NO_COLOR": "1"} {
		t.Setenv(key, value)
	}
	for file, content := range everyFile {
		for _, word := range []string{"LIST", "HISTORY", "BOUNCES", "METRICS", "RUN5", "ESP7", "NOSUCH"} {
			content = strings.ReplaceAll(content, "{"+word+"}", strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\x1b", `\u001b`, `"`, `\"`).Replace(name(word)))
		}
		if err := os.WriteFile(name(file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	zone, err := dnstest.New("acme.com. MX 10 mx.acme.com.\nmx.acme.com. A 198.41.0.4\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(zone.Close)
	api := httptest.NewServer(&mailgunFake{have: map[string]string{}, key: canaryKey})
	t.Cleanup(api.Close)

	r := &everyRun{dir: dir, out: map[string]string{}, code: map[string]int{}}
	capital := regexp.MustCompile(`[A-Z][A-Z0-9]+`)
	for _, line := range everyCommand {
		args := strings.Fields(line)
		for i, a := range args {
			switch a {
			case "DNS":
				args[i] = zone.Addr
			case "API":
				args[i] = api.URL
			case "REPLY":
				args[i] = "554 5.7.1 client host blocked"
			case "@LINES":
				args[i] = "info@acme.com"
			default:
				args[i] = capital.ReplaceAllStringFunc(a, name)
			}
		}
		var out, errs bytes.Buffer
		code := run(context.Background(), args, strings.NewReader(""), &out, &errs)
		if bad := strings.Contains(line, "NOSUCH"); code == exitDone && bad {
			t.Errorf("%s: exit code 0\n%s%s", line, out.String(), errs.String())
		}
		r.code[line] = code
		r.out[line] = out.String() + errs.String()
	}
	return r
}

const canaryKey = "key-7c3a-kanarie-90125"

var everyFile = map[string]string{
	"LIST":    "email,name\nkanarie.dead@acme.com,Kanarie A\nkanarie.alive@acme.com,Kanarie B\nkanarie.alive@acme.com,Kanarie C\n\"kanarie.a@acme.com; kanarie.b@gone.com\",Kanarie D\nkanarie@gmial.com,Kanarie E\nkanarie at acme.com,F\nkanarie.never@acme.com,G\n",
	"OTHER":   "email,name\nkanarie.dead@acme.com,Kanarie A\nkanarie.new@acme.com,A\n",
	"BROKEN":  "name,phone\nkanarie,kanarie\n",
	"BARE":    "kanarie.a@acme.com,0123\nkanarie.b@acme.com,0124\n",
	"NEVER":   "kanarie.never@acme.com\nkanarie not an address\n",
	"ALLOW":   "kanarie.allowed@acme.com\n",
	"FIXES":   "address,suggestion,accept\nkanarie@gmial.com,kanarie@gmail.com,yes\n",
	"LINES":   "kanarie.x@acme.com\nkanarie＠acme.com\nacme.com\n",
	"BOUNCES": "email,reason,date\nkanarie.dead@acme.com,\"554 5.1.1 <kanarie.dead@acme.com>: user unknown\",2026-01-02\nkanarie.alive@acme.com,\"554 5.7.1 mail from kanarie.sender@acme.org to kanarie.alive@acme.com refused: blocked using a blocklist\",2026-01-02\nkanarie.odd@acme.com,\"999 zorp kanarie.odd@acme.com blat\",2026-01-02\nkanarie broken line\n",
	"MAIL":    "From: MAILER-DAEMON@acme.com\nTo: kanarie.sender@acme.org\nSubject: Undelivered kanarie\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.acme.com\n\nFinal-Recipient: rfc822; kanarie.mail@acme.com\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 kanarie.mail@acme.com unknown\n\n--b--\n",
	"RULES":   "id: mine\ncategory: policy_block\nmatch: held in quarantine\ntest: 550 held in quarantine\n",
	"LABELS":  "reply\tcategory\n550 5.1.1 <kanarie.x@acme.com> user unknown\tuser_unknown\n",
	"KEY":     canaryKey,
	"KEYS":    "MAILGUN_API_KEY=" + canaryKey + "\n",
	"JOB":     "inputs = [\"{LIST}\"]\noutput = \"{RUN5}\"\nhistory = \"{HISTORY}\"\nbounces = [\"{BOUNCES}\", \"none/*\"]\nmetrics = \"{METRICS}\"\n[clean]\nno-dns = true\n[gates]\nfeed_age = \"off\"\nbounce_files = \"off\"\nsuppressed_share = \"off\"\n[[export]]\nto = \"csv\"\noutput = \"{ESP7}\"\n",
	"BADJOB":  "inputs = [\"{NOSUCH}\"]\noutput = \"{RUN5}\"\nmetrics = \"{LIST}\"\n",
}

// Every command is among the lines, so that a new one is tried too.
func TestEveryCommandIsTried(t *testing.T) {
	var walk func(c *cobra.Command, path string)
	walk = func(c *cobra.Command, path string) {
		if !c.HasSubCommands() || c.Runnable() && path == "domains" {
			found := false
			for _, line := range everyCommand {
				found = found || strings.HasPrefix(line+" ", path+" ")
			}
			if !found && !revealing.MatchString(path) {
				t.Errorf("no line tries winnow %s", path)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub, strings.TrimSpace(path+" "+sub.Name()))
		}
	}
	for _, group := range commands {
		for _, c := range group.list {
			cmd := c(&env{})
			walk(cmd, cmd.Name())
		}
	}
}

// Every command, once with plain names of files and once with hostile ones: what it
// does is the same.
func TestEveryCommand(t *testing.T) {
	var plain *everyRun
	t.Run("plain names", func(t *testing.T) {
		plain = runEvery(t, strings.ToLower)
		testNothingLeaks(t, plain)
	})
	t.Run("hostile names", func(t *testing.T) {
		r := runEvery(t, func(s string) string { return "x\x1b[31m" + strings.ToLower(s) + "\n\u202ey\u009b" })
		testNamesArePlain(t, r)
		for line, code := range r.code {
			if code != plain.code[line] {
				t.Errorf("winnow %s: exit code %d, and with plain names %d\n%s", line, code, plain.code[line], r.out[line])
			}
		}
	})
}

// Addresses are personal data and keys are secret: whatever a command does, neither is
// printed, noted or left behind, but in the files that it is there to write; and those
// can be read by their owner only.
func testNothingLeaks(t *testing.T, r *everyRun) {
	kanarie := regexp.MustCompile(`(?i)kanarie`)
	for line, out := range r.out {
		if kanarie.MatchString(out) && !revealing.MatchString(line) {
			t.Errorf("winnow %s prints\n%s", line, out)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(r.dir, "tmp")); err != nil || len(entries) > 0 {
		t.Errorf("%v is left in the temporary folder, %v", entries, err)
	}
	err := filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := filepath.Base(path)
		if name == "metrics" && info.Mode().Perm() != 0o644 { // a collector reads them
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if path != r.dir && name != "metrics" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if d.IsDir() || addressFile(strings.TrimPrefix(path, filepath.Join(r.dir, "work")+"/")) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil && kanarie.Match(b) {
			t.Errorf("%s holds %q", path, kanarie.Find(b))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addressFile says whether a file is there to hold addresses, or was the test's own.
func addressFile(path string) bool {
	if everyFile[strings.ToUpper(path)] != "" {
		return true
	}
	name := filepath.Base(path)
	switch first, _, _ := strings.Cut(path, "/"); {
	case first == "history" || strings.HasPrefix(first, "history-") || first == "standing":
		return true
	case strings.HasPrefix(first, "esp"):
		return name != "manifest.json"
	case strings.HasPrefix(first, "run"), strings.HasPrefix(first, "waves"):
		return strings.HasSuffix(name, ".csv")
	case first == "journal":
		return name != "manifest.json"
	}
	return false
}

// Names of files that a terminal would obey, that hold line ends or turn the order of
// letters around, are never printed raw.
func testNamesArePlain(t *testing.T, r *everyRun) {
	for line, out := range r.out {
		for l := range strings.Lines(out) {
			if i := strings.IndexFunc(strings.TrimSuffix(l, "\n"), func(r rune) bool { return r != '\t' && !unicode.IsGraphic(r) }); i >= 0 {
				t.Errorf("winnow %s prints %q", line, l)
				break
			}
			if strings.HasPrefix(l, "y") { // what stands behind the line end of a name
				t.Errorf("winnow %s: a name begins a line: %q", line, l)
			}
		}
	}
}
