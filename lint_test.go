package winnow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What there is one way to do, and where that way is. Whoever needs it calls the
// helper; a place that cannot is listed with its reason.
var oneWay = []struct {
	calls   string   // of the standard library, with the package's path
	instead string   // what to call
	only    string   // folders, with a final slash, in which the rule holds; "": all
	except  []string // files, or folders with a final slash
}{
	{
		calls:   "os.WriteFile os.Create os.CreateTemp os.MkdirTemp",
		instead: "files.Create or files.Write for a file that appears whole, files.NewTemp for a temporary one, export.Create for a folder",
		except: []string{
			"internal/files/",                 // the way itself
			"export/dir.go",                   // the way of a whole folder
			"internal/csvrows/source.go",      // a stream that is read twice, in the private folder of the run
			"internal/known/lists.go",         // the same
			"internal/keyset/arena.go",        // what does not fit into memory, in the private folder of the run
			"bounceimport/history/history.go", // asks whether SQLite could make its log beside the history
		},
	},
	{
		calls:   "path/filepath.Glob io/fs.Glob",
		instead: "files.Glob, for which the name of a folder is no pattern",
		except:  []string{"internal/files/"},
	},
	{
		calls:   "os.Stdin",
		instead: "the standard input of the env, which an interrupt ends",
		only:    "cmd/winnow/",
		except:  []string{"cmd/winnow/main.go"},
	},
	{
		calls:   "os.Open os.ReadFile",
		instead: "files.Open or files.ReadAll, which an interrupt ends",
		only:    "cmd/winnow/",
		except:  []string{"cmd/winnow/metrics.go"}, // its own file, of which files.Create has said that it is one
	},
	{
		calls:   "fmt.Fprint fmt.Fprintf fmt.Fprintln fmt.Print fmt.Printf fmt.Println",
		instead: "shown.Fprintf, which writes names and a stranger's words plainly",
		only:    "cmd/winnow/",
	},
	{
		calls:   "path/filepath.Walk os/signal.Notify os/signal.NotifyContext os.Exit",
		instead: "filepath.WalkDir; the context that ends on a signal; an error with an exit code",
		except:  []string{"cmd/winnow/main.go"},
	},
}

func TestOneWay(t *testing.T) {
	used := map[string]bool{} // exceptions that are still needed
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		path = filepath.ToSlash(path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(path, "cmd/winnow-") || d.Name() == "testdata" || len(path) > 1 && d.Name()[0] == '.'):
			return fs.SkipDir // developers' programs
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		for _, c := range callsIn(t, path) {
			for _, rule := range oneWay {
				if !slices.Contains(strings.Fields(rule.calls), c.name) || !strings.HasPrefix(path, rule.only) {
					continue
				}
				i := slices.IndexFunc(rule.except, func(e string) bool { return path == e || strings.HasSuffix(e, "/") && strings.HasPrefix(path, e) })
				if i >= 0 {
					used[rule.calls+" "+rule.except[i]] = true
					continue
				}
				t.Errorf("%s:%d: %s: call %s", path, c.line, c.name, rule.instead)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range oneWay {
		for _, e := range rule.except {
			if !used[rule.calls+" "+e] {
				t.Errorf("%s does not call %s any more: take it off the exceptions", e, rule.calls)
			}
		}
	}
}

type call struct {
	name string
	line int
}

// callsIn returns what a file uses of the packages that it imports, as path.Name.
func callsIn(t *testing.T, path string) (all []call) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	imports := map[string]string{}
	for _, imp := range f.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := p[strings.LastIndexByte(p, '/')+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		imports[name] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil && imports[x.Name] != "" {
				all = append(all, call{imports[x.Name] + "." + sel.Sel.Name, fset.Position(n.Pos()).Line})
			}
		}
		return true
	})
	return all
}
