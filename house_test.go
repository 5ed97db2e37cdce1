package winnow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What may stand at the top of the repository. Everything else is a stray file.
var topLevel = strings.Fields(`
	.ci/ .gitignore .github/ CHANGELOG.md CONTRIBUTING.md LICENSE Makefile README.md SECURITY.md go.mod go.sum
	bounceimport/ cmd/ decide/ docs/ export/ internal/ testdata/ validate/`)

// maxRootFiles is how many Go files tell the story of a cleaning.
const maxRootFiles = 11

func TestTopLevel(t *testing.T) {
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skipf("skipped: not a checkout: %v", err)
	}
	seen := map[string]bool{}
	files := 0
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSuffix(name, "\n")
		dir, _, below := strings.Cut(name, "/")
		if below {
			name = dir + "/"
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		switch {
		case strings.HasSuffix(name, "_test.go"):
		case strings.HasSuffix(name, ".go"):
			files++
		case !slices.Contains(topLevel, name):
			t.Errorf("%s may not stand at the top: see docs/architecture.md", name)
		}
	}
	if files > maxRootFiles {
		t.Errorf("%d Go files at the top, %d at most: see docs/architecture.md", files, maxRootFiles)
	}
}

// The files that tell the story of a cleaning, each with those that it may use: they
// look down only, so that a stage can be read, tested or moved alone.
var mayUse = map[string]string{
	"job.go":     "",
	"rows.go":    "",
	"fixes.go":   "rows.go",
	"copies.go":  "rows.go",
	"lists.go":   "job.go",
	"address.go": "fixes.go",
	"write.go":   "fixes.go lists.go rows.go",
	"tally.go":   "job.go lists.go rows.go write.go",
	"gather.go":  "address.go fixes.go job.go lists.go",
	"judge.go":   "address.go fixes.go job.go lists.go rows.go",
	"winnow.go":  "copies.go fixes.go gather.go job.go judge.go lists.go rows.go tally.go write.go",
}

func TestFilesLookDown(t *testing.T) {
	uses := arrows(t, ".")
	for file, used := range uses {
		allowed, listed := mayUse[file]
		if !listed {
			t.Errorf("%s is not in the table: add it, with the files it uses: %v", file, used)
			continue
		}
		for _, u := range used {
			if !slices.Contains(strings.Fields(allowed), u) {
				t.Errorf("%s uses %s, which is not in its table line", file, u)
			}
		}
		for _, a := range strings.Fields(allowed) {
			if !slices.Contains(used, a) {
				t.Errorf("%s does not use %s any more: take it out of the table", file, a)
			}
		}
	}
	noCircle(t, uses)
}

// The commands stand side by side, on what they share.
func TestCommandsLookOneWay(t *testing.T) {
	noCircle(t, arrows(t, "cmd/winnow"))
}

// So do the files of the rooms beneath the root.
func TestRoomsLookOneWay(t *testing.T) {
	for _, room := range []string{"decide", "internal/csvrows", "internal/keyset", "internal/known"} {
		noCircle(t, arrows(t, room))
	}
}

// noCircle reports the files that reach themselves.
func noCircle(t *testing.T, uses map[string][]string) {
	t.Helper()
	var reach func(from, to string, seen map[string]bool) bool
	reach = func(from, to string, seen map[string]bool) bool {
		for _, u := range uses[from] {
			if u == to || !seen[u] && func() bool { seen[u] = true; return reach(u, to, seen) }() {
				return true
			}
		}
		return false
	}
	for file := range uses {
		if reach(file, file, map[string]bool{}) {
			t.Errorf("%s stands in a circle", file)
		}
	}
}

// arrows returns, for each file of the package in dir, the other files of which it uses
// something. What comes from other packages is not looked at.
func arrows(t *testing.T, dir string) map[string][]string {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	uses := map[string][]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		uses[filepath.Base(name)] = nil
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: nothing{}, Error: func(error) {}} // what is imported is not known, and need not be
	pkg, _ := conf.Check("winnow", fset, files, &info)
	for id, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		if _, isPackage := object.(*types.PkgName); isPackage {
			continue
		}
		from, to := filepath.Base(fset.File(id.Pos()).Name()), filepath.Base(fset.File(object.Pos()).Name())
		if from != to && !slices.Contains(uses[from], to) {
			uses[from] = append(uses[from], to)
		}
	}
	for _, used := range uses {
		slices.Sort(used)
	}
	return uses
}

// nothing imports packages that are empty.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	p.MarkComplete()
	return p, nil
}
