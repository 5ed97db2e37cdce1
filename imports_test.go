package winnow_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The rooms of the house and what each may import: imports run one way. A
// third-party module stands where it has its home, and nowhere else.
var mayImport = map[string][]string{
	"winnow/internal/shown":         {"golang.org/x/text"},
	"winnow/internal/anytime":       {},
	"winnow/internal/stanza":        {},
	"winnow/internal/files":         {"github.com/gofrs/flock"},
	"winnow/internal/api":           {"winnow/internal/files", "winnow/internal/shown"},
	"winnow/internal/columns":       {"winnow/internal/stanza", "golang.org/x/text"},
	"winnow/internal/csvrows":       {"winnow/internal/columns", "winnow/internal/files", "winnow/internal/shown", "github.com/klauspost/compress", "golang.org/x/sync", "golang.org/x/sys"},
	"winnow/internal/keyset":        {"golang.org/x/sync"},
	"winnow/internal/known":         {"winnow/bounceimport", "winnow/validate", "winnow/internal/csvrows", "winnow/internal/files", "winnow/internal/keyset", "winnow/internal/shown"},
	"winnow/internal/fault":         {"winnow/export/summary"},
	"winnow/validate/lists":         {"golang.org/x/net", "golang.org/x/text"},
	"winnow/validate/lists/update":  {"winnow/validate/lists", "winnow/internal/files", "winnow/internal/shown"},
	"winnow/validate":               {"winnow/validate/lists", "golang.org/x/net", "golang.org/x/text"},
	"winnow/validate/dnsmx":         {"winnow/validate", "winnow/validate/lists", "winnow/internal/files", "github.com/miekg/dns", "golang.org/x/net"},
	"winnow/bounceimport":           {"winnow/validate", "winnow/internal/anytime", "winnow/internal/shown", "winnow/internal/stanza", "github.com/klauspost/compress"},
	"winnow/bounceimport/reply":     {"winnow/bounceimport", "winnow/internal/stanza"},
	"winnow/bounceimport/reader":    {"winnow/bounceimport", "winnow/bounceimport/reply", "winnow/internal/anytime", "winnow/internal/csvrows", "winnow/internal/files", "winnow/internal/shown", "github.com/gocarina/gocsv", "github.com/klauspost/compress", "golang.org/x/text"},
	"winnow/bounceimport/diagnosis": {"winnow/bounceimport", "winnow/bounceimport/reply"},
	"winnow/bounceimport/history":   {"winnow/bounceimport", "winnow/bounceimport/diagnosis", "winnow/bounceimport/reply", "winnow/internal/files", "winnow/validate", "winnow/internal/shown", "zombiezen.com/go/sqlite"},
	"winnow/decide":                 {"winnow/bounceimport", "winnow/validate"},
	"winnow/export/summary":         {"winnow/internal/files"},
	"winnow/export":                 {"winnow/export/summary", "winnow/internal/files", "winnow/internal/shown", "golang.org/x/sys"},
	"winnow/export/rundir":          {"winnow/export", "winnow/export/summary", "winnow/validate", "winnow/internal/csvrows", "winnow/internal/shown", "github.com/klauspost/compress", "golang.org/x/text"},
	"winnow/export/waves":           {"winnow/export", "winnow/export/summary", "winnow/validate", "winnow/internal/anytime", "winnow/internal/csvrows"},
	"winnow/export/report":          {"winnow/bounceimport", "winnow/bounceimport/diagnosis", "winnow/export", "winnow/export/summary", "winnow/export/rundir", "winnow/export/waves", "winnow/internal/shown"},
	"winnow/export/esp":             {"winnow/bounceimport", "winnow/export", "winnow/export/rundir", "winnow/export/summary", "winnow/validate", "winnow/internal/api", "winnow/internal/csvrows", "winnow/internal/files", "winnow/internal/shown", "github.com/gocarina/gocsv"},
	"winnow":                        {"winnow/validate", "winnow/validate/lists", "winnow/bounceimport", "winnow/decide", "winnow/export", "winnow/export/report", "winnow/export/summary", "winnow/internal/columns", "winnow/internal/csvrows", "winnow/internal/fault", "winnow/internal/files", "winnow/internal/keyset", "winnow/internal/known", "winnow/internal/shown", "golang.org/x/sync"},
}

func TestImports(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: asks the go command for every package")
	}
	module, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		t.Skipf("skipped: no go command: %v", err)
	}
	// The table names the packages as if the module were called winnow.
	short := func(path string) string {
		if rest, ours := strings.CutPrefix(path, strings.TrimSpace(string(module))); ours && (rest == "" || rest[0] == '/') {
			return "winnow" + rest
		}
		return path
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Imports", "./...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("skipped: no go command: %v", err)
	}
	seen := map[string]bool{}
	for dec := json.NewDecoder(out); ; {
		var p struct {
			ImportPath, Name string
			Imports          []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = short(p.ImportPath)
		allowed, listed := mayImport[p.ImportPath]
		if !listed {
			// Commands and test servers stand outside the house and may look into every
			// room; everything else must be in the table.
			if p.Name != "main" && !strings.HasSuffix(p.ImportPath, "test") {
				t.Errorf("%s is not a room of the house: add it to the table, with what it may import", p.ImportPath)
			}
			continue
		}
		seen[p.ImportPath] = true
		for _, imp := range p.Imports {
			imp = short(imp)
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") && first != "winnow" {
				continue // the standard library
			}
			if !slices.ContainsFunc(allowed, func(a string) bool {
				return imp == a || strings.HasPrefix(imp, a+"/") && !strings.HasPrefix(a, "winnow")
			}) {
				t.Errorf("%s imports %s, which is not in its table line", p.ImportPath, imp)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for room := range mayImport {
		if !seen[room] {
			t.Errorf("%s is in the table and does not exist", room)
		}
	}
}
